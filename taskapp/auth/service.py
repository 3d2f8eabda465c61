"""Signing in and out; a session is a row, and each use of its refresh token replaces the token."""

import datetime as dt

import sqlalchemy as sa

from taskapp.auth import audit, sessions, tickets, tokens, totp
from taskapp.auth.models import Session
from taskapp.auth.sessions import SESSION, SESSIONS
from taskapp.caller import Caller
from taskapp.database.pages import Page, page_by
from taskapp.database.session import Body, Row, now, one_or_raise
from taskapp.errors import (
    NotFound,
    SecondFactorRequired,
    TokenExpired,
    TokenReused,
    TokenRevoked,
    WrongCredentials,
)
from taskapp.extensions import db
from taskapp.users import access as users
from taskapp.users import credentials, passwords, throttle
from taskapp.users.credentials import session_of

SHOWN = (
    SESSION.id,
    SESSION.user_agent,
    SESSION.created_at,
    SESSION.last_used_at,
    SESSION.expires_at,
)
# A refresh token that was just used is answered with the same successor: its answer may have been
# lost, or two tabs have asked at once.
SAME_SUCCESSOR = dt.timedelta(seconds=30)


class SessionNotFound(NotFound):
    """You have no such session."""


def login(body: Body, user_agent: str, address: str) -> Body:
    """Sign in with a password: begin a session.

    Raises:
        WrongCredentials: There is no such active account, or it has another password.
        SecondFactorRequired: The password is right; the ticket stays although it is refused.
        RateLimited: Too many sign-ins of this account, or from this address, have failed.
    """
    email = body["email"]
    user = users.with_email(email).one_or_none()
    key = users.email_key(email)
    user_id = 0 if user is None else user.id
    known_address = sessions.began_at(address, user_id)
    counters = throttle.of_sign_in(key, address, known_address=known_address)
    with throttle.throttled(counters):
        password_hash = None if user is None else user.password_hash
        matches = passwords.verify(body["password"], password_hash)
        if user is None or not matches or not user.is_active:
            account = audit.account_of(key, user)
            audit.note("sign-in refused", account)
            raise WrongCredentials
    renewed = passwords.renewed(body["password"], user.password_hash)
    locked = db.session.execute(users.unchanged(user))
    one_or_raise(locked, WrongCredentials)
    if renewed is not None:
        users.renew_hash(user, renewed)
    if totp.is_on(user.id):
        ticket = tickets.issue(tickets.SECOND_FACTOR, user.id)
        db.session.commit()
        raise SecondFactorRequired.with_ticket(ticket)
    session = sessions.begin(user.id, user_agent, address)
    audit.note("signed in", user.id, session=session.id)
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
    session = _with_successor(claims, at)
    if session is None:
        session = _with_same_successor(claims, at)
    return tokens.issue(session)


def _with_successor(claims: tokens.Claims, at: dt.datetime) -> Row | None:
    """The session with its next refresh token, if this one was not used before."""
    update = sessions.of_claims(claims, sa.update(SESSIONS))
    unused = update.where(SESSION.refresh_jti == claims.token_id, sessions.is_young(at))
    values = {
        "refresh_jti": sessions.new_token_id(),
        "previous_jti": claims.token_id,
        "last_used_at": at,
        "expires_at": sessions.expiry(at, began=at),
    }
    swap = unused.values(values)
    result = db.session.execute(swap.returning(SESSIONS))
    swapped: Row | None = result.one_or_none()
    return swapped and _ended_in_time(swapped, at)


def _ended_in_time(session: Row, at: dt.datetime) -> Row:
    """The session, which ends earlier where it would last longer than any may."""
    ends = sessions.expiry(at, began=session.created_at)
    if session.expires_at <= ends:
        return session
    update = sa.update(SESSIONS).where(SESSION.id == session.id)
    shorter = update.values(expires_at=ends).returning(SESSIONS)
    return db.session.execute(shorter).one()


def _with_same_successor(claims: tokens.Claims, at: dt.datetime) -> Row:
    """The session of a token that was used a moment ago.

    Raises:
        TokenRevoked, TokenReused
        TokenExpired: It was not used: the session has lasted as long as any may.
    """
    select = sessions.of_claims(claims, sa.select(SESSIONS))
    result = db.session.execute(select)
    session = one_or_raise(result, TokenRevoked)
    if session.refresh_jti == claims.token_id:
        raise TokenExpired
    is_previous = session.previous_jti == claims.token_id
    if is_previous and at - session.last_used_at <= SAME_SUCCESSOR:
        return session
    # The session ends although the request is refused: that is what the refusal is for.
    sessions.end(SESSION.id == claims.session_id)
    db.session.commit()
    audit.note("refresh token reused", claims.user_id, session=claims.session_id)
    raise TokenReused


def logout(caller: Caller | None) -> None:
    """End the session in use; without a caller it has ended already.

    Raises:
        Forbidden: The credential in use is a personal token.
    """
    if caller is not None:
        session_id = session_of(caller)
        sessions.end(SESSION.id == session_id)


def list_sessions(user_id: int, session_id: int | None, query: Body) -> Page:
    is_in_use = SESSION.id == session_id
    own = sa.select(*SHOWN, is_in_use.label("current"))
    own = own.where(SESSION.user_id == user_id)
    own = own.where(SESSION.ended_at.is_(None))
    live = own.where(SESSION.expires_at > now())
    return page_by(live, Session.id, **query)


def end_session(caller: Caller, session_id: int) -> None:
    """Raises SessionNotFound, Forbidden."""
    session_of(caller)
    is_own = SESSION.user_id == caller.user_id
    if not sessions.end(SESSION.id == session_id, is_own):
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
        Invalid: The new password is guessable, or the old one is missing.
    """
    counters = throttle.of_session(session_of(caller))
    throttle.refuse_if_exhausted(counters)
    password = body["new_password"]
    hashed = users.hash_new_password(caller.user_id, "new_password", password)
    doubt = users.doubt(caller, body.get("current_password"))
    return {"doubt": doubt, "password_hash": hashed, "end_tokens": body["end_tokens"]}


def change_password(caller: Caller, prepared: Body) -> None:
    """All other sessions end: whoever knew the old password is out.

    Of two sessions that change it at once one does; it has ended the other.

    Raises:
        Forbidden, TokenRevoked, WrongCredentials, RateLimited
    """
    session_id = session_of(caller)
    users.lock_session(caller)
    counters = throttle.of_session(session_id)
    with throttle.throttled(counters):
        if prepared["doubt"] is not None:
            raise prepared["doubt"]
    users.set_password(caller.user_id, prepared["password_hash"])
    credentials.end_sessions(caller.user_id, session_id)
    if prepared["end_tokens"]:
        credentials.end_tokens(caller.user_id)
    audit.note("password changed", caller.user_id, session=session_id)


def sign_out(user_id: int, *, end_tokens: bool) -> None:
    """By the operator: every session of a user ends."""
    credentials.end_sessions(user_id)
    if end_tokens:
        credentials.end_tokens(user_id)


def reset_password(user_id: int, password: str, *, end_tokens: bool) -> None:
    """By the operator: no questions asked, and every session ends."""
    hashed = users.hash_new_password(user_id, "password", password)
    users.set_password(user_id, hashed)
    sign_out(user_id, end_tokens=end_tokens)
