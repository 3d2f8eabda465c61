"""Signing in and out; a session is a row, and each use of its refresh token replaces the token."""

import datetime as dt
import logging
from hashlib import blake2b
from secrets import token_hex
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from taskapp.auth import tokens
from taskapp.auth.models import Session
from taskapp.caller import Caller
from taskapp.database.pages import Page, page_by
from taskapp.database.session import Body, Row, now, one_or_raise, read
from taskapp.errors import NotFound, TokenReused, TokenRevoked, WrongCredentials
from taskapp.extensions import db, settings
from taskapp.schema import table
from taskapp.users import access as users
from taskapp.users import credentials, passwords, throttle
from taskapp.users.credentials import session_of

SESSIONS = table(Session)
SHOWN = (
    SESSIONS.c.id,
    SESSIONS.c.user_agent,
    SESSIONS.c.created_at,
    SESSIONS.c.last_used_at,
    SESSIONS.c.expires_at,
)
# A refresh token that was just used is answered with the same successor: its answer may have been
# lost, or two tabs have asked at once.
SAME_SUCCESSOR = dt.timedelta(seconds=30)
log = logging.getLogger(__name__)


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
    counters = throttle.of_sign_in(key, address, known_address=known_address)
    with throttle.throttled(counters):
        matches = passwords.verify(body["password"], user.password_hash if user else None)
        if user is None or not matches or not user.is_active:
            _log("sign-in refused", _named_in_logs(key, user))
            raise WrongCredentials
    one_or_raise(db.session.execute(users.unchanged(user)), WrongCredentials)
    session = _begin_session(user.id, user_agent, address)
    _log("signed in", user.id, session=session.id)
    return tokens.issue(session)


def refresh(refresh_token: str) -> Body:
    """Swap a refresh token for a new pair.

    Of many at once one makes the successor, and the rest are answered with the same one.

    Raises:
        InvalidToken, TokenExpired
        TokenRevoked: The session has ended, or its user may not sign in.
        TokenReused: It was used before; the session ends.
    """
    claims = tokens.check(refresh_token, "refresh")
    at = now()
    unused = _live(claims, sa.update(SESSIONS)).where(SESSIONS.c.refresh_jti == claims.token_id)
    values = {
        "refresh_jti": uuid4().hex,
        "previous_jti": claims.token_id,
        "last_used_at": at,
        "expires_at": _session_end(at),
    }
    swapped = db.session.execute(unused.values(values).returning(SESSIONS))
    session = swapped.one_or_none()
    if session is not None:
        return tokens.issue(session)
    result = db.session.execute(_live(claims, sa.select(SESSIONS)))
    session = one_or_raise(result, TokenRevoked)
    is_previous = session.previous_jti == claims.token_id
    if is_previous and at - session.last_used_at <= SAME_SUCCESSOR:
        return tokens.issue(session)
    # The session ends although the request is refused: that is what the refusal is for.
    _end(SESSIONS.c.id == claims.session_id)
    db.session.commit()
    _log("refresh token reused", claims.user_id, session=claims.session_id)
    raise TokenReused


def logout(caller: Caller | None) -> None:
    """End the session in use; without a caller it has ended already.

    Raises:
        Forbidden: The credential in use is a personal token.
    """
    if caller is not None:
        _end(SESSIONS.c.id == session_of(caller))


def list_sessions(user_id: int, session_id: int | None, query: Body) -> Page:
    in_use = (SESSIONS.c.id == session_id).label("current")
    sessions = sa.select(*SHOWN, in_use)
    sessions = sessions.where(SESSIONS.c.user_id == user_id)
    live = sessions.where(SESSIONS.c.ended_at.is_(None), SESSIONS.c.expires_at > now())
    return page_by(live, Session.id, **query)


def end_session(caller: Caller, session_id: int) -> None:
    """Raises SessionNotFound, Forbidden."""
    session_of(caller)
    if not _end(SESSIONS.c.id == session_id, SESSIONS.c.user_id == caller.user_id):
        raise SessionNotFound


