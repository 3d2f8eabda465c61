"""A batch: operations in their order, all or none.

Successive operations of one kind in one project are written together, as in an import. One that
might fail is carried out by itself instead, so refusals are the same as for single requests.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import MAX_TEXT, Octets
from taskapp.database.quotas import TASKS_OF_PROJECT
from taskapp.database.session import Body, Row, changed_fields
from taskapp.errors import PayloadTooLarge, Refusal
from taskapp.extensions import db, settings
from taskapp.ledger import access
from taskapp.ledger.revisions import Lock
from taskapp.tasks import operations, rows, writes
from taskapp.tasks.access import Locks, projects_of
from taskapp.tasks.models import SHOWN, TASK, TASK_IDS
from taskapp.tasks.relations import descendants

TOO_LONG = (
    f"The tasks of this batch have descriptions of more than {MAX_TEXT // 2**20} MiB together:"
    " send it in smaller ones. Nothing was written."
)
Numbered = tuple[int, Body]  # an operation, and its place in the batch
_TEXT = sa.select(sa.func.sum(Octets(TASK.description)))


def run(caller: Caller, sent: Sequence[Body]) -> list[Body]:
    """Carry out all operations or none; returns what each did: {"op", "id", "task"}.

    Raises:
        Refusal: As for a single request; `errors` points to the operation by its number.
        PayloadTooLarge: The tasks have too much text together.
    """
    results: list[Body] = []
    text = 0
    for result in _carry_out_all(caller, sent):
        results.append(result)
        text += _text_of(result)
        _refuse_if_too_long(text)
    return results


def _carry_out_all(caller: Caller, sent: Sequence[Body]) -> Iterator[Body]:
    locks = Locks(caller)
    projects = _projects_of_tasks(caller, sent)
    needed = _needed(projects, sent)
    if len(needed) > 1:
        locks.all_of(needed)
    goes_with = partial(_goes_with, projects)
    for (_, project_id), neighbours in groupby(enumerate(sent), goes_with):
        group = list(neighbours)
        if len(group) == 1:
            yield _carry_out(locks, *group[0])
        else:
            yield from _write_all(locks, project_id, group)


def _text_of(result: Body) -> int:
    """The bytes of a result's description."""
    if "task" not in result:
        return 0
    return len(result["task"].description.encode())


def _refuse_if_too_long(text: int) -> None:
    """Bound what a batch holds in memory, and answers.

    Raises:
        PayloadTooLarge
    """
    if text > MAX_TEXT:
        raise PayloadTooLarge(TOO_LONG)


def _projects_of_tasks(caller: Caller, sent: Sequence[Body]) -> dict[int, int]:
    """The projects of the tasks that operations name by id, where there are several operations."""
    task_ids = {operation["id"] for operation in sent if "id" in operation}
    if len(sent) < 2 or not task_ids:
        return {}
    return projects_of(caller, task_ids)


def _needed(projects: Mapping[int, int], sent: Sequence[Body]) -> set[int | None]:
    """The projects that operations write in; None is the caller's inbox."""
    needed: set[int | None] = set(projects.values())
    for operation in sent:
        body = _body(operation)
        if operation["op"] == "upsert":
            needed.add(operation["project_id"])
        elif operation["op"] == "create" or "project_id" in body:
            needed.add(body.get("project_id"))
    return needed


def _goes_with(projects: Mapping[int, int], numbered: Numbered) -> tuple[str, int | None]:
    """The key for groupby: equal only for operations of one kind in the same project."""
    number, operation = numbered
    op = operation["op"]
    if op == "create":
        return op, operation["body"].get("project_id")
    if op == "upsert":
        return op, operation["project_id"]
    project_id = projects.get(operation["id"])
    if project_id is None or "project_id" in _body(operation):
        return "alone", number
    return op, project_id


def _body(operation: Body) -> Body:
    """The fields that are sent; a delete has none."""
    body: Body = operation.get("body", {})
    return body


def _carry_out(locks: Locks, number: int, operation: Body) -> Body:
    with _named(number):
        task = operations.carry_out(locks, operation)
    if task is None:
        return {"op": operation["op"], "id": operation["id"]}
    return {"op": operation["op"], "id": task.id, "task": task}


def _write_all(locks: Locks, project_id: int | None, group: Sequence[Numbered]) -> Iterator[Body]:
    """Carry out successive operations of one kind in one project."""
    first_number, _ = group[0]
    with _named(first_number):
        lock = locks.project(project_id)
    bodies = [_whole_body(locks.caller, operation) for _, operation in group]
    project = _looked_up(lock, [operation for _, operation in group], bodies)
    together: list[Write] = []
    for (number, operation), body in zip(group, bodies, strict=True):
        write = Write(operation, body, project.tasks.get(_key(operation)))
        if project.takes(write, _room(lock, together)):
            together.append(write)
            continue
        yield from _write_together(lock, together)
        together = []
        yield _carry_out(locks, number, operation)
    yield from _write_together(lock, together)


