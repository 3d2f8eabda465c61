"""An import: many tasks under one lock, all or none, in few statements and bounded memory."""

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from taskapp.database.pages import Octets
from taskapp.database.session import Body, Row, changed_fields
from taskapp.errors import Invalid, Reason
from taskapp.extensions import db
from taskapp.ledger import access
from taskapp.ledger.revisions import Lock
from taskapp.tasks import circles, writes
from taskapp.tasks.models import SHOWN, TASK, TASK_IDS
from taskapp.tasks.query import CHUNK, chunks, short_chunks
from taskapp.tasks.recurrence import Steps
from taskapp.tasks.relations import NO_MEMBER
from taskapp.tasks.rows import DATES, faults, with_time_zone

MAX_REASONS = 100
MAX_STEPS = 500_000  # periods that the recurrence rules of one file may examine in all
MAX_TEXT = 256 * 1024  # code points of description that are in memory at once
MAX_FORMER_TEXT = 1024 * 1024  # bytes of the descriptions of the tasks that these change
OWN_TIMES = ("created_at", "completed_at")
REPEATED = "Another row has the same value."
NO_PARENT = "Neither the file nor the project has a task with this id."
ROW_NUMBER = re.compile("/items/(?P<number>[0-9]+)")
# What rows are checked against: of what may be long, how long it is.
_DATES = [TASK[name] for name in sorted(DATES)]
_LENGTH = Octets(TASK.description).label("length")
_BRIEF = sa.select(TASK.id, TASK.external_id, TASK.status, *_DATES, _LENGTH)


class InvalidRows(Invalid):
    """Some rows are not valid: `errors` lists the first hundred. Nothing was imported."""

    def __init__(self, reasons: list[Reason]) -> None:
        super().__init__(errors=[_with_row(**reason) for reason in reasons[:MAX_REASONS]])


@dataclass
class ImportRow:
    """A row of the file, and the task that it updates or creates."""

    number: int
    item: Body
    task: Row | None = None  # the one that has its external_id; at first only what is checked
    task_id: int = 0  # for a new task: 0 until it is inserted

    @property
    def before(self) -> Mapping[Any, Any]:
        """The fields of the task that is there, as far as they are read; {} of a new one."""
        return {} if self.task is None else self.task._mapping

    @property
    def status(self) -> str:
        status: str = self.before.get("status", "todo")
        return status

    def wanted(self, ids: Mapping[int, int]) -> Body:
        """The fields that the task is to have; `ids` maps ids of the file to those of tasks."""
        fields = self.item.copy()
        fields.pop("id", None)
        parent_id = fields.get("parent_id")
        if parent_id is not None:
            fields["parent_id"] = ids.get(parent_id, parent_id)
        return fields

    def reason(self, field: str, detail: str) -> Reason:
        return {"pointer": f"/items/{self.number}/{field}", "detail": detail}


@dataclass
class Import:
    """What an import keeps in memory about all its rows: a few numbers for each."""

    lock: Lock
    timezone: str
    ids: dict[int, int] = field(default_factory=dict)  # from the file's ids to those of tasks
    task_ids: "array[int]" = field(default_factory=lambda: array("q"))  # one for each row
    is_new: bytearray = field(default_factory=bytearray)  # 1 or 0 for each row
    lengths: "array[int]" = field(default_factory=lambda: array("q"))  # of descriptions before
    parents: dict[int, int] = field(default_factory=dict)  # by task id
    reasons: list[Reason] = field(default_factory=list)
    steps: Steps = field(default_factory=lambda: Steps(MAX_STEPS))
    ignored: int = 0
    updated: int = 0

    def rows(self, items: Iterable[Body]) -> Iterator[list[ImportRow]]:
        """The rows in pieces that memory and one statement can hold."""
        rows = []
        length = 0
        for number, item in enumerate(items):
            rows.append(ImportRow(number, with_time_zone(item, self.timezone)))
            length += len(item.get("description", ""))
            if len(rows) == CHUNK or length > MAX_TEXT:
                yield rows
                rows = []
                length = 0
        if rows:
            yield rows

    def counts(self) -> Body:
        created = sum(self.is_new)
        return {
            "created": created,
            "updated": self.updated,
            "unchanged": len(self.task_ids) - created - self.updated,
            "ignored": self.ignored,
        }


