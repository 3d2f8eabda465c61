"""Many tasks at once: the rule of an import, in few statements, inside one turn; no commit here."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import sqlalchemy as sa

from taskapp.database.session import Body, Row, changed_fields
from taskapp.errors import Invalid, Reason
from taskapp.extensions import db
from taskapp.ledger import access, revisions
from taskapp.ledger.revisions import Lock
from taskapp.tasks.models import COLUMNS, TASKS, Task, TaskLabel
from taskapp.tasks.query import chunks
from taskapp.tasks.writes import LABELS, columns, label, new_row

MOST_REASONS = 100
Changed = dict[str, list[Any]]  # {field: [old, new]}


class InvalidRows(Invalid):
    """Some rows are not as they must be: `errors` names the first hundred; none was imported."""

    def __init__(self, found: list[Reason]) -> None:
        super().__init__(errors=[_with_row(**reason) for reason in found[:MOST_REASONS]])


def _with_row(pointer: str, detail: str) -> Reason:
    row = re.match("/items/([0-9]+)", pointer)
    return {"pointer": pointer, "detail": f"Row {int(row[1]) + 1}: {detail}" if row else detail}


def upsert(lock: Lock, items: Sequence[Body]) -> Body:
    """Create a task for each item, or set the fields of the one that has its external_id."""
    there = {task.external_id: task for task in _named(lock, "external_id", items)}
    found = [there.get(item.get("external_id")) for item in items]
    _check(lock, items, found)
    new = iter(_insert(lock, [item for item, task in zip(items, found, strict=True) if not task]))
    ids = [next(new) if task is None else task.id for task in found]
    of_file = {item.get("id"): task_id for item, task_id in zip(items, ids, strict=True)}
    made: list[tuple[int, Changed]] = []
    changed: list[tuple[int, Changed]] = []
    values: list[tuple[int, Body]] = []
    for task_id, task, item in zip(ids, found, items, strict=True):
        wanted = _wanted(item, of_file)
        if task is None:
            made.append((task_id, {name: [None, value] for name, value in wanted.items()}))
            if wanted.get("parent_id"):
                values.append((task_id, {"parent_id": wanted["parent_id"]}))
        elif told := changed_fields(task, wanted):
            changed.append((task_id, told))
            fresh = {name: value for name, (_, value) in told.items()}
            values.append((task_id, columns(lock.advance(), fresh, task._mapping)))
    _set(values)
    _refuse_circles(lock, items, ids)
    if made or changed:
        revisions.record_each(lock.advance(), "created", made)
        revisions.record_each(lock.advance(), "updated", changed)
    unchanged = len(items) - len(made) - len(changed)
    return {"created": len(made), "updated": len(changed), "unchanged": unchanged}


def _check(lock: Lock, items: Sequence[Body], found: list[Row | None]) -> None:
    members: set[int | None] = {None, *db.session.scalars(access.members_of(lock.project_id))}
    parents = {None, *(item.get("id") for item in items)}
    parents |= {task.id for task in _named(lock, "id", items, by="parent_id")}
    seen: set[tuple[str, Any]] = set()
    wrong: list[Reason] = []
    for n, (item, task) in enumerate(zip(items, found, strict=True)):
        keys = {(name, item[name]) for name in ("id", "external_id") if item.get(name)}
        faults = {name: "Another row has it, too." for name, _ in keys & seen}
        seen |= keys
        if task is None and "title" not in item:
            faults["title"] = "Missing data for required field."
        if item.get("assignee_id") not in members:
            faults["assignee_id"] = "No member of the project."
        if item.get("parent_id") not in parents:
            faults["parent_id"] = "No such task in the file or in the project."
        wrong += [{"pointer": f"/items/{n}/{name}", "detail": faults[name]} for name in faults]
    if wrong:
        raise InvalidRows(wrong)


def _insert(lock: Lock, items: list[Body]) -> list[int]:
    """Insert tasks, without their parents; returns their ids, in the same order.

    RETURNING would cost SQLite a statement a row: nothing else has this turn's revision yet.
    """
    if not items:
        return []
    revision = lock.advance()
    for chunk in chunks(items):
        new = [{**_wanted(item, {}), "parent_id": None} for item in chunk]
        db.session.execute(sa.insert(TASKS), [new_row(revision, item) for item in new])
    here = sa.select(Task.id, Task.title).where(Task.project_id == lock.project_id)
    made = db.session.execute(
        here.where(Task.revision == revision.revision).order_by(Task.id)
    ).all()
    if [task.title for task in made] != [item["title"] for item in items]:
        raise RuntimeError("the database numbered new tasks in another order")
    for chunk in chunks(list(zip(made, items, strict=True))):
        label((task.id, item.get("labels", [])) for task, item in chunk)
    return [task.id for task in made]


def _wanted(item: Body, of_file: dict[int | None, int]) -> Body:
    """The item as its task shall be: the parent by its own id, not the file's."""
    wanted = {name: value for name, value in item.items() if name != "id"}
    if parent := wanted.get("parent_id"):
        wanted["parent_id"] = of_file.get(parent, parent)
    return wanted


def _set(values: list[tuple[int, Body]]) -> None:
    """Set columns of tasks, those with the same columns in one go; and their labels."""
    written = sa.update(TASKS).where(TASKS.c.id == sa.bindparam("task_id"))
    by_columns: dict[frozenset[str], list[Body]] = defaultdict(list)
    for task_id, new in values:
        by_columns[frozenset(new)].append({**new, "task_id": task_id})
    for rows in by_columns.values():
        db.session.execute(written, rows)
    for chunk in chunks([(task_id, new["labels"]) for task_id, new in values if "labels" in new]):
        ids = [task_id for task_id, _ in chunk]
        db.session.execute(sa.delete(LABELS).where(TaskLabel.task_id.in_(ids)))
        label(chunk)


def _refuse_circles(lock: Lock, items: Sequence[Body], ids: list[int]) -> None:
    if not any(item.get("parent_id") for item in items):
        return
    below = sa.select(Task.id, Task.parent_id).where(Task.project_id == lock.project_id)
    pairs = db.session.execute(below.where(Task.parent_id.is_not(None)))
    try:
        TopologicalSorter({task_id: [parent_id] for task_id, parent_id in pairs}).prepare()
    except CycleError as error:
        row = next(n for n, task_id in enumerate(ids) if task_id in error.args[1])
        reason = {"pointer": f"/items/{row}/parent_id", "detail": "A task cannot be below itself."}
        raise InvalidRows([reason]) from None


def _named(lock: Lock, column: str, items: Sequence[Body], by: str = "") -> Iterator[Row]:
    """The project's tasks that the items name."""
    values = {item[by or column] for item in items if item.get(by or column)}
    here = sa.select(*COLUMNS).where(Task.project_id == lock.project_id)
    for chunk in chunks(list(values)):
        yield from db.session.execute(here.where(TASKS.c[column].in_(chunk)))
