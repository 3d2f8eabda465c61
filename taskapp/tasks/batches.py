"""A batch: operations in their order, all or none.

Successive creates, and successive upserts, in one project are written together, as in an import.
One that might fail is carried out by itself instead, so refusals are the same as for single
requests.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.quotas import TASKS_OF_PROJECT
from taskapp.database.session import Body, Row, changed_fields
from taskapp.errors import Refusal
from taskapp.extensions import db, settings
from taskapp.ledger import access
from taskapp.ledger.revisions import Lock
from taskapp.tasks import operations, rows, writes
from taskapp.tasks.access import Locks
from taskapp.tasks.models import SHOWN, TASK

Numbered = tuple[int, Body]  # an operation, and its place in the batch


def run(caller: Caller, sent: Sequence[Body]) -> list[Body]:
    """Carry out all operations or none; returns what each did: {"op", "id", "task"}.

    Raises:
        Refusal: As for a single request; `errors` points to the operation by its number.
    """
    locks = Locks(caller)
    results: list[Body] = []
    for _, neighbours in groupby(enumerate(sent), _goes_with):
        group = list(neighbours)
        if len(group) == 1:
            results.append(_carry_out(locks, *group[0]))
        else:
            results += _write_all(locks, group)
    return results


def _goes_with(numbered: Numbered) -> tuple[str, int | None]:
    """The key for groupby: equal only for creates, or for upserts, in the same project."""
    number, operation = numbered
    if operation["op"] == "create":
        return "create", operation["body"].get("project_id")
    if operation["op"] == "upsert":
        return "upsert", operation["project_id"]
    return "alone", number


def _carry_out(locks: Locks, number: int, operation: Body) -> Body:
    with _named(number):
        task = operations.carry_out(locks, operation)
    if task is None:
        return {"op": operation["op"], "id": operation["id"]}
    return {"op": operation["op"], "id": task.id, "task": task}


def _write_all(locks: Locks, group: Sequence[Numbered]) -> list[Body]:
    """Carry out successive creates or upserts in one project."""
    first_number, first = group[0]
    project_id = first.get("project_id", first["body"].get("project_id"))
    with _named(first_number):
        lock = locks.project(project_id)
    bodies = [_whole_body(locks.caller, operation) for _, operation in group]
    project = _looked_up(lock, bodies)
    results: list[Body] = []
    together: list[Write] = []
    for (number, operation), body in zip(group, bodies, strict=True):
        write = Write(operation["op"], body, project.task_to_update(operation, body))
        if project.takes(write, _room(lock, together)):
            together.append(write)
            continue
        results += _write_together(lock, together)
        together = []
        results.append(_carry_out(locks, number, operation))
    return results + _write_together(lock, together)


def _whole_body(caller: Caller, operation: Body) -> Body:
    """What a create would have in its body, with the caller's time zone."""
    body = rows.with_time_zone(operation["body"], caller.timezone)
    if operation["op"] == "upsert":
        return {**body, "external_id": operation["external_id"]}
    return body


@dataclass
class Write:
    """A create, or an upsert of a task that is new or was `before`."""

    op: str
    body: Body
    before: Row | None
    task_id: int = 0  # of a new task: once it is inserted


def _room(lock: Lock, together: Sequence[Write]) -> int:
    """How many more tasks the project may have once these are written."""
    new = [write for write in together if write.before is None]
    return TASKS_OF_PROJECT.most - lock.task_count - len(new)


@dataclass
class Project:
    """What the operations refer to, looked up once for all of them."""

    members: set[int]
    parents: set[int]
    tasks: dict[str, Row]  # by external_id
    used: set[str] = field(default_factory=set)  # external ids of operations so far

    def task_to_update(self, operation: Body, body: Body) -> Row | None:
        """The task that an upsert finds."""
        if operation["op"] != "upsert":
            return None
        return self.tasks.get(body["external_id"])

    def takes(self, write: Write, room: int) -> bool:
        """Whether a write is sure to succeed as it was looked up; marks its key as used."""
        body = write.body
        key = body.get("external_id")
        is_used = key in self.used
        if key is not None:
            self.used.add(key)
        if is_used or not self._has(body):
            return False
        if write.before is None:
            return room > 0 and key not in self.tasks and _makes_one_task(body)
        return _may_update(write.before, body)

    def _has(self, body: Body) -> bool:
        """Whether the project has the assignee and the parent."""
        assignee_id = body.get("assignee_id")
        if assignee_id is not None and assignee_id not in self.members:
            return False
        parent_id = body.get("parent_id")
        return parent_id is None or parent_id in self.parents


def _makes_one_task(body: Body) -> bool:
    """Whether a create is valid, and makes no next occurrence at once."""
    repeats = body.get("repeat") is not None
    if "title" not in body or (repeats and body.get("status") == "done"):
        return False
    return not any(rows.faults({}, body))


def _may_update(before: Row, body: Body) -> bool:
    """Whether an update is sure to be valid; another parent could be a task below this one."""
    if settings().require_if_match or body.get("parent_id") not in {None, before.parent_id}:
        return False
    return not any(rows.faults(before._mapping, body))


def _looked_up(lock: Lock, bodies: Sequence[Body]) -> Project:
    members: set[int] = set()
    if _values_of(bodies, "assignee_id"):
        members.update(db.session.scalars(access.members_of(lock.project_id)))
    parents = _those_there(lock, TASK.id, _values_of(bodies, "parent_id"))
    tasks = _those_there(lock, TASK.external_id, _values_of(bodies, "external_id"))
    by_key = {task.external_id: task for task in tasks}
    return Project(members, {task.id for task in parents}, by_key)


def _values_of(bodies: Sequence[Body], name: str) -> set[Any]:
    return {body[name] for body in bodies if body.get(name) is not None}


def _those_there(lock: Lock, column: sa.Column[Any], values: set[Any]) -> list[Row]:
    """The tasks of the project that have one of these values."""
    if not values:
        return []
    in_project = TASK.project_id == lock.project_id
    there = SHOWN.where(in_project, column.in_(values))
    return list(db.session.execute(there))


def _write_together(lock: Lock, together: Sequence[Write]) -> list[Body]:
    if not together:
        return []
    new = [write for write in together if write.before is None]
    task_ids = writes.insert_many(lock, [write.body for write in new])
    for write, task_id in zip(new, task_ids, strict=True):
        write.task_id = task_id
    writes.record_inserted(lock, [(write.task_id, write.body) for write in new])
    writes.update_many(lock, list(_changes(together)))
    return _results(together)


def _changes(together: Sequence[Write]) -> Iterator[writes.Change]:
    """What the upserts really change in tasks that existed."""
    for write in together:
        if write.before is not None:
            write.task_id = write.before.id
            fields = changed_fields(write.before, write.body)
            if fields:
                yield writes.Change(write.before, fields)


def _results(together: Sequence[Write]) -> list[Body]:
    task_ids = [write.task_id for write in together]
    shown = db.session.execute(SHOWN.where(TASK.id.in_(task_ids)))
    tasks = {task.id: task for task in shown}
    results = []
    for write in together:
        task = tasks[write.task_id]
        results.append({"op": write.op, "id": task.id, "task": task})
    return results


@contextmanager
def _named(number: int) -> Iterator[None]:
    """Add the number of the operation to a refusal."""
    try:
        yield
    except Refusal as refusal:
        raise refusal.of_operation(number) from None
