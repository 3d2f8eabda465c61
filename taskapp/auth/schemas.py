"""Credentials and sessions on the wire."""

from marshmallow import Schema, validate

from taskapp.caller import SCOPES
from taskapp.web import fields
from taskapp.web.fields import example


class LoginSchema(Schema):
    """What it takes to sign in.

    Attributes:
        email: The address of the account; capital letters make no difference.
        password: Its password.
    """

    email = fields.Email(required=True)
    password = fields.Password(required=True)


class RefreshSchema(Schema):
    """The refresh token that is still good.

    Attributes:
        refresh_token: The `refresh_token` of the pair that you got last.
    """

    refresh_token = fields.Text(
        min=1, max=4096, required=True, load_only=True, metadata=example("eyJhbGciOi…")
    )


class TokenPairSchema(Schema):
    """A session's two tokens; `expires_in` is in seconds and of the access token.

    Attributes:
        access_token: Send it as `Authorization: Bearer …` with each request.
        refresh_token: Swap it for the next pair when the access token has run out; it is good once.
        token_type: How to send the access token.
        expires_in: For how many seconds the access token is good.
    """

    access_token = fields.Text(max=4096, required=True)
    refresh_token = fields.Text(max=4096, required=True)
    token_type = fields.Choice(("Bearer",), required=True)
    expires_in = fields.Int(required=True)


class PasswordChangeSchema(Schema):
    """The old password and the new one; `end_tokens` ends all personal tokens, too.

    Attributes:
        current_password: The password as it is now.
        new_password: 12 characters or more, hard to guess: a few unrelated words are good.
        end_tokens: `true`: your personal tokens end as well.
    """

    current_password = fields.Password(required=True)
    new_password = fields.Password(required=True)
    end_tokens = fields.Bool(load_default=False, load_only=True)


class SessionSchema(Schema):
    """A sign-in that is still good.

    Attributes:
        id: The session's number, in the address that ends it.
        user_agent: What signed in called itself.
        created_at: When it signed in.
        last_used_at: When it last swapped its refresh token, or signed in.
        expires_at: When it ends if it is not used before.
    """

    id = fields.Int(dump_only=True)
    user_agent = fields.Text(max=200, dump_only=True)
    created_at = fields.Time(dump_only=True)
    last_used_at = fields.Time(dump_only=True)
    expires_at = fields.Time(dump_only=True)
    current = fields.Bool(dump_only=True, metadata={"description": "Whether it is the one in use."})


class CredentialSchema(Schema):
    """What the credential in use is, and what it may do.

    Attributes:
        kind: `session`: somebody signed in; `token`: a personal token.
        user_id: Whose it is.
        scopes: What it may do.
        expires_at: When it runs out; null: never.
    """

    kind = fields.Choice(("session", "token"), dump_only=True)
    user_id = fields.Int(dump_only=True)
    scopes = fields.List(
        fields.Choice(tuple(SCOPES)), dump_only=True, validate=validate.Length(max=4)
    )
    expires_at = fields.Time(dump_only=True, allow_none=True)


LOGIN = LoginSchema()
REFRESH = RefreshSchema()
TOKEN_PAIR = TokenPairSchema()
PASSWORD_CHANGE = PasswordChangeSchema()
SESSION_PAGE = fields.page_of(SessionSchema)()
CREDENTIAL = CredentialSchema()
