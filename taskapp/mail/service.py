"""Mails as rows: written in the transaction of what they are about, and sent by the courier."""

import datetime as dt
from hashlib import blake2b
from secrets import token_hex

import sqlalchemy as sa
from limits import parse

from taskapp.database.session import Body, now
from taskapp.errors import NotFound
from taskapp.extensions import db, limiter, settings
from taskapp.mail.models import Mail
from taskapp.schema import table

MAILS = table(Mail)
PER_ADDRESS = parse("3/hour")
PER_SENDER = parse("60/hour")
LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class NoMail(NotFound):
    """This service sends no mail: SMTP_URL is not set."""


def is_set_up() -> bool:
    return settings().smtp_url is not None


def require_mail() -> None:
    """Raises NoMail."""
    if not is_set_up():
        raise NoMail


def queue(
    kind: str, address: str, data: Body, *, user_id: int | None = None, key: str = ""
) -> None:
    """Write a mail into the transaction; nothing where no mail is set up.

    `data` is what its text is made of when it is sent (`courier/letters.py`); a kind that is not
    known there has its `subject` and `text` in it. `key` names the mail for good, so that its
    second copy is recognisable; a mail that nothing names gets a random one.
    """
    if not is_set_up():
        return
    at = now()
    row: Body = {"kind": kind, "user_id": user_id, "address": address, "data": data}
    row |= {"status": "waiting", "attempts": 0, "next_at": at, "created_at": at}
    row["key"] = key or token_hex(16)
    row["leased_until"] = LONG_AGO
    insert = sa.insert(MAILS).values(row)
    db.session.execute(insert)


def within_rate(address: str, sender_id: int | None = None) -> bool:
    """Count a mail that somebody else may have caused: three an hour for an address.

    And sixty for an account that causes them, to whatever addresses: accounts are free.
    """
    if not limiter.enabled:
        return True
    if sender_id is not None:
        sender = str(sender_id)
        if not limiter.limiter.hit(PER_SENDER, "mail by", sender):
            return False
    mailbox = address.casefold().encode()
    digest = blake2b(mailbox, digest_size=16).hexdigest()
    is_within: bool = limiter.limiter.hit(PER_ADDRESS, "mail", digest)
    return is_within
