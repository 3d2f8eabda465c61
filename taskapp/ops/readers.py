"""How the courier is doing: its last turn, and how far behind each reader of events is."""

import datetime as dt
from typing import NamedTuple

import sqlalchemy as sa

from taskapp.database.session import Row, now, read
from taskapp.extensions import settings
from taskapp.ledger.access import EVENTS
from taskapp.mail.access import COURIER, MAIL, READERS
from taskapp.mail.service import MAILS
from taskapp.tasks.models import TASKS
from taskapp.webhooks.service import WEBHOOKS

SHOWN = 100  # readers, those that are the most behind
_event = EVENTS.c
_hook = WEBHOOKS.c
_reader = READERS.c
_AT = sa.select(_event.at).order_by(_event.id).limit(1)
# Of webhooks
_OF_PROJECT = _event.project_id == _hook.project_id
_PAST_HOOK = _event.id > _hook.event_id
_FIRST_OF_HOOK = _AT.where(_OF_PROJECT, _PAST_HOOK).correlate(WEBHOOKS)
_UNREAD_BY_HOOK = _FIRST_OF_HOOK.scalar_subquery().label("unread_at")
_OLDEST_FIRST = _UNREAD_BY_HOOK.asc().nulls_last()
_HOOKS = sa.select(_hook.id, _hook.attempts, _UNREAD_BY_HOOK)
_LIVE_HOOKS = _HOOKS.where(_hook.is_active)
_WORST_HOOKS = _LIVE_HOOKS.order_by(_OLDEST_FIRST, _hook.id).limit(SHOWN)
_ANY_HOOK = sa.select(_hook.id).where(_hook.is_active).limit(1)
# Of mail
_PAST_MAIL = _event.id > _reader.event_id
_FIRST_OF_MAIL = _AT.where(_PAST_MAIL).correlate(READERS)
_UNREAD_BY_MAIL = _FIRST_OF_MAIL.scalar_subquery().label("unread_at")
_OLDEST = sa.func.min(MAILS.c.created_at)
_OLDEST_MAIL = sa.select(_OLDEST).where(MAILS.c.status == "waiting")
_WAITING = _OLDEST_MAIL.scalar_subquery().label("waiting_since")
_IS_MAIL = _reader.name == MAIL
_LIVE_MAIL = sa.select(_reader.attempts, _UNREAD_BY_MAIL, _WAITING)
_LIVE_MAIL = _LIVE_MAIL.where(_IS_MAIL, _reader.is_active)
_IS_COURIER = _reader.name == COURIER
_LAST_TURN = sa.select(_reader.at).where(_IS_COURIER)


class ReaderState(NamedTuple):
    """One reader: `lag` is the age of the oldest thing that it has not delivered, in seconds."""

    name: str
    lag: float
    failures: int  # since its last success


def last_turn() -> dt.datetime | None:
    """When a courier looked for work the last time, to some seconds; None if none ever did."""
    at: dt.datetime | None = read(_LAST_TURN).scalar_one_or_none()
    return at


def states() -> list[ReaderState]:
    """Mail, and the webhooks that are the most behind."""
    found = []
    if settings().smtp_url is not None:
        found += [_state_of_mail(row) for row in read(_LIVE_MAIL)]
    for row in read(_WORST_HOOKS):
        lag = _age(row.unread_at)
        state = ReaderState(f"webhook-{row.id}", lag, row.attempts)
        found.append(state)
    return found


def _state_of_mail(row: Row) -> ReaderState:
    """Behind by what it has not read, or has not sent."""
    unread = _age(row.unread_at)
    waiting = _age(row.waiting_since)
    return ReaderState(MAIL, max(unread, waiting), row.attempts)


def is_needed() -> bool:
    """Whether something waits for a courier: a webhook, mail, or a reminder that is due."""
    if settings().smtp_url is not None:
        return True
    if read(_ANY_HOOK).first() is not None:
        return True
    is_due = TASKS.c.next_reminder_at <= now()
    due = sa.select(TASKS.c.id).where(is_due)
    first = read(due.limit(1)).first()
    return first is not None


def _age(at: dt.datetime | None) -> float:
    if at is None:
        return 0.0
    age = now() - at
    return max(0.0, age.total_seconds())
