"""Credentials on the wire."""

from typing import Literal

from pydantic import BaseModel

from lab.twin.fields import Email, Password, Wire


class Login(Wire):
    """What it takes to sign in."""

    email: Email
    password: Password


class TokenPair(BaseModel):
    """A session's two tokens; `expires_in` is in seconds and of the access token."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int
