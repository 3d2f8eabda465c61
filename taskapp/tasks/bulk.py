"""An import: many tasks under one lock, in few statements, all or none."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import sqlalchemy as sa

from taskapp.database.session import Body, Row, changed_fields
from taskapp.errors import Invalid, Reason
from taskapp.extensions import db
from taskapp.ledger import access
from taskapp.ledger.revisions import Lock
from taskapp.tasks import writes
from taskapp.tasks.models import SHOWN, TASK
from taskapp.tasks.query import chunks
from taskapp.tasks.recurrence import Steps
from taskapp.tasks.rows import faults

MAX_REASONS = 100
MAX_STEPS = 500_000  # periods of rules that the rows of one file have looked at, in all
OWN_TIMES = ("created_at", "completed_at")


class InvalidRows(Invalid):
    """Some rows are not as they must be: `errors` names the first hundred; none was imported."""

    def __init__(self, reasons: list[Reason]) -> None:
        errors = [_with_row(**reason) for reason in reasons[:MAX_REASONS]]
        super().__init__(errors=errors)


@dataclass
class ImportRow:
    """A row of the file: its item, and the task that it is or becomes."""

    number: int
    item: Body
    task: Row | None  # the one that has its external_id
    task_id: int = 0  # of a new task it is known once that is inserted

    @property
    def before(self) -> Mapping[Any, Any]:
        """The fields of the task that is there; {} of a new one."""
        return {} if self.task is None else self.task._mapping

    @property
    def status(self) -> str:
        status: str = self.before.get("status", "todo")
        return status

    def wanted(self, ids: dict[int, int]) -> Body:
        """The fields that its task shall have; `ids` are the file's, with those they became."""
        fields = self.item.copy()
        fields.pop("id", None)
        parent_id = fields.get("parent_id")
        if parent_id is not None:
            fields["parent_id"] = ids.get(parent_id, parent_id)
        return fields

    def reason(self, field: str, detail: str) -> Reason:
        return {"pointer": f"/items/{self.number}/{field}", "detail": detail}


def upsert(lock: Lock, items: Sequence[Body]) -> Body:
    """Create a task for each item, or set the fields of the one that has its external_id.

    Returns {"created", "updated", "unchanged"}: how many; "ignored" counts the times of tasks that
    only an owner of the project may set.

    Raises:
        InvalidRows
    """
    rows = _match(lock, items)
    ignored = sum(_settle_times(lock, row) for row in rows)
    _check(lock, rows)
    new = [row for row in rows if row.task is None]
    ids = _insert(lock, rows, new)
    changes = list(_changes(rows, ids))
    writes.update_many(lock, changes)
    _refuse_circles(lock, rows)
    created, updated = len(new), len(changes)
    unchanged = len(rows) - created - updated
    return {"created": created, "updated": updated, "unchanged": unchanged, "ignored": ignored}


def _changes(rows: Sequence[ImportRow], ids: dict[int, int]) -> Iterator[writes.Change]:
    """What the rows really change in tasks that are there."""
    for row in rows:
        if row.task is not None:
            fields = changed_fields(row.task, row.wanted(ids))
            if fields:
                yield writes.Change(row.task, fields)


def _settle_times(lock: Lock, row: ImportRow) -> int:
    """Leave out the times that this row may not set; returns how many it may not for the role."""
    item = row.item
    sent = [name for name in OWN_TIMES if item.get(name) is not None]
    is_done = item.get("status", row.status) == "done"
    for name in OWN_TIMES:
        keeps = name in sent and lock.role == "owner"
        if not keeps or (name == "completed_at" and not is_done):
            item.pop(name, None)
    return 0 if lock.role == "owner" else len(sent)


def _match(lock: Lock, items: Sequence[Body]) -> list[ImportRow]:
    keys = _values_of(items, "external_id")
    tasks = {}
    for task in _tasks_by(lock, TASK.external_id, keys):
        tasks[task.external_id] = task
    rows = []
    for number, item in enumerate(items):
        row = ImportRow(number, item, tasks.get(item.get("external_id")))
        row.task_id = row.before.get("id", 0)
        rows.append(row)
    return rows


