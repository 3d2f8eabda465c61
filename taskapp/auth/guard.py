"""Who is calling, and may they use this route at all?

`identify` runs first and never refuses, so that the limits can count by caller and refused
credentials count too; `admit` then refuses.
"""

import datetime as dt
from base64 import b64decode
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import current_app, g

from taskapp import errors
from taskapp.auth import tokens
from taskapp.auth.models import Session
from taskapp.contract import ADMIN, ANYONE, contract_of
from taskapp.extensions import here, now, read
from taskapp.personal_tokens import access as personal_tokens
from taskapp.users import access as users

SAFE = {"GET", "HEAD", "OPTIONS"}


class Caller(NamedTuple):
    """Who is calling, with what right, and until when; a personal token has no session."""

    user_id: int
    role: str
    scopes: frozenset[str]
    expires_at: dt.datetime | None
    session_id: int | None = None

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "token" if self.session_id is None else "session",
            "user_id": self.user_id,
            "scopes": sorted(self.scopes),
            "expires_at": self.expires_at,
        }


_active = users.active()
_LIVE_SESSION = (
    sa.select(_active.c.role)
    .join(Session, Session.user_id == _active.c.id)
    .where(Session.id == sa.bindparam("session_id"), Session.ended_at.is_(None))
    .where(Session.user_id == sa.bindparam("user_id"))
)


def caller() -> Caller:
    """The signed-in caller of this request; `admit` has seen to it that there is one."""
    signed_in: Caller = g.caller
    return signed_in


def session_id() -> int:
    """The caller's session; a personal token, which has none, is refused."""
    if g.caller.session_id is None:
        raise errors.Forbidden("This credential is no session: sign in, or delete the token.")
    return int(g.caller.session_id)


def mintable() -> frozenset[str]:
    """The scopes that the caller may give to a new token: none that it lacks."""
    scopes: frozenset[str] = g.caller.scopes
    return scopes if g.caller.session_id is None else scopes | {"feed"}


def identify() -> None:
    asked, mine = here()
    mine.caller, mine.refusal = None, None
    try:
        mine.caller = _authenticate(asked.environ.get("HTTP_AUTHORIZATION"))
    except errors.Refusal as refusal:
        mine.refusal = refusal
    except sa.exc.DBAPIError as error:  # who needs no credential needs no database for it either
        mine.refusal = errors.from_database(error)


def admit() -> None:
    asked, _ = here()
    view = current_app.view_functions.get(asked.endpoint or "")
    if view is None or "contract" not in view.__dict__ or asked.method == "OPTIONS":
        return
    access = contract_of(view).access
    if access != ANYONE:
        demand(access if access == ADMIN else "read" if asked.method in SAFE else "write")


def demand(scope: str) -> None:
    """Refuse unless the caller has a credential, and that one the scope."""
    if g.refusal is not None:
        raise g.refusal
    if scope not in g.caller.scopes:
        may = g.caller.role == ADMIN or scope != ADMIN
        raise errors.InsufficientScope if may else errors.Forbidden("Only an admin may do this.")


def oneself(user_id: int) -> int:
    """The id, if it is the caller's; that of anybody else is for admins."""
    if user_id != g.caller.user_id:
        demand(ADMIN)
    return user_id


def by_secret(secret: str) -> Caller:
    """The caller behind a personal token."""
    found = personal_tokens.find(secret)
    if found is None:
        raise errors.InvalidToken
    if found.ended_at is not None or found.role is None:
        raise errors.TokenRevoked
    if found.expires_at is not None and found.expires_at <= now():
        raise errors.TokenExpired
    scopes = frozenset(scope for given in found.scopes for scope in personal_tokens.SCOPES[given])
    if found.role != ADMIN:
        scopes -= {ADMIN}
    return Caller(found.user_id, found.role, scopes, found.expires_at)


def by_feed(secret: str) -> Caller:
    """The owner of a `feed` token; whatever else the secret is, there is no such feed."""
    try:
        owner = by_secret(secret)
    except errors.Refusal:
        raise errors.NotFound from None
    if "feed" not in owner.scopes:
        raise errors.NotFound
    return owner


def _authenticate(header: str | None) -> Caller:
    """RFC 6750 and RFC 7617; a scheme's name is compared without case (RFC 9110, 11.1)."""
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    if scheme.lower() == "basic":
        token = _password(token)
        if not token.startswith(personal_tokens.PREFIX):
            raise errors.Unauthorized("Basic takes a personal token as its password.")
    elif scheme.lower() != "bearer":
        raise errors.Unauthorized
    return by_secret(token) if token.startswith(personal_tokens.PREFIX) else _by_session(token)


def _password(credentials: str) -> str:
    try:
        return b64decode(credentials, validate=True).decode().partition(":")[2]
    except ValueError:
        raise errors.Unauthorized from None


def _by_session(token: str) -> Caller:
    claims = tokens.check(token, "access")
    who = {"session_id": claims.session_id, "user_id": claims.user_id}
    role = read(_LIVE_SESSION, who).scalar_one_or_none()
    if role is None:
        raise errors.TokenRevoked
    scopes = personal_tokens.SCOPES[ADMIN if role == ADMIN else "write"]
    expires_at = dt.datetime.fromtimestamp(claims.expires, dt.UTC)
    return Caller(claims.user_id, role, scopes, expires_at, claims.session_id)