def upsert(lock: Lock, items: Iterable[Body], timezone: str) -> Body:
    """Create a task for each item, or set the fields of the one that has its external_id.

    The items are read three times, since a row may name a later one as its parent: once for their
    ids, once to insert the new ones, once for parents, changes and events. Returns the numbers of
    tasks "created", "updated" and "unchanged"; "ignored" is how many values of created_at and
    completed_at were left out, because only an owner of the project may set them.

    Raises:
        InvalidRows
    """
    running = Import(lock, timezone)
    _note_ids(running, items)
    _insert_new(running, items)
    for rows in running.rows(items):
        lengths = [running.lengths[row.number] for row in rows]
        for few in short_chunks(rows, lengths, MAX_FORMER_TEXT):
            _finish(running, few)
            for row in few:
                row.task = None  # its text may be long, and `rows` outlives this piece
    _refuse_circles(running)
    return running.counts()


def _note_ids(running: Import, items: Iterable[Body]) -> None:
    """Collect the ids of the file, and the reasons where two rows have the same id or key."""
    digests: set[bytes] = set()
    for number, item in enumerate(items):
        row = ImportRow(number, item)
        row_id = item.get("id")
        if row_id in running.ids:
            running.reasons.append(row.reason("id", REPEATED))
        if row_id is not None:
            running.ids[row_id] = 0
        digest = _digest(item.get("external_id"))
        if digest in digests:
            running.reasons.append(row.reason("external_id", REPEATED))
        if digest is not None:
            digests.add(digest)
        if len(running.reasons) >= MAX_REASONS:
            break


def _digest(key: str | None) -> bytes | None:
    """Stands for the key in 16 bytes, however long that is."""
    if key is None:
        return None
    return blake2b(key.encode(), digest_size=16).digest()


def _insert_new(running: Import, items: Iterable[Body]) -> None:
    """Insert the tasks that do not exist yet, without their parents, unless a row is invalid.

    Raises:
        InvalidRows
    """
    members = set(db.session.scalars(access.members_of(running.lock.project_id)))
    for rows in running.rows(items):
        _match(running.lock, rows)
        for row in rows:
            running.ignored += _settle_times(running.lock, row)
        running.reasons += _check(running, rows, members)
        if len(running.reasons) >= MAX_REASONS:
            break
        if not running.reasons:
            _insert(running, rows)
    if running.reasons:
        raise InvalidRows(sorted(running.reasons, key=_row_number))


def _match(lock: Lock, rows: Sequence[ImportRow]) -> None:
    """Find the tasks that have the rows' external ids."""
    keys = _values_of(rows, "external_id")
    tasks = {}
    for task in _those_with(_BRIEF, lock, TASK.external_id, keys):
        tasks[task.external_id] = task
    for row in rows:
        row.task = tasks.get(row.item.get("external_id"))
        row.task_id = row.before.get("id", 0)


def _settle_times(lock: Lock, row: ImportRow) -> int:
    """Remove the times that this row may not set; returns how many the caller's role forbids."""
    item = row.item
    sent = [name for name in OWN_TIMES if item.get(name) is not None]
    is_done = item.get("status", row.status) == "done"
    for name in OWN_TIMES:
        keeps = name in sent and lock.role == "owner"
        if not keeps or (name == "completed_at" and not is_done):
            item.pop(name, None)
    return 0 if lock.role == "owner" else len(sent)


def _check(running: Import, rows: Sequence[ImportRow], members: set[int]) -> Iterator[Reason]:
    """What is wrong with valid rows, given the tasks and the members of the project."""
    named = _values_of(rows, "parent_id")
    outside = named - running.ids.keys()
    parents = {task.id for task in _those_with(TASK_IDS, running.lock, TASK.id, outside)}
    parents |= named & running.ids.keys()
    for row in rows:
        yield from _faults(row, members, parents)
        for name, detail in faults(row.before, row.item, running.steps):
            yield row.reason(name, detail)


