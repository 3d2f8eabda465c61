"""What nobody can ask for any more goes, in small transactions that hold up no writer."""

import datetime as dt
from collections.abc import Iterator

import click
import sqlalchemy as sa

from taskapp.attachments.service import sweep_store
from taskapp.auth.models import Session
from taskapp.database.redis import shared
from taskapp.database.session import now
from taskapp.extensions import db, settings
from taskapp.ledger.models import Event
from taskapp.personal_tokens.models import PersonalToken
from taskapp.schema import table
from taskapp.tasks.models import Task
from taskapp.web.idempotency import KEPT, IdempotencyKey

BATCH = 1000  # rows a transaction


def purge() -> None:
    """Delete what is past its time; run it once a day."""
    for name, gone in _purged():
        click.echo(f"{gone} {name}")


def _purged() -> Iterator[tuple[str, int]]:
    """Ended sessions stay as long as events: their addresses are those the owner is known at."""
    before = now() - dt.timedelta(days=settings().changes_retention_days)
    unasked = IdempotencyKey.created_at < now() - KEPT
    yield "idempotency keys", _delete(table(IdempotencyKey), unasked)
    for rows in (table(Session), table(PersonalToken)):
        over = sa.or_(rows.c.ended_at < before, rows.c.expires_at < before)
        yield rows.name.replace("_", " "), _delete(rows, over)
    deleted = Event.task_id.is_not(None) & Event.task_id.not_in(sa.select(Task.id))
    yield "events of deleted tasks", _delete(table(Event), sa.and_(Event.at < before, deleted))
    yield "counters", shared().file.sweep()
    yield "files of attachments", sweep_store()


def _delete(rows: sa.Table, which: sa.ColumnElement[bool]) -> int:
    """A batch at a time, by id, until there is none."""
    total, some = 0, sa.select(rows.c.id).where(which).limit(BATCH)
    batch = sa.delete(rows).where(rows.c.id.in_(some)).returning(rows.c.id)
    while gone := len(db.session.execute(batch).all()):
        db.session.commit()
        total += gone
    db.session.rollback()
    return total