def _values_of(items: Iterable[Body], name: str) -> set[Any]:
    """What the items have in one of their fields, if they have anything there."""
    return {item[name] for item in items if item.get(name)}


def _insert(lock: Lock, rows: Sequence[ImportRow], new: Sequence[ImportRow]) -> dict[int, int]:
    """Insert the new tasks, then their parents, which may be further down in the file.

    Returns the ids of the file's rows with those of their tasks.
    """
    bodies = [{**row.wanted({}), "parent_id": None} for row in new]
    task_ids = writes.insert_many(lock, bodies)
    for row, task_id in zip(new, task_ids, strict=True):
        row.task_id = task_id
    with_id = [row for row in rows if row.item.get("id") is not None]
    ids = {row.item["id"]: row.task_id for row in with_id}
    inserted = [(row.task_id, row.wanted(ids)) for row in new]
    parents = []
    for task_id, fields in inserted:
        if fields.get("parent_id") is not None:
            parents.append((task_id, fields["parent_id"]))
    writes.set_parents(parents)
    writes.record_inserted(lock, inserted)
    return ids


def _check(lock: Lock, rows: Sequence[ImportRow]) -> None:
    """Refuse rows that cannot be imported, all of them at once.

    Raises:
        InvalidRows
    """
    members = set(db.session.scalars(access.members_of(lock.project_id)))
    items = [row.item for row in rows]
    named_parents = _values_of(items, "parent_id")
    parents = {task.id for task in _tasks_by(lock, TASK.id, named_parents)}
    parents |= _values_of(items, "id")
    seen: set[tuple[str, Any]] = set()
    reasons: list[Reason] = []
    steps = Steps(MAX_STEPS)
    for row in rows:
        reasons += _repeated(row, seen)
        reasons += _faults(row, members, parents)
        for field, detail in faults(row.before, row.item, steps):
            reasons.append(row.reason(field, detail))
    if reasons:
        raise InvalidRows(reasons)


def _repeated(row: ImportRow, seen: set[tuple[str, Any]]) -> Iterator[Reason]:
    """What another row has, too; `seen` is what those above have."""
    for name in ("id", "external_id"):
        value = row.item.get(name)
        if value and (name, value) in seen:
            yield row.reason(name, "Another row has the same value.")
        seen.add((name, value))


def _faults(row: ImportRow, members: set[int], parents: set[int]) -> Iterator[Reason]:
    if row.task is None and "title" not in row.item:
        yield row.reason("title", "Missing data for required field.")
    assignee_id = row.item.get("assignee_id")
    if assignee_id is not None and assignee_id not in members:
        yield row.reason("assignee_id", "No member of the project.")
    parent_id = row.item.get("parent_id")
    if parent_id is not None and parent_id not in parents:
        yield row.reason("parent_id", "No such task in the file or in the project.")


def _refuse_circles(lock: Lock, rows: Sequence[ImportRow]) -> None:
    """Refuse what would leave a task below itself.

    Raises:
        InvalidRows
    """
    if not any(row.item.get("parent_id") for row in rows):
        return
    in_project = TASK.project_id == lock.project_id
    has_parent = TASK.parent_id.is_not(None)
    children = sa.select(TASK.id, TASK.parent_id).where(in_project, has_parent)
    graph = {}
    for task_id, parent_id in db.session.execute(children):
        graph[task_id] = [parent_id]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = error.args[1]
        first = next(row for row in rows if row.task_id in circle)
        reason = first.reason("parent_id", "A task cannot be below itself.")
        raise InvalidRows([reason]) from None


def _tasks_by(lock: Lock, column: sa.Column[Any], values: set[Any]) -> Iterator[Row]:
    """The project's tasks that have one of these values."""
    in_project = SHOWN.where(TASK.project_id == lock.project_id)
    for chunk in chunks(list(values)):
        tasks = in_project.where(column.in_(chunk))
        yield from db.session.execute(tasks)


def _with_row(pointer: str, detail: str) -> Reason:
    """The reason, in whose words the row is counted from 1."""
    row = re.match("/items/([0-9]+)", pointer)
    if row is not None:
        number = int(row[1]) + 1
        detail = f"Row {number}: {detail}"
    return {"pointer": pointer, "detail": detail}
