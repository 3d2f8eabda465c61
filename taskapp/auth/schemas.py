"""Credentials and sessions on the wire."""

from __future__ import annotations

from marshmallow import Schema, fields

from taskapp.fields import Bool, Choice, Email, Int, Password, Text, Time, page_of


class LoginSchema(Schema):
    """What it takes to sign in."""

    email = Email(required=True)
    password = Password(required=True)


class RefreshSchema(Schema):
    """The refresh token that is still good."""

    refresh_token = Text(min=1, max=4096, required=True, load_only=True)


class TokenPairSchema(Schema):
    """A session's two tokens; `expires_in` is in seconds and of the access token."""

    access_token = Text(max=4096, required=True)
    refresh_token = Text(max=4096, required=True)
    token_type = Choice(("Bearer",), required=True)
    expires_in = Int(required=True)


class PasswordChangeSchema(Schema):
    """The old password and the new one."""

    current_password = Password(required=True)
    new_password = Password(required=True)


class SessionSchema(Schema):
    """A sign-in that is still good."""

    id = Int(dump_only=True)
    user_agent = Text(max=200, dump_only=True)
    created_at = Time(dump_only=True)
    last_used_at = Time(dump_only=True)
    expires_at = Time(dump_only=True)
    current = Bool(dump_only=True, metadata={"description": "Whether it is the one in use."})


SessionPageSchema = page_of(SessionSchema)


class CredentialSchema(Schema):
    """What the credential in use is, and what it may do."""

    kind = Choice(("session", "token"), dump_only=True)
    user_id = Int(dump_only=True)
    scopes = fields.List(Choice(("read", "write", "admin")), dump_only=True)
    expires_at = Time(dump_only=True, allow_none=True)
