"""Reminders: at each, the courier records one event.

A reminder is a moment, or a time before the task is due. `pending_reminders` holds those that are
still to come; `next_reminder_at` is the first of them, which an index finds.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from taskapp.database.session import Body, now, transaction
from taskapp.extensions import db
from taskapp.ledger import revisions
from taskapp.tasks.due import Fault, to_utc
from taskapp.tasks.models import OPEN, TASK, TASKS

MORNING = dt.time(9)  # a reminder before a day counts from this hour of it
DURATION = re.compile(
    r"(?a)-?P(?:(?P<weeks>\d{1,2})W|(?:(?P<days>\d{1,3})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,4})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,8})S)?)?)"
)
LONGEST = dt.timedelta(days=366)
# The users' room is above this one: only their time zones are read, by table name.
USERS = sa.table("users", sa.column("id"), sa.column("timezone"))
_BY_ID = TASK.id == sa.bindparam("task_id")
_UPDATE = sa.update(TASKS).where(_BY_ID)
_PENDING = sa.select(TASK.id, TASK.pending_reminders).order_by(TASK.next_reminder_at, TASK.id)


def before_due(text: str) -> dt.timedelta | None:
    """How long before the due date, from an ISO 8601 duration (`-PT1H`); None for other text.

    Raises:
        ValueError: It is after the task is due, or longer than 366 days before.
    """
    match = DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    parts = match.groupdict(default="0")
    length = dt.timedelta(**{name: int(number) for name, number in parts.items()})
    if length > LONGEST:
        raise ValueError("A reminder comes at most 366 days before the task is due.")
    if length and not text.startswith("-"):
        raise ValueError("A reminder comes before the task is due: -PT1H is an hour before.")
    return length


def faults(before: Mapping[Any, Any], body: Body) -> Iterator[Fault]:
    """What is wrong with reminders before a due date that the task would not have."""
    task = {"due_at": None, "due_on": None, "reminders": [], **before, **body}
    if task["due_at"] is not None or task["due_on"] is not None:
        return
    for number, text in enumerate(task["reminders"]):
        if before_due(text) is not None:
            yield f"reminders/{number}", "A reminder before the due date needs due_at or due_on."


def columns(task: Mapping[Any, Any], before: Mapping[Any, Any], pending: list[str]) -> Body:
    """The columns of what is still to come for `task`, which was `before`, with `pending` left.

    A reminder at a moment that has passed fires once if it is new; one before the due date that has
    passed does not. A task that is done fires none, and reopening it brings none back.
    """
    if task["status"] not in OPEN:
        return _columns_of([])
    moment = now()
    former = before.get("reminders", ())
    coming = []
    for text, at in _moments(task):
        is_new = text not in former and before_due(text) is None
        if at > moment or is_new or _text(at) in pending:
            coming.append(at)
    return _columns_of(coming)


def fire_due(moment: dt.datetime, limit: int) -> int:
    """Record an event for each reminder that is due by this moment; returns how many tasks had one.

    Each project is one transaction under its lock, so several processes can do this at once, and
    if one is killed the next call does what it left.
    """
    is_due = TASK.next_reminder_at <= moment
    due = sa.select(TASK.project_id).where(is_due)
    first = due.order_by(TASK.next_reminder_at).limit(limit)
    with transaction():
        project_ids = set(db.session.scalars(first))
    fired = 0
    for project_id in sorted(project_ids):
        with transaction():
            fired += _fire_in(project_id, moment, limit - fired)
    return fired


def _fire_in(project_id: int, moment: dt.datetime, limit: int) -> int:
    lock = revisions.lock_for_operator(project_id)
    if lock is None:  # the project was deleted meanwhile
        return 0
    in_project = TASK.project_id == project_id
    is_due = TASK.next_reminder_at <= moment
    due = _PENDING.where(in_project, is_due).limit(limit)
    tasks = db.session.execute(due).all()
    for task in tasks:
        pending = [dt.datetime.fromisoformat(text) for text in task.pending_reminders]
        now_due = [at for at in pending if at <= moment]
        later = [at for at in pending if at > moment]
        values = {"task_id": task.id, **_columns_of(later)}
        db.session.execute(_UPDATE, values)
        for at in now_due:
            revision = lock.advance()
            revisions.record(revision, "reminder", [task.id], reminder=[None, at])
    return len(tasks)


def _columns_of(moments: list[dt.datetime]) -> Body:
    coming = sorted(set(moments))
    texts = [_text(at) for at in coming]
    following = coming[0] if coming else None
    return {"pending_reminders": texts, "next_reminder_at": following}


def _moments(task: Mapping[Any, Any]) -> Iterator[tuple[str, dt.datetime]]:
    """Each reminder of a task, and its moment."""
    for text in task["reminders"]:
        length = before_due(text)
        if length is None:
            yield text, dt.datetime.fromisoformat(text)
        elif task["due_at"] is not None:
            yield text, task["due_at"] - length
        elif task["due_on"] is not None:
            zone = _zone_of(task["assignee_id"] or task["created_by"])
            morning = dt.datetime.combine(task["due_on"], MORNING)
            yield text, to_utc(morning, zone) - length


def _zone_of(user_id: int | None) -> ZoneInfo:
    """The time zone of a user, read once in a transaction; UTC if the user was deleted."""
    zones: dict[int | None, ZoneInfo] = db.session.info.setdefault("zones", {})
    if user_id not in zones:
        is_theirs = USERS.c.id == user_id
        timezone = db.session.scalar(sa.select(USERS.c.timezone).where(is_theirs))
        zones[user_id] = ZoneInfo(timezone or "UTC")
    return zones[user_id]


def _text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat()
