"""The rows of sessions: begun, looked for, ended."""

import datetime as dt
from secrets import token_hex
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from taskapp.auth.models import Session
from taskapp.auth.tokens import Claims
from taskapp.database.session import Row, now, read
from taskapp.extensions import db, settings
from taskapp.schema import table
from taskapp.users import access as users

SESSIONS = table(Session)
SESSION = SESSIONS.c


def begin(user_id: int, user_agent: str, address: str) -> Row:
    """A new session of a user."""
    at = now()
    values = {
        "user_id": user_id,
        "nonce": token_hex(8),
        "refresh_jti": new_token_id(),
        "user_agent": user_agent,
        "address": address,
        "created_at": at,
        "last_used_at": at,
        "expires_at": expiry(at, began=at),
    }
    insert = sa.insert(SESSIONS).values(values)
    result = db.session.execute(insert.returning(SESSIONS))
    return result.one()


def new_token_id() -> str:
    """A new `jti` (RFC 7519, section 4.1.7)."""
    return uuid4().hex


def expiry(at: dt.datetime, began: dt.datetime) -> dt.datetime:
    """When a session ends whose tokens were issued at this moment, and which began then."""
    unused = dt.timedelta(days=settings().session_days)
    in_all = dt.timedelta(days=settings().session_max_days)
    return min(at + unused, began + in_all)


def is_young(at: dt.datetime) -> sa.ColumnElement[bool]:
    """Whether a session has not lasted as long as any may (SESSION_MAX_DAYS)."""
    in_all = dt.timedelta(days=settings().session_max_days)
    return SESSION.created_at > at - in_all


def of_claims(claims: Claims, statement: Any) -> Any:
    """The statement, about the live session of a token whose user may sign in."""
    statement = statement.where(SESSION.id == claims.session_id)
    statement = statement.where(SESSION.nonce == claims.nonce)
    statement = statement.where(SESSION.ended_at.is_(None))
    active = sa.select(users.active().c.id)
    return statement.where(SESSION.user_id.in_(active))


def began_at(address: str, user_id: int) -> bool:
    """Whether the account was signed in from there before; 0 stands for no account."""
    sessions = sa.select(SESSION.id)
    sessions = sessions.filter_by(user_id=user_id, address=address)
    result = read(sessions.limit(1))
    return result.first() is not None


def end(*which: sa.ColumnElement[bool]) -> bool:
    """End sessions; whether there was one to end."""
    live = sa.update(SESSIONS).where(SESSION.ended_at.is_(None))
    update = live.where(*which)
    update = update.values(ended_at=now())
    result = db.session.execute(update.returning(SESSION.id))
    ended = result.all()
    return bool(ended)
