"""Signing in and out; a session is a row, and each use of its refresh token replaces the token."""

import datetime as dt
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
SHOWN = (
    SESSIONS.c.id,
    SESSIONS.c.user_agent,
    SESSIONS.c.created_at,
    SESSIONS.c.last_used_at,
    SESSIONS.c.expires_at,
)


class SessionNotFound(NotFound):
    """You have no such session."""


def login(body: Body, user_agent: str, address: str) -> Body:
    """Sign in with a password: begin a session.

    Raises:
        WrongCredentials: There is no such active account, or it has another password.
        RateLimited: Too many sign-ins of this account, or from this address, have failed.
    """
    user = users.with_email(body["email"]).one_or_none()
    key = users.email_key(body["email"])
    known_address = _began_at(address, user)
    with throttle.throttled(key, address, known_address=known_address):
        matches = passwords.verify(body["password"], user.password_hash if user else None)
        if user is None or not matches or not user.is_active:
            raise WrongCredentials
    one_or_raise(db.session.execute(users.unchanged(user)), WrongCredentials)
    return _begin_session(user.id, user_agent, address)


def _begin_session(user_id: int, user_agent: str, address: str) -> Body:
    at = now()
    token_id = uuid4().hex
    values = {
        "user_id": user_id,
        "refresh_jti": token_id,
        "user_agent": user_agent,
        "address": address,
        "created_at": at,
        "last_used_at": at,
        "expires_at": _session_end(at),
    }
    inserted = sa.insert(SESSIONS).values(values).returning(SESSIONS.c.id)
    session_id = db.session.execute(inserted).scalar_one()
    return tokens.issue(user_id, session_id, token_id, _session_end(at))


def refresh(refresh_token: str) -> Body:
    """Swap a refresh token for a new pair; of many at once one wins, and the rest are reuse."""
    claims = tokens.check(refresh_token, "refresh")
    at = now()
    token_id = uuid4().hex
    live = sa.and_(SESSIONS.c.id == claims.session_id, SESSIONS.c.ended_at.is_(None))
    owner_is_active = SESSIONS.c.user_id.in_(sa.select(users.active().c.id))
    swap = sa.update(SESSIONS).where(live, owner_is_active)
    swap = swap.where(SESSIONS.c.refresh_jti == claims.token_id)
    swap = swap.values(refresh_jti=token_id, last_used_at=at, expires_at=_session_end(at))
    if db.session.execute(swap.returning(SESSIONS.c.id)).one_or_none():
        return tokens.issue(claims.user_id, claims.session_id, token_id, _session_end(at))
    latest = db.session.scalar(sa.select(SESSIONS.c.refresh_jti).where(live))
    if latest in (None, claims.token_id):  # ended, or its user may not sign in
        raise TokenRevoked
    # The session ends although the request is refused: that is what the refusal is for.
    _end(SESSIONS.c.id == claims.session_id)
    db.session.commit()
    raise TokenReused


def list_sessions(user_id: int, session_id: int | None, query: Body) -> Page:
    in_use = (SESSIONS.c.id == session_id).label("current")
    sessions = sa.select(*SHOWN, in_use).where(SESSIONS.c.user_id == user_id)
    live = sessions.where(SESSIONS.c.ended_at.is_(None), SESSIONS.c.expires_at > now())
    return page_by(live, Session.id, **query)


def end_session(user_id: int, session_id: int) -> None:
    """Raises SessionNotFound."""
    if not _end(SESSIONS.c.id == session_id, SESSIONS.c.user_id == user_id):
        raise SessionNotFound


def end_sessions(user_id: int) -> None:
    _end(SESSIONS.c.user_id == user_id)


def change_password(user_id: int, session_id: int | None, body: Body) -> None:
    """All other sessions end: whoever knew the old password is out."""
    users.check_password(user_id, body["current_password"])
    reset_password(user_id, body["new_password"], "new_password", session_id or 0)


def reset_password(user_id: int, password: str, field: str = "password", spared: int = 0) -> None:
    """No questions asked, and every session ends but the one that is spared."""
    users.set_password(user_id, field, password)
    _end(SESSIONS.c.user_id == user_id, SESSIONS.c.id != spared)


def _began_at(address: str, user: Row | None) -> bool:
    """Whether the account was signed in from there before; the same work where there is none."""
    user_id = 0 if user is None else user.id
    sessions = sa.select(SESSIONS.c.id).filter_by(user_id=user_id, address=address)
    return read(sessions.limit(1)).first() is not None


def _session_end(at: dt.datetime) -> dt.datetime:
    return at + dt.timedelta(days=settings().session_days)


def _end(*which: sa.ColumnElement[bool]) -> bool:
    """Whether there was one to end."""
    live = sa.update(SESSIONS).where(SESSIONS.c.ended_at.is_(None), *which)
    ended = live.values(ended_at=now()).returning(SESSIONS.c.id)
    return bool(db.session.execute(ended).all())
