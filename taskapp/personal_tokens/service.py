"""What can be done with one's own personal tokens."""

import logging
from secrets import token_urlsafe
from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import Created, Page, page_by
from taskapp.database.quotas import TOKENS_OF_USER, give_back, take
from taskapp.database.session import Body, Precondition, Row, now, one_or_raise, read
from taskapp.errors import InsufficientScope, Invalid, NotFound, QuotaExceeded
from taskapp.extensions import db
from taskapp.personal_tokens import access
from taskapp.personal_tokens.access import TOKENS
from taskapp.personal_tokens.models import PersonalToken
from taskapp.users.access import lock_session
from taskapp.users.credentials import session_of

log = logging.getLogger(__name__)
SHOWN = (TOKENS.c.id, TOKENS.c.name, TOKENS.c.scopes, TOKENS.c.expires_at)


class TokenNotFound(NotFound):
    """You have no such token."""


def list_tokens(user_id: int, query: Body) -> Page:
    return page_by(_live(user_id), PersonalToken.id, **query)


def create_token(caller: Caller, body: Body) -> Created:
    """Only a session makes tokens, with scopes of its own; the secret is shown this once.

    Raises:
        Forbidden: The credential in use is a personal token.
        InsufficientScope
        Invalid: `expires_at` has passed.
        TokenRevoked: The session has ended meanwhile.
        QuotaExceeded
    """
    lock_session(caller)
    if not set(body["scopes"]) <= caller.scopes | {"feed"}:
        raise InsufficientScope
    at = now()
    ends = body.get("expires_at")
    if ends is not None and ends <= at:
        raise Invalid.field("expires_at", "This must be in the future.")
    secret = access.PREFIX + token_urlsafe(32)  # 256 random bits need no slow hash
    digest = access.digest(secret)
    values = {**body, "user_id": caller.user_id, "digest": digest, "created_at": at}
    inserted = sa.insert(TOKENS).values(values)
    result = db.session.execute(inserted.returning(*SHOWN))
    token = result.one()
    _count(caller.user_id)
    _log("token created", caller, token.id)
    return Created(token, {"token": secret})


def _count(user_id: int) -> None:
    """Where there is no room, those go first whose time is over.

    Raises:
        QuotaExceeded
    """
    try:
        take(TOKENS_OF_USER, user_id)
    except QuotaExceeded:
        at = now()
        live = sa.update(TOKENS).where(TOKENS.c.user_id == user_id, TOKENS.c.ended_at.is_(None))
        over = live.where(TOKENS.c.expires_at <= at).values(ended_at=at)
        ended = db.session.execute(over.returning(TOKENS.c.id)).all()
        if not ended:
            raise
        give_back(TOKENS_OF_USER, user_id, len(ended))
        take(TOKENS_OF_USER, user_id)


def get_token(user_id: int, token_id: int) -> Row:
    """Raises TokenNotFound."""
    token = _live(user_id).where(TOKENS.c.id == token_id)
    result = read(token)
    return one_or_raise(result, TokenNotFound)


def end_token(caller: Caller, token_id: int, precondition: Precondition) -> None:
    """A session ends any token of its user; a token ends itself.

    Raises:
        TokenNotFound: There is none, or it was ended meanwhile.
        StaleRevision
        Forbidden: The credential in use is another personal token.
    """
    token = get_token(caller.user_id, token_id)
    if caller.token_id != token_id:
        session_of(caller)
    precondition(token)  # a token never changes, so no lock is needed
    give_back(TOKENS_OF_USER, caller.user_id)  # first: it locks the user
    live = sa.update(TOKENS).filter_by(id=token_id, ended_at=None)
    update = live.values(ended_at=now())
    update = update.returning(TOKENS.c.id)
    ended = db.session.execute(update)
    one_or_raise(ended, TokenNotFound)
    _log("token ended", caller, token_id)


def _log(event: str, caller: Caller, token_id: int) -> None:
    log.info(event, extra={"fields": {"account": caller.user_id, "token": token_id}})


def _live(user_id: int) -> sa.Select[Any]:
    tokens = sa.select(*SHOWN)
    tokens = tokens.where(TOKENS.c.user_id == user_id)
    return tokens.where(TOKENS.c.ended_at.is_(None))
