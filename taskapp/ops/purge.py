"""What nobody can ask for any more goes, in small transactions that hold up no writer."""

import datetime as dt
from collections.abc import Iterator

import click
import sqlalchemy as sa

from taskapp.attachments.service import sweep_store
from taskapp.auth.models import Session
from taskapp.extensions import db, now, settings, table
from taskapp.idempotency import KEPT, IdempotencyKey
from taskapp.ops.shared import shared
from taskapp.personal_tokens.models import PersonalToken
from taskapp.projects.models import Event
from taskapp.tasks.models import Task

BATCH = 1000  # rows a transaction
Purged = Session | PersonalToken | Event | IdempotencyKey


def purge() -> None:
    """Delete what is past its time; run it once a day."""
    for name, gone in _purged():
        click.echo(f"{gone} {name}")


def _purged() -> Iterator[tuple[str, int]]:
    """Ended sessions stay as long as events: their addresses are those the owner is known at."""
    before = now() - dt.timedelta(days=settings().changes_retention_days)
    unasked = IdempotencyKey.created_at < now() - KEPT
    yield "idempotency keys", _delete(IdempotencyKey, unasked)
    for model in (Session, PersonalToken):
        over = sa.or_(model.ended_at < before, model.expires_at < before)
        yield model.__tablename__.replace("_", " "), _delete(model, over)
    deleted = Event.task_id.is_not(None) & Event.task_id.not_in(sa.select(Task.id))
    yield "events of deleted tasks", _delete(Event, sa.and_(Event.at < before, deleted))
    yield "counters", shared().file.sweep()
    yield "files of attachments", sweep_store()


def _delete(model: type[Purged], which: sa.ColumnElement[bool]) -> int:
    """A batch at a time, by id, until there is none."""
    total, some = 0, sa.select(model.id).where(which).limit(BATCH)
    batch = sa.delete(table(model)).where(model.id.in_(some)).returning(model.id)
    while gone := len(db.session.execute(batch).all()):
        db.session.commit()
        total += gone
    db.session.rollback()
    return total
