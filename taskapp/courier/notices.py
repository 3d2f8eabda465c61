"""Mail's reader of events: who is to be mailed of reminders and assignments, and digests.

The mails are written in the transaction that moves the bookmark, so each event is read once. Their
texts are made when they are sent (`letters.py`, `notice_letters.py`).
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from taskapp.database.session import Body, Row, now, read, transaction
from taskapp.extensions import db
from taskapp.ledger.access import EVENTS, role_in
from taskapp.ledger.horizon import Horizon
from taskapp.mail.access import MAIL, READERS
from taskapp.mail.service import MAILS, is_set_up, queue
from taskapp.tasks.models import TASKS
from taskapp.users import notifications

EVENTS_AT_ONCE = 500
TASKS_OF_MAIL = 20  # that a mail of assignments names
_event = EVENTS.c
_IS_MAIL = READERS.c.name == MAIL
_READER = sa.select(READERS).where(_IS_MAIL, READERS.c.is_active)
_NAMES = ("id", "project_id", "revision", "task_id", "user_id", "kind")
# Of what has changed this alone: descriptions may be in it, long ones in all of 500 events.
_ASSIGNEES = _event.changes["assignee_id"].label("assignees")
_COLUMNS: sa.Select[Any] = sa.select(*(_event[name] for name in _NAMES), _ASSIGNEES)
_OWNERS = sa.select(TASKS.c.assignee_id, TASKS.c.created_by)


def read_all(horizon: Horizon) -> None:
    """Read every settled event past the bookmark; one query where there is none."""
    if not is_set_up():
        return
    newest = horizon.advance()
    reader = read(_READER).one_or_none()
    while reader is not None and reader.event_id < newest:
        reader = _read_some(newest)


def _read_some(newest: int) -> Row | None:
    """One piece, in one transaction; None where another courier is at it."""
    with transaction():
        reader = db.session.execute(_READER.with_for_update(skip_locked=True)).one_or_none()
        if reader is None:
            return None
        unread = sa.and_(_event.id > reader.event_id, _event.id <= newest)
        events = _COLUMNS.where(unread).order_by(_event.id).limit(EVENTS_AT_ONCE)
        rows = db.session.execute(events).all()
        for event in rows:
            if event.kind == "reminder":
                _remind(event)
        _assign(rows)
        bookmark = rows[-1].id if len(rows) == EVENTS_AT_ONCE else newest
        moved = sa.update(READERS).where(_IS_MAIL).values(event_id=bookmark, at=now())
        return db.session.execute(moved.returning(READERS)).one()


def _remind(event: Row) -> None:
    """Whose task it is; of one that nobody has, who made it."""
    is_it = TASKS.c.id == event.task_id
    task = db.session.execute(_OWNERS.where(is_it)).one_or_none()
    if task is None:
        return
    data = {"project_id": event.project_id, "task_id": event.task_id}
    user_id = task.assignee_id or task.created_by
    _notify(user_id, "reminder", event.project_id, f"reminder-{event.id}-{user_id}", data)


def _assign(events: Sequence[Row]) -> None:
    """One mail for all that one change of a project has assigned to somebody."""
    tasks: dict[tuple[int, int, int], list[int]] = {}
    for event in events:
        user_id = _assigned_to(event)
        if user_id is not None and user_id != event.user_id:
            place = (event.project_id, event.revision, user_id)
            tasks.setdefault(place, []).append(event.task_id)
    for (project_id, revision, user_id), task_ids in tasks.items():
        key = f"assigned-{project_id}-{revision}-{user_id}"
        data: Body = {"project_id": project_id, "task_ids": task_ids[:TASKS_OF_MAIL]}
        data["is_more"] = len(task_ids) > TASKS_OF_MAIL
        _notify(user_id, "assigned", project_id, key, data)


def _assigned_to(event: Row) -> int | None:
    if event.kind not in {"created", "updated", "moved"}:
        return None
    old_and_new = event.assignees or [None]
    user_id: int | None = old_and_new[-1]
    return user_id


def _notify(user_id: int, name: str, project_id: int, key: str, data: Body) -> None:
    """Write a mail, once for its key, to somebody who is in the project and wants it."""
    is_written = sa.select(MAILS.c.id).where(MAILS.c.key == key)
    if db.session.scalar(is_written) is not None:  # by an earlier piece of the same change
        return
    if role_in(project_id, user_id) is None:
        return
    user = notifications.wanting(user_id, name)
    if user is not None:
        queue(name, user.email, data, user_id=user_id, key=key)


def write_digests() -> None:
    """Write the digests that are due, each in a transaction of its own."""
    if not is_set_up() or read(_READER).first() is None:
        return
    while read(notifications.any_digest_due()).first() is not None:
        with transaction():
            taken = notifications.take_due_digest()
            if taken is None:  # another courier has it
                return
            user, is_in_time = taken
            moment = user.next_digest_at
            if is_in_time:
                key = f"digest-{user.id}-{moment:%Y%m%dT%H%M}"
                queue("digest", user.email, {}, user_id=user.id, key=key)
