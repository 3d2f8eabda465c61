"""Tokens that prove who reads an address: mailed, stored as a digest, good once and for a while."""

import datetime as dt
from hashlib import sha256
from secrets import token_urlsafe

import sqlalchemy as sa

from taskapp.database.session import Body, Row, now, one_or_raise, read
from taskapp.errors import InvalidToken
from taskapp.extensions import db
from taskapp.mail.models import MailedToken
from taskapp.schema import table

TOKENS = table(MailedToken)
RESET, VERIFICATION = "password-reset", "email-verification"
LIFETIMES = {RESET: dt.timedelta(hours=1), VERIFICATION: dt.timedelta(days=1)}


def issue(purpose: str, user_id: int, mailbox: str) -> str:
    """A new token for a mailbox (`mailbox_key`); it lasts from now, when it is mailed."""
    token = token_urlsafe(32)
    at = now()
    row: Body = {"purpose": purpose, "user_id": user_id, "created_at": at}
    row["digest"] = _digest(token)
    row["email_key"] = mailbox
    row["expires_at"] = at + LIFETIMES[purpose]
    db.session.execute(sa.insert(TOKENS).values(row))
    return token


def holder(purpose: str, token: str) -> int:
    """The id of the user to whom the token was mailed; it stays good.

    Raises:
        InvalidToken
    """
    is_good = _is_good(purpose, token)
    good = sa.select(TOKENS.c.user_id).where(is_good)
    row = one_or_raise(read(good), InvalidToken)
    return int(row.user_id)


def redeem(purpose: str, token: str) -> Row:
    """Use it up, and every other one of its user and purpose: `(user_id, email_key)`.

    Raises:
        InvalidToken: There is no such token, or it was used, or has run out.
    """
    is_good = _is_good(purpose, token)
    used = sa.delete(TOKENS).where(is_good)
    result = db.session.execute(used.returning(TOKENS.c.user_id, TOKENS.c.email_key))
    row = one_or_raise(result, InvalidToken)
    others = sa.delete(TOKENS).filter_by(user_id=row.user_id, purpose=purpose)
    db.session.execute(others)
    return row


def forget(user_id: int) -> None:
    """The address to which they were mailed is the user's no more."""
    tokens = sa.delete(TOKENS).where(TOKENS.c.user_id == user_id)
    db.session.execute(tokens)


def _is_good(purpose: str, token: str) -> sa.ColumnElement[bool]:
    is_it = TOKENS.c.digest == _digest(token)
    lasts = TOKENS.c.expires_at > now()
    return sa.and_(is_it, lasts, TOKENS.c.purpose == purpose)


def _digest(token: str) -> str:
    text = token.encode()
    return sha256(text).hexdigest()