def _whole_body(caller: Caller, operation: Body) -> Body:
    """What a create would have in its body, with the caller's time zone."""
    body = rows.with_time_zone(_body(operation), caller.timezone)
    if operation["op"] == "upsert":
        return {**body, "external_id": operation["external_id"]}
    return body


def _key(operation: Body) -> Any:
    """What names its task: our id, or the client's own key; None where it has neither."""
    if "id" in operation:
        return operation["id"]
    return operation.get("external_id", _body(operation).get("external_id"))


@dataclass
class Write:
    """An operation on a task that is new or was `before`."""

    operation: Body
    body: Body
    before: Row | None
    task_id: int = 0  # of a new task: once it is inserted

    @property
    def op(self) -> str:
        op: str = self.operation["op"]
        return op

    @property
    def is_as_sent(self) -> bool:
        """Whether the task is still at the revision that was sent, as far as one has to be."""
        sent = self.operation.get("revision")
        if sent is None or self.before is None:
            return not settings().require_if_match
        return bool(sent == self.before.revision)


def _room(lock: Lock, together: Sequence[Write]) -> int:
    """How many more tasks the project may have once these are written."""
    new = [write for write in together if write.before is None]
    return TASKS_OF_PROJECT.most - lock.task_count - len(new)


@dataclass
class Project:
    """What the operations refer to, looked up once for all of them."""

    members: set[int]
    parents: set[int]
    tasks: dict[Any, Row]  # by what names them
    below: set[int]  # the tasks below those that are to be deleted
    used: set[Any] = field(default_factory=set)  # what named the tasks of operations so far

    def takes(self, write: Write, room: int) -> bool:
        """Whether a write is sure to succeed as it was looked up; marks its task as used."""
        body = write.body
        key = _key(write.operation)
        is_used = key in self.used
        if key is not None:
            self.used.add(key)
        if is_used or not self._has(body):
            return False
        if write.op == "create" or (write.op == "upsert" and write.before is None):
            return room > 0 and write.before is None and _makes_one_task(body)
        if write.before is None or not write.is_as_sent:
            return False
        if write.op == "delete":
            return write.before.id not in self.below
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
    """Whether an update is sure to be valid: its key free, its parent no task below this one."""
    if body.get("external_id", before.external_id) != before.external_id:
        return False
    if body.get("parent_id") not in {None, before.parent_id}:
        return False
    return not any(rows.faults(before._mapping, body))


def _looked_up(lock: Lock, operations: Sequence[Body], bodies: Sequence[Body]) -> Project:
    members: set[int] = set()
    if _values_of(bodies, "assignee_id"):
        members.update(db.session.scalars(access.members_of(lock.project_id)))
    parent_ids: set[int] = set()
    named = _values_of(bodies, "parent_id")
    if named:
        in_project = TASK.project_id == lock.project_id
        parents = TASK_IDS.where(in_project, TASK.id.in_(named))
        parent_ids.update(db.session.scalars(parents))
    task_ids = _values_of(operations, "id")
    tasks: dict[Any, Row] = {task.id: task for task in _those_there(lock, TASK.id, task_ids)}
    if not task_ids:
        keys = _values_of(bodies, "external_id")
        tasks = {task.external_id: task for task in _those_there(lock, TASK.external_id, keys)}
    below: set[int] = set()
    if operations[0]["op"] == "delete":
        below.update(descendants(list(tasks)))
    return Project(members, parent_ids, tasks, below)


def _values_of(bodies: Sequence[Body], name: str) -> set[Any]:
    return {body[name] for body in bodies if body.get(name) is not None}


def _those_there(lock: Lock, column: sa.Column[Any], values: set[Any]) -> list[Row]:
    """The tasks of the project that have one of these values.

    Raises:
        PayloadTooLarge
    """
    if not values:
        return []
    is_there = sa.and_(TASK.project_id == lock.project_id, column.in_(values))
    text = db.session.scalar(_TEXT.where(is_there))
    _refuse_if_too_long(text or 0)
    return list(db.session.execute(SHOWN.where(is_there)))


def _write_together(lock: Lock, together: Sequence[Write]) -> list[Body]:
    if not together:
        return []
    if together[0].op == "delete":
        return _delete_together(lock, together)
    new = [write for write in together if write.before is None]
    task_ids = writes.insert_many(lock, [write.body for write in new])
    for write, task_id in zip(new, task_ids, strict=True):
        write.task_id = task_id
    writes.record_inserted(lock, [(write.task_id, write.body) for write in new])
    writes.update_many(lock, list(_changes(together)))
    return _results(together)


def _delete_together(lock: Lock, together: Sequence[Write]) -> list[Body]:
    task_ids = [write.operation["id"] for write in together]
    writes.delete(task_ids, lock)
    return [{"op": "delete", "id": task_id} for task_id in task_ids]


def _changes(together: Sequence[Write]) -> Iterator[writes.Change]:
    """What updates and upserts really change in tasks that existed."""
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