def end_sessions(caller: Caller) -> None:
    """Raises Forbidden."""
    session_of(caller)
    credentials.end_sessions(caller.user_id)


def prepare_password_change(caller: Caller, body: Body) -> Body:
    """Check the old password and hash the new one, before any transaction.

    Whether the old one is right is said later: a retry with the same Idempotency-Key is answered
    as the first try was, after which the old password is wrong.

    Raises:
        Forbidden, RateLimited
        Invalid: The new password is guessable.
    """
    throttle.refuse_if_exhausted(throttle.of_session(session_of(caller)))
    hashed = users.hash_new_password(caller.user_id, "new_password", body["new_password"])
    return {
        "is_right": users.has_password(caller.user_id, body["current_password"]),
        "password_hash": hashed,
        "end_tokens": body["end_tokens"],
    }


def change_password(caller: Caller, prepared: Body) -> None:
    """All other sessions end: whoever knew the old password is out.

    Raises:
        WrongCredentials
    """
    session_id = session_of(caller)
    with throttle.throttled(throttle.of_session(session_id)):
        if not prepared["is_right"]:
            raise users.WrongPassword
    users.set_password(caller.user_id, prepared["password_hash"])
    credentials.end_sessions(caller.user_id, session_id)
    if prepared["end_tokens"]:
        credentials.end_tokens(caller.user_id)
    _log("password changed", caller.user_id, session=session_id)


def reset_password(user_id: int, password: str, *, end_tokens: bool) -> None:
    """By the operator: no questions asked, and every session ends."""
    hashed = users.hash_new_password(user_id, "password", password)
    users.set_password(user_id, hashed)
    credentials.end_sessions(user_id)
    if end_tokens:
        credentials.end_tokens(user_id)


def _begin_session(user_id: int, user_agent: str, address: str) -> Row:
    at = now()
    values = {
        "user_id": user_id,
        "nonce": token_hex(8),
        "refresh_jti": uuid4().hex,
        "user_agent": user_agent,
        "address": address,
        "created_at": at,
        "last_used_at": at,
        "expires_at": _session_end(at),
    }
    inserted = sa.insert(SESSIONS).values(values)
    return db.session.execute(inserted.returning(SESSIONS)).one()


def _live(claims: tokens.Claims, statement: Any) -> Any:
    """The statement, about the session of a token whose user may sign in."""
    statement = statement.where(SESSIONS.c.id == claims.session_id)
    statement = statement.where(SESSIONS.c.nonce == claims.nonce, SESSIONS.c.ended_at.is_(None))
    return statement.where(SESSIONS.c.user_id.in_(sa.select(users.active().c.id)))


def _began_at(address: str, user: Row | None) -> bool:
    """Whether the account was signed in from there before; the same work where there is none."""
    user_id = 0 if user is None else user.id
    sessions = sa.select(SESSIONS.c.id).filter_by(user_id=user_id, address=address)
    first = read(sessions.limit(1)).first()
    return first is not None


def _session_end(at: dt.datetime) -> dt.datetime:
    lifetime = dt.timedelta(days=settings().session_days)
    return at + lifetime


def _end(*which: sa.ColumnElement[bool]) -> bool:
    """Whether there was one to end."""
    live = sa.update(SESSIONS).where(SESSIONS.c.ended_at.is_(None), *which)
    ended = live.values(ended_at=now())
    result = db.session.execute(ended.returning(SESSIONS.c.id))
    return bool(result.all())


def _log(event: str, account: int | str, **fields: int) -> None:
    log.info(event, extra={"fields": {"account": account, **fields}})


def _named_in_logs(email_key: str, user: Row | None) -> int | str:
    """The id of an account, or a keyed digest that tells tries of the same address apart."""
    if user is not None:
        return int(user.id)
    key = settings().secret_key.encode()[:64]
    return blake2b(email_key.encode(), key=key, digest_size=8).hexdigest()
