"""What can be done with one's own personal tokens."""

from collections.abc import Collection
from secrets import token_urlsafe

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
from taskapp.personal_tokens.models import PersonalToken
from taskapp.schema import table

TOKENS = table(PersonalToken)
SHOWN = [TOKENS.c[name] for name in ("id", "name", "scopes", "expires_at")]


class TokenNotFound(NotFound):
    """You have no such token."""


def list_tokens(user_id: int, query: Body) -> Page:
    mine = sa.select(*SHOWN).where(TOKENS.c.user_id == user_id, TOKENS.c.ended_at.is_(None))
    return page_by(mine, PersonalToken.id, **query)


def create_token(user_id: int, mintable_scopes: Collection[str], body: Body) -> Created:
    """Nobody mints a scope that the credential in use lacks; the secret is shown this once."""
    if not set(body["scopes"]) <= set(mintable_scopes):
        raise InsufficientScope
    at, secret = now(), access.PREFIX + token_urlsafe(32)  # 256 random bits need no slow hash
    if (ends := body.get("expires_at")) and ends <= at:
        raise Invalid.field("expires_at", "This time is over.")
    row = {**body, "user_id": user_id, "digest": access.digest(secret), "created_at": at}
    made = insert_or_raise(sa.insert(TOKENS).values(row).returning(*SHOWN), TokenRevoked).one()
    return Created(made, {"token": secret})


def get_token(user_id: int, token_id: int) -> Row:
    which = (TOKENS.c.id == token_id, TOKENS.c.user_id == user_id, TOKENS.c.ended_at.is_(None))
    return one_or_raise(read(sa.select(*SHOWN).where(*which)), TokenNotFound)


def end_token(user_id: int, token_id: int, precondition: Precondition) -> None:
    precondition(get_token(user_id, token_id))  # a token never changes, so no lock is needed
    db.session.execute(sa.update(TOKENS).where(TOKENS.c.id == token_id).values(ended_at=now()))
