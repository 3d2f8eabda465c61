"""Tickets: what is known of a sign-in between its two steps, for some minutes and a few tries."""

import datetime as dt
from hashlib import blake2b
from secrets import token_urlsafe
from typing import Any, NamedTuple

import sqlalchemy as sa

from taskapp.auth.models import SignInTicket
from taskapp.database.session import insert_or_raise, now, one_or_raise, read
from taskapp.errors import InvalidToken
from taskapp.extensions import db
from taskapp.schema import table

TICKETS = table(SignInTicket)
TICKET = TICKETS.c


class TicketEnded(InvalidToken):
    """This sign-in took too long or too many tries: begin it again."""


class Purpose(NamedTuple):
    """What tickets of a kind open, for how long, and how often one may be tried."""

    name: str
    lifetime: dt.timedelta
    tries: int


SECOND_FACTOR = Purpose("second factor", dt.timedelta(minutes=5), 5)
PROVIDER = Purpose("provider", dt.timedelta(minutes=5), 1)


def issue(purpose: Purpose, user_id: int, bound_to: str = "") -> str:
    """A new ticket; only its digest is kept. `bound_to` is a second secret that it needs."""
    ticket = token_urlsafe(32)
    values = {
        "digest": digest(ticket),
        "purpose": purpose.name,
        "user_id": user_id,
        "bound_to": digest(bound_to),
        "tries": 0,
        "expires_at": now() + purpose.lifetime,
    }
    insert = sa.insert(TICKETS).values(values)
    db.session.execute(insert)
    return ticket


def user_of(purpose: Purpose, ticket: str, bound_to: str = "") -> int:
    """Whose sign-in it is.

    Raises:
        TicketEnded
    """
    select = sa.select(TICKET.user_id)
    good = _good(select, purpose, ticket, bound_to)
    row = one_or_raise(read(good), TicketEnded)
    return int(row.user_id)


def count_try(purpose: Purpose, ticket: str, bound_to: str = "") -> None:
    """Use up one of its tries; of several at once each counts.

    Raises:
        TicketEnded
    """
    update = _good(sa.update(TICKETS), purpose, ticket, bound_to)
    update = update.values(tries=TICKET.tries + 1)
    result = db.session.execute(update.returning(TICKET.user_id))
    one_or_raise(result, TicketEnded)


def use_once(purpose: Purpose, ticket: str, user_id: int) -> None:
    """Remember a ticket that was kept elsewhere for longer than it is good.

    Raises:
        TicketEnded: It was used before.
    """
    values = {
        "digest": digest(ticket),
        "purpose": purpose.name,
        "user_id": user_id,
        "bound_to": "",
        "tries": purpose.tries,
        "expires_at": now() + purpose.lifetime,
    }
    insert = sa.insert(TICKETS).values(values)
    insert_or_raise(insert, TicketEnded)


def end(ticket: str) -> None:
    """A ticket opens once."""
    used = TICKET.digest == digest(ticket)
    db.session.execute(sa.delete(TICKETS).where(used))


def digest(secret: str) -> str:
    """What is stored of a ticket: 256 random bits need no slow hash."""
    hashed = blake2b(secret.encode(), digest_size=32, person=b"taskapp-ticket")
    return hashed.hexdigest()


def _good(statement: Any, purpose: Purpose, ticket: str, bound_to: str) -> Any:
    """The statement, about a ticket that can still be tried."""
    statement = statement.where(TICKET.digest == digest(ticket))
    statement = statement.where(TICKET.purpose == purpose.name)
    statement = statement.where(TICKET.bound_to == digest(bound_to))
    statement = statement.where(TICKET.tries < purpose.tries)
    return statement.where(TICKET.expires_at > now())
