"""Write tasks, one or many: PATCH, PUT, batches and imports all come through here.

Each function runs under the lock of the project, inside the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from taskapp.caller import Caller
from taskapp.database.hot import HotWrite
from taskapp.database.pages import Octets
from taskapp.database.quotas import TASKS_OF_PROJECT, give_back
from taskapp.database.session import Body, Row, changed_fields, insert_or_raise, now, read
from taskapp.errors import Conflict
from taskapp.extensions import db
from taskapp.ledger import access, revisions
from taskapp.ledger.events import SERIES
from taskapp.ledger.revisions import Lock, Revision
from taskapp.tasks import reminders, repeats
from taskapp.tasks.models import COLUMNS, SHOWN, TASK, TASK_IDS, TASKS
from taskapp.tasks.query import FEW_ROWS, chunks, short_chunks
from taskapp.tasks.relations import check_relations, descendants
from taskapp.tasks.rows import (
    columns,
    insert_labels,
    new_row,
    refuse_faults,
    replace_labels,
    with_time_zone,
)

# What decides when reminders fire.
MOVES_REMINDERS = {"reminders", "due_at", "due_on", "status", "assignee_id"}
EMPTY: tuple[Any, ...] = (None, "", [])
# Rows that one statement deletes: what SQLite cascades from parent to child costs it the square of
# their number.
MOST_DEEP = 50
_SERIES = [TASK[name] for name in SERIES]
HIDDEN_STATE = (TASK.id, TASK.pending_reminders, *_SERIES)
_KEPT = SHOWN.add_columns(*_SERIES)  # of a deleted task
_LENGTHS = sa.select(TASK.id, Octets(TASK.description).label("text"))
_INSERT = sa.insert(TASKS)
_INSERT_ONE = HotWrite(_INSERT.returning(*COLUMNS))
_BY_ID = TASK.id == sa.bindparam("task_id")
_UPDATE = sa.update(TASKS).where(_BY_ID)
_UPDATE_ONE = HotWrite(_UPDATE.returning(*COLUMNS))


class ExternalIdTaken(Conflict):
    """A task of this project has this external_id already."""


@dataclass
class Change:
    """A change of an existing task: {field: [old, new]}."""

    before: Row
    fields: dict[str, list[Any]]

    @property
    def new(self) -> Body:
        """The new values alone."""
        return {name: value for name, (_, value) in self.fields.items()}

    @property
    def after(self) -> Body:
        """The task as it will be."""
        return {**self.before._mapping, **self.new}

    def values(self, revision: Revision) -> Body:
        """The columns to set."""
        values = columns(revision, self.new, self.before._mapping)
        if "repeat" in self.fields:
            values.update(series_id=None, occurrence=1)  # another series begins
        if self.moves_reminders():
            pending = _hidden(self.before.id).pending_reminders
            values.update(reminders.columns(self.after, self.before._mapping, pending))
        return values

    def makes_next(self) -> bool:
        """Whether it makes the task done, and so the next occurrence of one that repeats."""
        becomes_done = self.new.get("status") == "done"
        return becomes_done and self.after["repeat"] is not None

    def moves_reminders(self) -> bool:
        """Whether the change may alter which reminders are still to come."""
        if not self.after["reminders"] and not self.before.reminders:
            return False
        return not self.fields.keys().isdisjoint(MOVES_REMINDERS)


NO_REMINDERS: Body = {"pending_reminders": [], "next_reminder_at": None}


def insert(caller: Caller, lock: Lock, body: Body) -> Row:
    """Insert a task from a body that has a title.

    Raises:
        AssigneeNotFound, ParentNotFound, Invalid: The project has no such member or parent, or
            fields of the body contradict each other.
        ExternalIdTaken
    """
    check_relations(caller, lock.project_id, None, body)
    body = with_time_zone(body, caller.timezone)
    refuse_faults({}, body)
    revision = lock.advance(tasks=1)
    row = new_row(revision, body)
    task = _write(_INSERT_ONE, revision.project_id, row)
    insert_labels([(task.id, task.labels)])
    revisions.record_each(revision, "created", [(task.id, from_nothing(body))])
    if task.repeat is not None and task.status == "done":
        series = {"series_id": None, "occurrence": 1, "next_id": None, "due_wall": None}
        values = _insert_next(revision, task._mapping, {**series, "id": task.id})
        db.session.execute(_UPDATE, {**values, "task_id": task.id})
    return task


def insert_many(lock: Lock, bodies: Sequence[Body]) -> list[int]:
    """Insert tasks whose assignees and parents are known to be right; returns their ids in order.

    The ids are read back: RETURNING would cost SQLite one statement for each row.
    """
    if not bodies:
        return []
    revision = lock.advance(tasks=len(bodies))
    in_project = TASK.project_id == lock.project_id
    newest = sa.select(sa.func.max(TASK.id)).where(in_project)
    newest_id = db.session.scalar(newest) or 0
    for chunk in chunks(bodies):
        # Many rows are one statement, whose columns are those of its first row.
        rows = [{**NO_REMINDERS, **new_row(revision, body)} for body in chunk]
        db.session.execute(_INSERT, rows)
    task_ids = _ids_of(lock.project_id, newest_id, [body["title"] for body in bodies])
    labels = []
    for task_id, body in zip(task_ids, bodies, strict=True):
        labels.append((task_id, body.get("labels", [])))
    for labelled in chunks(labels):
        insert_labels(labelled)
    return task_ids


def _ids_of(project_id: int, newest_id: int, titles: list[str]) -> list[int]:
    """The ids of the tasks with these titles, just inserted: nobody else can, under the lock."""
    in_project = TASK.project_id == project_id
    is_newer = TASK.id > newest_id
    inserted = sa.select(TASK.id, TASK.title).where(in_project, is_newer)
    tasks = db.session.execute(inserted.order_by(TASK.id)).all()
    if [task.title for task in tasks] != titles:
        raise RuntimeError("the database numbered new tasks in another order")
    return [task.id for task in tasks]


def update(caller: Caller, task: Row, lock: Lock, body: Body, source: Lock | None = None) -> Row:
    """Change the fields that are sent; returns the same row if that changes nothing.

    `source` is the project that the task leaves, where it moves to that of `lock`.

    Raises:
        AssigneeNotFound, ParentNotFound, Invalid: The target has no such member or parent.
        ExternalIdTaken
    """
    check_relations(caller, lock.project_id, task.id, body)
    body = with_time_zone(body, caller.timezone)
    refuse_faults(task._mapping, body)
    if source is not None:
        body = {**_left_behind(task, lock), **body}
    change = Change(task, changed_fields(task, body))
    if not change.fields:
        return task
    revision = lock.advance()
    values = _values_and_next(change, revision)
    after = _write(_UPDATE_ONE, lock.project_id, values)
    if "labels" in change.fields:
        replace_labels([(task.id, after.labels)])
    if source is None:
        revisions.record_each(revision, "updated", [(task.id, change.fields)])
        return after
    below = descendants([task.id])
    lock.advance(tasks=1 + len(below))
    left = source.advance(tasks=-1 - len(below))
    _move_children(below, revision)
    _record_move(change, below, left, revision)
    return after


def update_many(lock: Lock, changes: Sequence[Change]) -> None:
    """Change tasks of one project; those with the same columns in one statement."""
    if not changes:
        return
    revision = lock.advance()
    by_columns: dict[frozenset[str], list[Body]] = defaultdict(list)
    for change in changes:
        values = _values_and_next(change, revision)
        by_columns[frozenset(values)].append(values)
    for rows in by_columns.values():
        db.session.execute(_UPDATE, rows)
    relabelled = [change for change in changes if "labels" in change.fields]
    labels = [(change.before.id, change.new["labels"]) for change in relabelled]
    for labelled in chunks(labels):
        replace_labels(labelled)
    record_updated = [(change.before.id, change.fields) for change in changes]
    revisions.record_each(revision, "updated", record_updated)


def set_parents(parents: Sequence[tuple[int, int]]) -> None:
    """Set the parents of tasks that were just inserted: (task id, parent's id)."""
    rows = [{"task_id": task_id, "parent_id": parent_id} for task_id, parent_id in parents]
    if rows:
        db.session.execute(_UPDATE, rows)


def record_inserted(lock: Lock, inserted: Sequence[tuple[int, Body]]) -> None:
    """Record the events of `insert_many`, once the parents are known."""
    created = [(task_id, from_nothing(body)) for task_id, body in inserted]
    if created:
        revisions.record_each(lock.advance(), "created", created)


def delete(task_ids: Sequence[int], lock: Lock) -> None:
    """Delete tasks of one project, none of which is below another, and all that is below them.

    The events keep what `undo.py` needs to restore them.
    """
    ids = [*task_ids, *descendants(task_ids)]
    revision = lock.advance(tasks=-len(ids))
    for chunk in _in_pieces(ids[::-1]):  # lowest first, so that little is left to cascade
        in_chunk = TASK.id.in_(chunk)
        tasks = db.session.execute(_KEPT.where(in_chunk))
        deleted = [(task.id, _to_nothing(task._mapping)) for task in tasks]
        revisions.record_each(revision, "deleted", deleted)
        for few in chunks(chunk, MOST_DEEP):
            db.session.execute(sa.delete(TASKS).where(TASK.id.in_(few)))


def _in_pieces(task_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """The ids, in this order, of tasks whose descriptions memory can hold together."""
    for chunk in chunks(task_ids):
        if len(chunk) <= FEW_ROWS:
            yield chunk
            continue
        is_one = TASK.id.in_(chunk)
        by_id = {row.id: row.text for row in db.session.execute(_LENGTHS.where(is_one))}
        lengths = [by_id.get(task_id, 0) for task_id in chunk]
        yield from short_chunks(chunk, lengths)


def _values_and_next(change: Change, revision: Revision) -> Body:
    """The columns to set, once the next occurrence is inserted that the change may make."""
    values = change.values(revision)
    if change.makes_next():
        series = {**_hidden(change.before.id)._mapping, **values}
        values.update(_insert_next(revision, change.after, series))
    values["task_id"] = change.before.id
    return values


def _insert_next(revision: Revision, task: Mapping[Any, Any], series: Mapping[Any, Any]) -> Body:
    """Insert the next occurrence of a task that became done, unless there was one already.

    Called whenever a task becomes done, under its project's lock. Returns the columns of the done
    task that name the next one; they stay when that is deleted.
    """
    if series["next_id"] is not None:
        return {}
    occurrence = series["occurrence"]
    next_due = repeats.next_due(task, now(), occurrence, series["due_wall"])
    if next_due is None:
        return {}
    body = {name: task[name] for name in repeats.SAME}
    body.update(due_at=next_due.due_at, due_on=next_due.due_on)
    row = new_row(revision, body)
    series_id = series["series_id"] or task["id"]
    row.update(series_id=series_id, occurrence=occurrence + 1, due_wall=next_due.due_wall)
    row.update(reminders.columns(row, task, []))
    inserted = db.session.execute(_INSERT.returning(TASK.id), row)
    next_id = inserted.scalar_one()
    # Counted, but not refused: the quota keeps nobody from finishing a task.
    give_back(TASKS_OF_PROJECT, revision.project_id, -1)
    insert_labels([(next_id, row["labels"])])
    revisions.record_each(revision, "created", [(next_id, from_nothing(body))])
    return {"next_id": next_id}


def _hidden(task_id: int) -> Row:
    """The columns of a task that clients do not see, but a write needs."""
    hidden = sa.select(*HIDDEN_STATE).where(TASK.id == task_id)
    return db.session.execute(hidden).one()


def _write(statement: HotWrite, project_id: int, values: Body) -> Row:
    """Write one task.

    Raises:
        ExternalIdTaken: It names the other task, unless that is not committed yet.
    """
    try:
        return statement.rows(values)[0]
    except IntegrityError:
        raise _taken(project_id, values.get("external_id")) from None


def _taken(project_id: int, external_id: str | None) -> ExternalIdTaken:
    in_project = TASK.project_id == project_id
    other = TASK_IDS.where(in_project, TASK.external_id == external_id)
    other_id = read(other).scalar()  # outside this transaction, which has failed
    detail = "Another task of the project has this external_id."
    if other_id is not None:
        detail = f"Task {other_id} of the project has this external_id."
    reason = {"pointer": "/external_id", "detail": detail}
    return ExternalIdTaken(errors=[reason])


def from_nothing(body: Body) -> Body:
    """The changes of a create: each field that is not empty."""
    return {name: [None, value] for name, value in body.items() if value not in EMPTY}


def _to_nothing(task: Mapping[Any, Any]) -> Body:
    """The changes of a delete: each field that was not empty."""
    changes = {}
    for name, value in task.items():
        if name != "id" and value not in EMPTY:
            changes[name] = [value, None]
    return changes


def _left_behind(task: Row, target: Lock) -> Body:
    """What a moved task loses unless it is sent: its parent, and an assignee who is no member."""
    left: Body = {"parent_id": None}
    if task.assignee_id is not None and not access.role_in(target.project_id, task.assignee_id):
        left["assignee_id"] = None
    return left


def _move_children(below: Sequence[int], target: Revision) -> None:
    """Move the tasks below; clears assignees who are not members of the target."""
    is_member = TASK.assignee_id.in_(access.members_of(target.project_id))
    values: Body = {"project_id": target.project_id, "revision": target.revision}
    values["updated_at"] = now()
    values["assignee_id"] = sa.case((is_member, TASK.assignee_id))
    is_below = TASK.id.in_(below)
    moved = sa.update(TASKS).where(is_below).values(values)
    insert_or_raise(moved, ExternalIdTaken)


def _record_move(change: Change, below: Sequence[int], source: Revision, target: Revision) -> None:
    """Record the events of a moved task, and of those below it, in both projects.

    Those who see only the old one must not learn where and what the task is now; those who see
    only the new one, what it was before.
    """
    old = {name: old for name, (old, _) in change.fields.items()}
    moved_to = [source.project_id, target.project_id]
    left = [(change.before.id, _to_nothing(old))]
    came = [(change.before.id, {**from_nothing(change.new), "project_id": moved_to})]
    for task_id in below:
        left.append((task_id, {"project_id": [source.project_id, None]}))
        came.append((task_id, {"project_id": moved_to}))
    revisions.record_each(source, "moved-away", left)
    revisions.record_each(target, "moved", came)