def _faults(row: ImportRow, members: set[int], parents: set[int]) -> Iterator[Reason]:
    if row.task is None and "title" not in row.item:
        yield row.reason("title", "Missing data for required field.")
    assignee_id = row.item.get("assignee_id")
    if assignee_id is not None and assignee_id not in members:
        yield row.reason("assignee_id", NO_MEMBER)
    parent_id = row.item.get("parent_id")
    if parent_id is not None and parent_id not in parents:
        yield row.reason("parent_id", NO_PARENT)


def _values_of(rows: Iterable[ImportRow], name: str) -> set[Any]:
    """The values that the rows have in one field."""
    return {row.item[name] for row in rows if row.item.get(name)}


def _insert(running: Import, rows: Sequence[ImportRow]) -> None:
    new = [row for row in rows if row.task is None]
    bodies = [{**row.wanted({}), "parent_id": None} for row in new]
    task_ids = writes.insert_many(running.lock, bodies)
    for row, task_id in zip(new, task_ids, strict=True):
        row.task_id = task_id
    for row in rows:
        running.task_ids.append(row.task_id)
        running.is_new.append(row.task is None)
        running.lengths.append(row.before.get("length", 0))
        if row.item.get("id") is not None:
            running.ids[row.item["id"]] = row.task_id


def _finish(running: Import, rows: Sequence[ImportRow]) -> None:
    """Set the parents of new tasks and record their events; change the tasks that existed."""
    _find_again(running, rows)
    inserted = []
    parents = []
    changes = []
    for row in rows:
        _settle_times(running.lock, row)
        fields = row.wanted(running.ids)
        parent_id = fields.get("parent_id")
        if parent_id is not None:
            running.parents[row.task_id] = parent_id
        if row.task is not None:
            changed = changed_fields(row.task, fields)
            changes.append(writes.Change(row.task, changed))
            continue
        inserted.append((row.task_id, fields))
        if parent_id is not None:
            parents.append((row.task_id, parent_id))
    writes.set_parents(parents)
    writes.record_inserted(running.lock, inserted)
    changes = [change for change in changes if change.fields]
    writes.update_many(running.lock, changes)
    running.updated += len(changes)


def _find_again(running: Import, rows: Sequence[ImportRow]) -> None:
    """Give each row its task id again, and its task where that existed before."""
    there = set()
    for row in rows:
        row.task_id = running.task_ids[row.number]
        if not running.is_new[row.number]:
            there.add(row.task_id)
    tasks = {task.id: task for task in _those_with(SHOWN, running.lock, TASK.id, there)}
    for row in rows:
        row.task = tasks.get(row.task_id)


def _refuse_circles(running: Import) -> None:
    """Refuse parents that would put a task below itself.

    Raises:
        InvalidRows
    """
    circle = circles.find(running.parents)
    for number, task_id in enumerate(running.task_ids):
        if task_id in circle:
            row = ImportRow(number, {})
            reason = row.reason("parent_id", "A task cannot be below itself.")
            raise InvalidRows([reason])


def _those_with(
    columns: sa.Select[Any], lock: Lock, column: sa.Column[Any], values: set[Any]
) -> Iterator[Row]:
    """These columns of the project's tasks that have one of these values."""
    in_project = columns.where(TASK.project_id == lock.project_id)
    for chunk in chunks(list(values)):
        tasks = in_project.where(column.in_(chunk))
        yield from db.session.execute(tasks)


def _row_number(reason: Reason) -> int:
    row = ROW_NUMBER.match(reason["pointer"])
    return -1 if row is None else int(row["number"])


def _with_row(pointer: str, detail: str) -> Reason:
    """The reason, with the number of the row, counted from 1, in its text."""
    reason: Reason = {"pointer": pointer, "detail": detail}
    number = _row_number(reason)
    if number >= 0:
        reason["detail"] = f"Row {number + 1}: {detail}"
    return reason
