"""What others may do with mail: pause it, and let it go on."""

from typing import Any

import sqlalchemy as sa

from taskapp.database.session import now
from taskapp.ledger.access import EVENTS
from taskapp.mail.models import Mail, MailedToken, Reader
from taskapp.schema import table

MAILS = table(Mail)
TOKENS = table(MailedToken)
READERS = table(Reader)
MAIL = "mail"  # the name of its reader
COURIER = "courier"  # the row that says when one had its last turn
_IS_IT = READERS.c.name == MAIL
_LAST = sa.func.max(EVENTS.c.id)
_PRESENT = sa.select(sa.func.coalesce(_LAST, 0)).scalar_subquery()


def pause_mail(connection: sa.Connection) -> int:
    """Send nothing more until the operator says so; returns how many mails are dropped.

    After a restore or a copy nobody is mailed by accident: the bookmark is at the present, what
    waited is gone, and no token of before opens anything.
    """
    waits = MAILS.c.status == "waiting"
    dropped = connection.execute(sa.delete(MAILS).where(waits))
    connection.execute(sa.delete(TOKENS))
    reader = sa.delete(READERS).where(_IS_IT)
    connection.execute(reader)
    _begin(connection, is_active=False)
    return dropped.rowcount


def resume_mail(connection: sa.Connection) -> bool:
    """Go on with what happens from now on; whether it was paused."""
    values = {"is_active": True, "event_id": _PRESENT}
    is_paused = READERS.c.is_active.is_(False)
    update = sa.update(READERS).where(_IS_IT, is_paused)
    resumed = connection.execute(update.values(values))
    return bool(resumed.rowcount)


def mail_reader() -> sa.Select[Any]:
    """The row of mail's reader; none where no courier has begun."""
    return sa.select(READERS).where(_IS_IT)


def start_mail(connection: sa.Connection) -> None:
    """A reader that begins with the next event, where there is none."""
    reader = sa.select(READERS.c.name).where(_IS_IT)
    if connection.scalar(reader) is None:
        _begin(connection, is_active=True)


def note_turn(connection: sa.Connection) -> None:
    """Write down that a courier is at work."""
    values = {"at": now()}
    is_courier = READERS.c.name == COURIER
    noted = connection.execute(sa.update(READERS).where(is_courier).values(values))
    if noted.rowcount == 0:
        row: dict[str, Any] = {"name": COURIER, "event_id": 0, "is_active": True, "attempts": 0}
        insert = sa.insert(READERS).values({**row, **values})
        connection.execute(insert)


def _begin(connection: sa.Connection, *, is_active: bool) -> None:
    row: dict[str, Any] = {"name": MAIL, "event_id": _PRESENT, "is_active": is_active}
    row |= {"at": now(), "attempts": 0, "failing_since": None}
    insert = sa.insert(READERS).values(row)
    connection.execute(insert)
