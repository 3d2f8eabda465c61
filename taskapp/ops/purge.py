"""Delete what nobody can ask for any more, in small transactions that hold up no writer."""

import datetime as dt
from collections.abc import Iterator

import click
import sqlalchemy as sa

from taskapp.attachments.models import Attachment
from taskapp.attachments.service import sweep_store
from taskapp.auth.models import Session, SignInTicket
from taskapp.comments.models import Comment
from taskapp.database.quotas import recount
from taskapp.database.redis import shared
from taskapp.database.session import now
from taskapp.extensions import db, settings
from taskapp.ledger.events import TRIMMED
from taskapp.ledger.models import Event
from taskapp.mail.access import MAIL, READERS
from taskapp.mail.service import MAILS
from taskapp.mail.tokens import TOKENS
from taskapp.personal_tokens.models import PersonalToken
from taskapp.projects.models import Invitation
from taskapp.schema import table
from taskapp.tasks.models import Task
from taskapp.tasks.refolding import refold
from taskapp.web.idempotency import RETENTION, IdempotencyKey
from taskapp.webhooks.access import WEBHOOKS

ROWS_PER_TRANSACTION = 1000
EVENTS = table(Event)
INVITATIONS = table(Invitation)
KEYS = table(IdempotencyKey)
TASKS = table(Task)
TICKETS = table(SignInTicket)


def purge() -> None:
    """Delete what is past its time; run it once a day."""
    for name, deleted in _purge():
        click.echo(f"{deleted} {name}")


def _purge() -> Iterator[tuple[str, int]]:
    """Ended sessions are kept as long as events: the owner is known at their addresses."""
    retention = dt.timedelta(days=settings().changes_retention_days)
    before = now() - retention
    expired = KEYS.c.created_at < now() - RETENTION
    yield "idempotency keys", _delete(KEYS, expired)
    yield "tickets of sign-ins", _delete(TICKETS, TICKETS.c.expires_at < now())
    yield "mails", _delete(MAILS, MAILS.c.ended_at < before)
    yield "mailed tokens", _delete(TOKENS, TOKENS.c.expires_at < now())
    for rows in (table(Session), table(PersonalToken)):
        name = rows.name.replace("_", " ")
        over = sa.or_(rows.c.ended_at < before, rows.c.expires_at < before)
        yield name, _delete(rows, over)
    ended = INVITATIONS.c.expires_at < now()
    yield "invitations", _delete(INVITATIONS, ended)
    of_deleted_tasks = _of_deleted_tasks(before)
    yield "events of deleted tasks", _delete(EVENTS, of_deleted_tasks)
    for rows in (table(Comment), table(Attachment)):  # before that, their task can be restored
        cannot_come_back = _cannot_come_back(rows)
        yield f"{rows.name} of deleted tasks", _delete(rows, cannot_come_back)
    yield "old events of tasks", _trim_histories()
    yield "counters", shared().file.sweep()
    with db.engine.connect() as connection:
        yield "search words of tasks that an older version wrote", refold(connection)
    yield "files of attachments", sweep_store()
    yield "counts that were wrong", recount()


def _of_deleted_tasks(before: dt.datetime) -> sa.ColumnElement[bool]:
    existing = sa.select(TASKS.c.id)
    task_id = EVENTS.c.task_id
    is_old = sa.and_(EVENTS.c.at < before, ~_is_unread())
    return sa.and_(is_old, task_id.is_not(None), task_id.not_in(existing))


def _is_unread() -> sa.ColumnElement[bool]:
    """Events that a webhook that is on, or mail, has still to read, up to twice the retention."""
    of_project = WEBHOOKS.c.project_id == EVENTS.c.project_id
    past_webhook = WEBHOOKS.c.event_id < EVENTS.c.id
    by_webhook = sa.select(WEBHOOKS.c.id).where(WEBHOOKS.c.is_active, of_project, past_webhook)
    is_mail = READERS.c.name == MAIL
    past_mail = READERS.c.event_id < EVENTS.c.id
    by_mail = sa.select(READERS.c.name).where(READERS.c.is_active, is_mail, past_mail)
    is_unread = sa.or_(by_webhook.exists(), by_mail.exists())
    kept = dt.timedelta(days=2 * settings().changes_retention_days)
    since = now() - kept
    return sa.and_(is_unread, EVENTS.c.at >= since)


def _cannot_come_back(rows: sa.Table) -> sa.ColumnElement[bool]:
    """Their task is gone, and so is the event that it could be restored from."""
    existing = sa.select(TASKS.c.id)
    of_this_task = EVENTS.c.task_id == rows.c.task_id
    deletion = sa.select(EVENTS.c.id).where(of_this_task, EVENTS.c.kind == "deleted")
    is_gone = rows.c.task_id.not_in(existing)
    return sa.and_(is_gone, ~deletion.exists())


def _trim_histories() -> int:
    """Delete the older changes of long histories; the newest of them stays to say so."""
    old = _past_the_newest()
    newest = sa.func.max(old.c.id)
    last_of_each = sa.select(newest).group_by(old.c.task_id)
    says_so = EVENTS.c.id.in_(last_of_each)
    is_change = EVENTS.c.kind == "updated"
    mark = sa.update(EVENTS).where(says_so, is_change)
    mark = mark.values(kind=TRIMMED, changes={})
    db.session.execute(mark)
    db.session.commit()
    old_ids = sa.select(old.c.id)
    is_old = EVENTS.c.id.in_(old_ids)
    is_older = sa.and_(is_old, ~says_so)
    return _delete(EVENTS, is_older)


def _past_the_newest() -> sa.Subquery:
    """(id, task_id) of changes past a task's newest HISTORY_EVENTS_PER_TASK.

    What /changes needs is not among them.
    """
    most = settings().history_events_per_task
    task_id = EVENTS.c.task_id
    of_tasks = sa.select(task_id).where(task_id.is_not(None))
    long = of_tasks.group_by(task_id)
    long = long.having(sa.func.count() > most)
    newest_first = EVENTS.c.id.desc()
    place = sa.func.row_number().over(partition_by=task_id, order_by=newest_first)
    labelled = place.label("place")
    events = sa.select(EVENTS.c.id, task_id, EVENTS.c.kind, labelled)
    ranked = events.where(task_id.in_(long)).subquery()
    is_change = ranked.c.kind.in_(["updated", TRIMMED])
    is_past = ranked.c.place > most
    unread = sa.select(EVENTS.c.id).where(_is_unread())
    old = sa.select(ranked.c.id, ranked.c.task_id)
    old = old.where(is_past, is_change, ranked.c.id.not_in(unread))
    return old.subquery()


def _delete(rows: sa.Table, condition: sa.ColumnElement[bool]) -> int:
    """Delete in batches until there is none; returns how many."""
    (row_id,) = rows.primary_key.columns
    some = sa.select(row_id).where(condition).limit(ROWS_PER_TRANSACTION)
    batch = sa.delete(rows).where(row_id.in_(some)).returning(row_id)
    total = 0
    while True:
        ids = db.session.execute(batch).all()
        deleted = len(ids)
        db.session.commit()
        total += deleted
        if deleted == 0:
            return total
