"""Who is calling, and may they use this route at all?

`identify` runs first and never refuses, so that the limits can count by caller and refused
credentials count too; `admit` then refuses.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import current_app, g, request

from taskapp import errors
from taskapp.auth import tokens
from taskapp.auth.models import Session
from taskapp.contract import ADMIN, ANYONE, contract_of
from taskapp.extensions import read
from taskapp.users import access as users

SAFE = {"GET", "HEAD", "OPTIONS"}


class Caller(NamedTuple):
    """Who is calling, with what right, and until when."""

    user_id: int
    role: str
    session_id: int
    scopes: frozenset[str]
    expires_at: dt.datetime

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "session",
            "user_id": self.user_id,
            "scopes": sorted(self.scopes),
            "expires_at": self.expires_at,
        }


_active = users.active()
_LIVE_SESSION = (
    sa.select(_active.c.role)
    .join(Session, Session.user_id == _active.c.id)
    .where(
        Session.id == sa.bindparam("session_id"),
        Session.user_id == sa.bindparam("user_id"),
        Session.ended_at.is_(None),
    )
)


def caller() -> Caller:
    """The signed-in caller of this request; `admit` has seen to it that there is one."""
    signed_in: Caller = g.caller
    return signed_in


def identify() -> None:
    g.caller, g.refusal = None, None
    try:
        g.caller = _authenticate(request.headers.get("Authorization"))
    except errors.Refusal as refusal:
        g.refusal = refusal


def admit() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or "contract" not in view.__dict__ or request.method == "OPTIONS":
        return
    access = contract_of(view).access
    if access == ANYONE:
        return
    if g.refusal is not None:
        raise g.refusal
    scope = ADMIN if access == ADMIN else "read" if request.method in SAFE else "write"
    if access == ADMIN and g.caller.role != ADMIN:
        raise errors.Forbidden("Only an admin may do this.")
    if scope not in g.caller.scopes:
        raise errors.InsufficientScope


def _authenticate(header: str | None) -> Caller:
    """RFC 6750, section 2.1; the scheme's name is compared without case (RFC 9110, 11.1)."""
    if not header:
        raise errors.Unauthorized
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise errors.Unauthorized
    claims = tokens.check(token.strip(), "access")
    role = read(
        _LIVE_SESSION, {"session_id": claims.session_id, "user_id": claims.user_id}
    ).scalar_one_or_none()
    if role is None:
        raise errors.TokenRevoked
    scopes = {"read", "write", ADMIN} if role == ADMIN else {"read", "write"}
    expires_at = dt.datetime.fromtimestamp(claims.expires, dt.UTC)
    return Caller(claims.user_id, role, claims.session_id, frozenset(scopes), expires_at)
