"""What can be done with one's own personal tokens."""

from collections.abc import Collection
from secrets import token_urlsafe
from typing import Any

import sqlalchemy as sa

from taskapp.database.pages import Created, Page, page_by
from taskapp.database.session import (
    Body,
    Precondition,
    Row,
    insert_or_raise,
    now,
    one_or_raise,
    read,
)
from taskapp.errors import InsufficientScope, Invalid, NotFound, TokenRevoked
from taskapp.extensions import db
from taskapp.personal_tokens import access
from taskapp.personal_tokens.access import TOKENS
from taskapp.personal_tokens.models import PersonalToken

SHOWN = (TOKENS.c.id, TOKENS.c.name, TOKENS.c.scopes, TOKENS.c.expires_at)


class TokenNotFound(NotFound):
    """You have no such token."""


def list_tokens(user_id: int, query: Body) -> Page:
    return page_by(_live(user_id), PersonalToken.id, **query)


def create_token(user_id: int, mintable_scopes: Collection[str], body: Body) -> Created:
    """Nobody mints a scope that the credential in use lacks; the secret is shown this once.

    Raises:
        InsufficientScope
        Invalid: `expires_at` has passed.
        TokenRevoked: The user was deleted meanwhile.
    """
    if not set(body["scopes"]) <= set(mintable_scopes):
        raise InsufficientScope
    at = now()
    ends = body.get("expires_at")
    if ends is not None and ends <= at:
        raise Invalid.field("expires_at", "This time is over.")
    secret = access.PREFIX + token_urlsafe(32)  # 256 random bits need no slow hash
    digest = access.digest(secret)
    values = {**body, "user_id": user_id, "digest": digest, "created_at": at}
    inserted = sa.insert(TOKENS).values(values)
    result = insert_or_raise(inserted.returning(*SHOWN), TokenRevoked)
    return Created(result.one(), {"token": secret})


def get_token(user_id: int, token_id: int) -> Row:
    """Raises TokenNotFound."""
    token = _live(user_id).where(TOKENS.c.id == token_id)
    result = read(token)
    return one_or_raise(result, TokenNotFound)


def end_token(user_id: int, token_id: int, precondition: Precondition) -> None:
    """Raises TokenNotFound, StaleRevision."""
    token = get_token(user_id, token_id)
    precondition(token)  # a token never changes, so no lock is needed
    update = sa.update(TOKENS).where(TOKENS.c.id == token_id)
    update = update.values(ended_at=now())
    db.session.execute(update)


def _live(user_id: int) -> sa.Select[Any]:
    tokens = sa.select(*SHOWN)
    tokens = tokens.where(TOKENS.c.user_id == user_id)
    return tokens.where(TOKENS.c.ended_at.is_(None))
