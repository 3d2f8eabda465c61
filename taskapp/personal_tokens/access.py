"""Who is behind a personal token."""

from hashlib import blake2b

import sqlalchemy as sa

from taskapp.caller import ADMIN, SCOPES, Caller
from taskapp.database.session import now, read
from taskapp.errors import InvalidToken, NotFound, Refusal, TokenExpired, TokenRevoked
from taskapp.personal_tokens.models import PersonalToken
from taskapp.schema import table
from taskapp.users import access as users

PREFIX = "tsk_"  # of personal tokens, so that scanners of public code can tell them
TOKENS = table(PersonalToken)
_active = users.active()
_WITH_OWNER = TOKENS.outerjoin(_active, TOKENS.c.user_id == _active.c.id)
_BY_DIGEST = TOKENS.c.digest == sa.bindparam("digest")
_SHOWN = (*TOKENS.c, _active.c.role, _active.c.timezone)
_TOKEN = sa.select(*_SHOWN).select_from(_WITH_OWNER).where(_BY_DIGEST)


def caller_by(secret: str) -> Caller:
    """The caller behind a personal token.

    Raises:
        InvalidToken: There is no such token.
        TokenRevoked: It was ended, or its user is disabled.
        TokenExpired: Its time is over.
    """
    token = read(_TOKEN, {"digest": digest(secret)}).one_or_none()
    if token is None:
        raise InvalidToken
    if token.ended_at is not None or token.role is None:
        raise TokenRevoked
    if token.expires_at is not None and token.expires_at <= now():
        raise TokenExpired
    scopes = frozenset[str]()
    for scope in token.scopes:
        scopes |= SCOPES[scope]
    if token.role != ADMIN:
        scopes -= {ADMIN}
    return Caller(
        token.user_id,
        token.role,
        scopes,
        token.expires_at,
        token_id=token.id,
        timezone=token.timezone,
    )


def feed_owner(secret: str) -> Caller:
    """The owner of a `feed` token.

    Raises:
        NotFound: Whatever else the secret is, there is no such feed.
    """
    try:
        owner = caller_by(secret)
    except Refusal:
        raise NotFound from None
    if "feed" not in owner.scopes:
        raise NotFound
    return owner


def digest(secret: str) -> str:
    """What is stored of a personal token."""
    return blake2b(secret.encode(), digest_size=32, person=b"taskapp-token").hexdigest()
