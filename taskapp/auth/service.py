"""Signing in and out; a session is a row, and each use of its refresh token replaces the token."""

import datetime as dt
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from taskapp.auth import throttle, tokens
from taskapp.auth.models import Session
from taskapp.database.pages import Page, page_by
from taskapp.database.session import Body, Row, now, one_or_raise, read
from taskapp.errors import NotFound, TokenReused, TokenRevoked, WrongCredentials
from taskapp.extensions import db, settings
from taskapp.schema import table
from taskapp.users import access as users
from taskapp.users import passwords

SESSIONS = table(Session)
SHOWN = [SESSIONS.c[n] for n in ("id", "user_agent", "created_at", "last_used_at", "expires_at")]


class SessionNotFound(NotFound):
    """You have no such session."""


def login(body: Body, user_agent: str, address: str) -> dict[str, Any]:
    user, key = users.with_email(body["email"]).one_or_none(), users.email_key(body["email"])
    with throttle.slowed(key, address, known_address=_began_at(address, user)):
        known = passwords.verify(body["password"], user and user.password_hash)
        if user is None or not known or not user.is_active:
            raise WrongCredentials
    at, jti = now(), uuid4().hex
    values = {"user_id": user.id, "refresh_jti": jti, "user_agent": user_agent, "created_at": at}
    values |= {"last_used_at": at, "expires_at": _session_end(at), "address": address}
    one_or_raise(db.session.execute(users.unchanged(user)), WrongCredentials)
    made = db.session.execute(sa.insert(SESSIONS).returning(Session.id), values).one()
    return tokens.issue(user.id, made.id, jti, _session_end(at))


def refresh(refresh_token: str) -> dict[str, Any]:
    """Swap a refresh token for a new pair; of many at once one wins, and the rest are reuse."""
    claims = tokens.check(refresh_token, "refresh")
    at, jti = now(), uuid4().hex
    live = sa.and_(Session.id == claims.session_id, Session.ended_at.is_(None))
    owner = Session.user_id.in_(sa.select(users.active().c.id))
    swapped = db.session.execute(
        sa.update(SESSIONS)
        .where(live, owner, Session.refresh_jti == claims.token_id)
        .values(refresh_jti=jti, last_used_at=at, expires_at=_session_end(at))
        .returning(SESSIONS.c.id)
    )
    if swapped.one_or_none():
        return tokens.issue(claims.user_id, claims.session_id, jti, _session_end(at))
    current = db.session.scalar(sa.select(Session.refresh_jti).where(live))
    if current in (None, claims.token_id):  # ended, or its user may not sign in
        raise TokenRevoked
    # The session ends although the request is refused: that is what the refusal is for.
    _end(Session.id == claims.session_id)
    db.session.commit()
    raise TokenReused


def list_sessions(user_id: int, session_id: int | None, query: Body) -> Page:
    shown = sa.select(*SHOWN, (Session.id == session_id).label("current"))
    live = (Session.ended_at.is_(None), Session.expires_at > now())
    return page_by(shown.where(Session.user_id == user_id, *live), Session.id, **query)


def end_session(user_id: int, session_id: int) -> None:
    if not _end(Session.id == session_id, Session.user_id == user_id):
        raise SessionNotFound


def end_sessions(user_id: int) -> None:
    _end(Session.user_id == user_id)


def change_password(user_id: int, session_id: int | None, body: Body) -> None:
    """All other sessions end: whoever knew the old password is out."""
    users.check_password(user_id, body["current_password"])
    reset_password(user_id, body["new_password"], "new_password", session_id or 0)


def reset_password(user_id: int, password: str, field: str = "password", spared: int = 0) -> None:
    """No questions asked, and every session ends but the one that is spared."""
    users.set_password(user_id, field, password)
    _end(Session.user_id == user_id, Session.id != spared)


def _began_at(address: str, user: Row | None) -> bool:
    """Whether the account was signed in from there before; the same work where there is none."""
    which = (Session.user_id == (user.id if user else 0), Session.address == address)
    return read(sa.select(Session.id).where(*which).limit(1)).first() is not None


def _session_end(at: dt.datetime) -> dt.datetime:
    return at + dt.timedelta(days=settings().session_days)


def _end(*which: sa.ColumnElement[bool]) -> bool:
    """Whether there was one to end."""
    ended = sa.update(SESSIONS).where(Session.ended_at.is_(None), *which).values(ended_at=now())
    return bool(db.session.execute(ended.returning(SESSIONS.c.id)).all())
