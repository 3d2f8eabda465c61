"""A batch: operations in their order, all or none.

Successive creates in one project are inserted together, as in an import. A create that might fail
is carried out by itself instead, so refusals are the same as for single requests.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.quotas import TASKS_OF_PROJECT
from taskapp.database.session import Body, Row
from taskapp.errors import Refusal
from taskapp.extensions import db
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
            results += _create_all(locks, group)
    return results


def _goes_with(numbered: Numbered) -> tuple[str, int | None]:
    """The key for groupby: equal only for creates in the same project."""
    number, operation = numbered
    if operation["op"] == "create":
        return "create", operation["body"].get("project_id")
    return "alone", number


def _carry_out(locks: Locks, number: int, operation: Body) -> Body:
    with _named(number):
        task = operations.carry_out(locks, operation)
    if task is None:
        return {"op": operation["op"], "id": operation["id"]}
    return {"op": operation["op"], "id": task.id, "task": task}


def _create_all(locks: Locks, group: Sequence[Numbered]) -> list[Body]:
    bodies = [operation["body"] for _, operation in group]
    with _named(group[0][0]):
        lock = locks.project(bodies[0].get("project_id"))
    project = _looked_up(lock, bodies)
    results: list[Body] = []
    together: list[Body] = []
    for number, operation in group:
        body = rows.with_time_zone(operation["body"], locks.caller.timezone)
        has_room = lock.task_count + len(together) < TASKS_OF_PROJECT.most
        if has_room and project.takes(body):
            together.append(body)
            continue
        results += _insert(lock, together)
        together = []
        results.append(_carry_out(locks, number, operation))
    return results + _insert(lock, together)


@dataclass
class Project:
    """What the creates refer to, looked up once for all of them."""

    members: set[int]
    parents: set[int]
    keys: set[str]  # external ids that are taken

    def takes(self, body: Body) -> bool:
        """Whether a create is sure to succeed with just this task; marks its key as taken."""
        key = body.get("external_id")
        is_free = key not in self.keys
        if key is not None:
            self.keys.add(key)
        repeats = body.get("repeat") is not None
        makes_next = repeats and body.get("status") == "done"
        return is_free and not makes_next and self._has(body) and not any(rows.faults({}, body))

    def _has(self, body: Body) -> bool:
        """Whether the project has the assignee and the parent."""
        assignee_id = body.get("assignee_id")
        if assignee_id is not None and assignee_id not in self.members:
            return False
        parent_id = body.get("parent_id")
        return parent_id is None or parent_id in self.parents


def _looked_up(lock: Lock, bodies: Sequence[Body]) -> Project:
    members: set[int] = set()
    if _values_of(bodies, "assignee_id"):
        members.update(db.session.scalars(access.members_of(lock.project_id)))
    parents = _those_there(lock, TASK.id, _values_of(bodies, "parent_id"))
    keys = _those_there(lock, TASK.external_id, _values_of(bodies, "external_id"))
    return Project(members, parents, keys)


def _values_of(bodies: Sequence[Body], name: str) -> set[Any]:
    return {body[name] for body in bodies if body.get(name) is not None}


def _those_there(lock: Lock, column: sa.Column[Any], values: set[Any]) -> set[Any]:
    """Those of the values that some task of the project has."""
    if not values:
        return set()
    in_project = TASK.project_id == lock.project_id
    there = sa.select(column).where(in_project, column.in_(values))
    return set(db.session.scalars(there))


def _insert(lock: Lock, bodies: Sequence[Body]) -> list[Body]:
    if not bodies:
        return []
    task_ids = writes.insert_many(lock, bodies)
    writes.record_inserted(lock, list(zip(task_ids, bodies, strict=True)))
    return [{"op": "create", "id": task.id, "task": task} for task in _shown(task_ids)]


def _shown(task_ids: Sequence[int]) -> Iterator[Row]:
    """The tasks with these ids, which are in ascending order."""
    tasks = SHOWN.where(TASK.id.in_(task_ids)).order_by(TASK.id)
    yield from db.session.execute(tasks)


@contextmanager
def _named(number: int) -> Iterator[None]:
    """Add the number of the operation to a refusal."""
    try:
        yield
    except Refusal as refusal:
        raise refusal.of_operation(number) from None
