"""How tasks are written, one or many: the one path of PATCH, PUT, batch and import.

Each function runs under the lock of the project, inside the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.session import Body, Row, changed_fields, insert_or_raise, now
from taskapp.errors import Conflict
from taskapp.extensions import db
from taskapp.ledger import access, revisions
from taskapp.ledger.revisions import Lock, Revision
from taskapp.tasks.models import COLUMNS, LABELS, TASKS
from taskapp.tasks.query import chunks
from taskapp.tasks.relations import check_relations, descendants
from taskapp.tasks.search import words

_INSERT = sa.insert(TASKS)
_UPDATE = sa.update(TASKS).where(TASKS.c.id == sa.bindparam("task_id"))
BLANK: Body = {
    "external_id": None,
    "description": "",
    "status": "todo",
    "priority": "none",
    "due_at": None,
    "assignee_id": None,
    "parent_id": None,
    "labels": [],
}


class ExternalIdTaken(Conflict):
    """A task of this project has this external_id already."""


@dataclass
class Change:
    """What a write makes of a task that is there: {field: [old, new]}."""

    before: Row
    fields: dict[str, list[Any]]

    def values(self, revision: Revision) -> Body:
        """The columns to set."""
        new = {name: value for name, (_, value) in self.fields.items()}
        return columns(revision, new, self.before._mapping)


def insert(caller: Caller, lock: Lock, body: Body) -> Row:
    """Insert a task, of a body that has a title.

    Raises:
        AssigneeNotFound, ParentNotFound, Invalid: The project has no such member or parent.
        ExternalIdTaken
    """
    check_relations(caller, lock.project_id, None, body)
    revision = lock.advance()
    row = new_row(revision, body)
    task = insert_or_raise(_INSERT.returning(*COLUMNS), ExternalIdTaken, row).one()
    _insert_labels([(task.id, task.labels)])
    revisions.record_each(revision, "created", [(task.id, _from_nothing(body))])
    return task


def insert_many(lock: Lock, bodies: Sequence[Body]) -> list[int]:
    """Insert tasks whose people and parents were checked; returns their ids, in this order.

    RETURNING would cost SQLite a statement a row: nothing else has this revision yet.
    """
    if not bodies:
        return []
    revision = lock.advance()
    for chunk in chunks(bodies):
        db.session.execute(_INSERT, [new_row(revision, body) for body in chunk])
    inserted = (
        sa.select(TASKS.c.id, TASKS.c.title)
        .where(TASKS.c.project_id == lock.project_id, TASKS.c.revision == revision.revision)
        .order_by(TASKS.c.id)
    )
    tasks = db.session.execute(inserted).all()
    if [task.title for task in tasks] != [body["title"] for body in bodies]:
        raise RuntimeError("the database numbered new tasks in another order")
    labels = [(task.id, body.get("labels", [])) for task, body in zip(tasks, bodies, strict=True)]
    for labelled in chunks(labels):
        _insert_labels(labelled)
    return [task.id for task in tasks]


def update(caller: Caller, task: Row, source: Lock, target: Lock, body: Body) -> Row:
    """Change the fields that are sent; the same row comes back when that changes nothing.

    Raises:
        AssigneeNotFound, ParentNotFound, Invalid: The target has no such member or parent.
        ExternalIdTaken
    """
    check_relations(caller, target.project_id, task.id, body)
    moves = source is not target
    if moves:
        body = {**_left_behind(task, target), **body}
    change = Change(task, changed_fields(task, body))
    if not change.fields:
        return task
    revision = target.advance()
    values = {**change.values(revision), "task_id": task.id}
    after = insert_or_raise(_UPDATE.returning(*COLUMNS), ExternalIdTaken, values).one()
    if "labels" in change.fields:
        _replace_labels([(task.id, after.labels)])
    if moves:
        _move_children(task.id, source.advance(), revision)
    kind = "moved" if moves else "updated"
    revisions.record_each(revision, kind, [(task.id, change.fields)])
    return after


def update_many(lock: Lock, changes: Sequence[Change]) -> None:
    """Change tasks of one project, those with the same columns in one go."""
    if not changes:
        return
    revision = lock.advance()
    by_columns: dict[frozenset[str], list[Body]] = defaultdict(list)
    for change in changes:
        values = change.values(revision)
        by_columns[frozenset(values)].append({**values, "task_id": change.before.id})
    for rows in by_columns.values():
        db.session.execute(_UPDATE, rows)
    labels = [
        (change.before.id, change.fields["labels"][1])
        for change in changes
        if "labels" in change.fields
    ]
    for labelled in chunks(labels):
        _replace_labels(labelled)
    record_updated = [(change.before.id, change.fields) for change in changes]
    revisions.record_each(revision, "updated", record_updated)


def set_parents(parents: Sequence[tuple[int, int]]) -> None:
    """Set the parents of tasks that were just inserted: (task id, parent's id)."""
    rows = [{"task_id": task_id, "parent_id": parent_id} for task_id, parent_id in parents]
    if rows:
        db.session.execute(_UPDATE, rows)


def record_inserted(lock: Lock, inserted: Sequence[tuple[int, Body]]) -> None:
    """Leave the events of `insert_many`, once the parents are known."""
    created = [(task_id, _from_nothing(body)) for task_id, body in inserted]
    if created:
        revisions.record_each(lock.advance(), "created", created)


def delete(task_id: int, lock: Lock) -> None:
    """Delete a task and what is below it."""
    ids = [task_id, *descendants(task_id)]
    revisions.record(lock.advance(), "deleted", ids)
    for chunk in chunks(ids[::-1]):  # lowest first: SQLite cascades 1,000 deep
        db.session.execute(sa.delete(TASKS).where(TASKS.c.id.in_(chunk)))


def new_row(revision: Revision, body: Body) -> Body:
    """The columns of a new task; the items of a demo bring times of their own."""
    ids = {"project_id": revision.project_id, "created_by": revision.user_id}
    row = columns(revision, {**BLANK, **body, **ids}, {})
    return {"created_at": row["updated_at"], **row}


def columns(revision: Revision, new: Body, old: Mapping[Any, Any]) -> Body:
    """New values, and the columns that follow from them and from what stays."""
    values = {"revision": revision.revision, "updated_at": now(), **new}
    if "status" in new:
        completed_at = values["updated_at"] if new["status"] == "done" else None
        values.setdefault("completed_at", completed_at)
    if "title" in new or "description" in new:
        whole = {**old, **new}
        values["words"] = words(whole["title"], whole["description"])
    return values


def _from_nothing(body: Body) -> Body:
    return {name: [None, value] for name, value in body.items()}


def _insert_labels(tasks: Iterable[tuple[int, list[str]]]) -> None:
    rows = []
    for task_id, names in tasks:
        rows += [{"task_id": task_id, "key": name.casefold(), "name": name} for name in names]
    if rows:
        db.session.execute(sa.insert(LABELS), rows)


def _replace_labels(tasks: Sequence[tuple[int, list[str]]]) -> None:
    ids = [task_id for task_id, _ in tasks]
    db.session.execute(sa.delete(LABELS).where(LABELS.c.task_id.in_(ids)))
    _insert_labels(tasks)


def _left_behind(task: Row, target: Lock) -> Body:
    """What a moving task loses unless the client says otherwise: its parent, a foreign assignee."""
    if task.assignee_id is not None and access.role_in(target.project_id, task.assignee_id):
        return {"parent_id": None}
    return {"parent_id": None, "assignee_id": None}


def _move_children(task_id: int, source: Revision, target: Revision) -> None:
    """Children go with their parent; assignees who are no members there are cleared."""
    below = descendants(task_id)
    is_member = TASKS.c.assignee_id.in_(access.members_of(target.project_id))
    values = {
        "project_id": target.project_id,
        "revision": target.revision,
        "updated_at": now(),
        "assignee_id": sa.case((is_member, TASKS.c.assignee_id)),
    }
    moved = sa.update(TASKS).where(TASKS.c.id.in_(below)).values(values)
    insert_or_raise(moved, ExternalIdTaken)
    project_id = [source.project_id, target.project_id]
    revisions.record(source, "moved-away", [task_id, *below], project_id=project_id)
    revisions.record(target, "moved", below, project_id=project_id)
