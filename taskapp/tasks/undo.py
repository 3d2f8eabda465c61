"""Undo a delete: create the tasks again from their `deleted` events, with their old ids.

Comments and attachments stay in the database until `flask purge`, so they come back as well.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import Octets
from taskapp.database.session import Body, Row, now
from taskapp.errors import Conflict
from taskapp.extensions import db, settings
from taskapp.ledger import access, events, revisions
from taskapp.ledger.access import EVENTS
from taskapp.ledger.revisions import Lock, Revision
from taskapp.tasks.access import TaskNotFound
from taskapp.tasks.models import SHOWN, TASK, TASK_IDS, TASKS
from taskapp.tasks.query import chunks, short_chunks
from taskapp.tasks.rows import insert_labels, new_row
from taskapp.tasks.writes import ExternalIdTaken

INSTANTS = {"due_at", "created_at", "completed_at"}
_IS_DELETION = EVENTS.c.kind == "deleted"
_PARENT_ID, _EXTERNAL_ID = EVENTS.c.changes["parent_id"], EVENTS.c.changes["external_id"]
_HEADS = sa.select(
    *(EVENTS.c.id, EVENTS.c.task_id, Octets(EVENTS.c.changes).label("length")),
    *(_PARENT_ID.label("parent_ids"), _EXTERNAL_ID.label("external_ids")),
)
_CHANGES = sa.select(EVENTS.c.id, EVENTS.c.task_id, EVENTS.c.changes)


class Deleted(NamedTuple):
    """What decides whether and where a deleted task comes back; the rest is in its event."""

    event_id: int
    task_id: int
    parent_id: int | None
    external_id: str | None
    length: int  # bytes of the event


class NotDeleted(Conflict):
    """This task is not deleted."""


class ParentGone(Conflict):
    """The parent of this task was deleted: restore that first."""


def restore_task(caller: Caller, task_id: int) -> Row:
    """Bring a deleted task back, with what was below it, under the next revision.

    Raises:
        TaskNotFound: The caller never saw it, or it was deleted too long ago.
        Forbidden: The caller may not change tasks of its project.
        NotDeleted, ParentGone, ExternalIdTaken
    """
    project_id = _project_of(caller, task_id)
    lock = revisions.lock_project(caller, project_id)
    deletion = _deletion_of(caller, task_id)
    if deletion is None or _project_of_live(task_id) is not None:
        raise NotDeleted
    if deletion.project_id != project_id:  # it was there, and left, before the lock was held
        raise NotDeleted
    oldest = now() - dt.timedelta(days=settings().changes_retention_days)
    if deletion.at < oldest or "title" not in deletion.changes:
        raise TaskNotFound
    tasks = _tree(task_id, _deleted_together(deletion))
    _check(lock, tasks)
    _insert(lock, tasks)
    restored = SHOWN.where(TASK.id == task_id)
    return db.session.execute(restored).one()


def _project_of(caller: Caller, task_id: int) -> int:
    """The project that a task is in, or from which it was deleted.

    Raises:
        TaskNotFound: The caller sees no such task, deleted or not.
    """
    live = _project_of_live(task_id)
    if live is not None:
        if access.role_in(live, caller.user_id) is None:
            raise TaskNotFound
        return live
    deletion = _deletion_of(caller, task_id)
    if deletion is None:
        raise TaskNotFound
    return int(deletion.project_id)


def _deletion_of(caller: Caller, task_id: int) -> Row | None:
    deletion = events.last_deletion(task_id, caller.user_id)
    return db.session.execute(deletion).one_or_none()


def _project_of_live(task_id: int) -> int | None:
    project_id = sa.select(TASK.project_id).where(TASK.id == task_id)
    return db.session.scalar(project_id)


def _deleted_together(deletion: Row) -> list[Deleted]:
    """The tasks that were deleted in the same revision, without what may be long of them."""
    in_project = EVENTS.c.project_id == deletion.project_id
    by_revision = EVENTS.c.revision == deletion.revision
    heads = _HEADS.where(_IS_DELETION, in_project, by_revision)
    tasks = []
    for event in db.session.execute(heads):
        parent_id, external_id = _old(event.parent_ids), _old(event.external_ids)
        tasks.append(Deleted(event.id, event.task_id, parent_id, external_id, event.length))
    return tasks


def _old(values: Sequence[Any] | None) -> Any:
    """The value before a change; None where the event has none."""
    return values[0] if values else None


def _tree(task_id: int, deleted: Sequence[Deleted]) -> list[Deleted]:
    """The task and what was below it, parents first."""
    children: dict[int | None, list[Deleted]] = defaultdict(list)
    for task in deleted:
        children[task.parent_id].append(task)
    tasks = [task for task in deleted if task.task_id == task_id]
    for task in tasks:  # the list grows while it is read
        tasks += children[task.task_id]
    return tasks


def _check(lock: Lock, tasks: Sequence[Deleted]) -> None:
    """Refuse tasks that no longer fit into the project.

    Raises:
        ParentGone
        ExternalIdTaken: It names the other task.
    """
    parent_id = tasks[0].parent_id
    if parent_id is not None and _project_of_live(parent_id) != lock.project_id:
        raise ParentGone
    keys = [task.external_id for task in tasks if task.external_id]
    in_project = TASK.project_id == lock.project_id
    for chunk in chunks(keys):
        taken = TASK_IDS.where(in_project, TASK.external_id.in_(chunk))
        other = db.session.execute(taken).first()
        if other is not None:
            detail = f"Task {other.id} of the project now has the external_id of this one."
            raise ExternalIdTaken(detail)


def _insert(lock: Lock, deleted: Sequence[Deleted]) -> None:
    """Insert the tasks in this order, as many at once as memory can hold."""
    revision = lock.advance(tasks=len(deleted))
    members = set(db.session.scalars(access.members_of(lock.project_id)))
    event_ids = [task.event_id for task in deleted]
    lengths = [task.length for task in deleted]
    for some_ids in short_chunks(event_ids, lengths):
        _insert_again(revision, _values_of(some_ids), members)


def _values_of(event_ids: Sequence[int]) -> list[Body]:
    """The values that deleted tasks had, in the order of these events."""
    chosen = _CHANGES.where(EVENTS.c.id.in_(event_ids))
    tasks = {}
    for event_id, task_id, changes in db.session.execute(chosen):
        tasks[event_id] = _values_before(task_id, changes)
    return [tasks[event_id] for event_id in event_ids]


def _values_before(task_id: int, changes: Mapping[str, Sequence[Any]]) -> Body:
    """The values of a task from its event, with dates, which JSON does not have, read from text."""
    values: Body = {"id": task_id}
    for name, (old, _) in changes.items():
        if name in INSTANTS:
            values[name] = dt.datetime.fromisoformat(old)
        elif name == "due_on":
            values[name] = dt.date.fromisoformat(old)
        else:
            values[name] = old
    return values


def _insert_again(revision: Revision, tasks: Sequence[Body], members: set[int]) -> None:
    """Insert tasks with their labels and events; clears assignees who have left the project."""
    for task in tasks:
        if task.get("assignee_id") not in members:
            task["assignee_id"] = None
    rows = [_row(revision, task) for task in tasks]
    for row in rows:  # one by one: each is the parent of those after it
        db.session.execute(sa.insert(TASKS), row)
    labels = [(row["id"], row["labels"]) for row in rows]
    insert_labels(labels)
    restored = [(task["id"], _from_nothing(task)) for task in tasks]
    revisions.record_each(revision, "restored", restored)


def _row(revision: Revision, task: Body) -> Body:
    """The columns of the task, with the new revision and the time of the restore."""
    kept = task.copy()
    kept.pop("revision", None)
    kept.pop("updated_at", None)
    row = new_row(revision, kept)
    row["created_by"] = task["created_by"]
    return row


def _from_nothing(task: Body) -> Body:
    changes = {}
    for name, value in task.items():
        if name != "id" and value is not None:
            changes[name] = [None, value]
    return changes
