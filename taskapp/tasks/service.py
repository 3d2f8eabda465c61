"""What can be done with tasks; each write is one commit, under its project's next revision."""

from typing import Any

import sqlalchemy as sa

from taskapp.errors import Refusal, StaleRevision
from taskapp.extensions import Body, Expect, Row, db, read
from taskapp.pages import Created, Page
from taskapp.projects import access
from taskapp.projects.access import Caller, ProjectNotFound, Turn
from taskapp.tasks import bulk, rows
from taskapp.tasks import query as task_query
from taskapp.tasks.models import Task
from taskapp.tasks.rows import COLUMNS, TaskNotFound

Turns = dict[int, Turn]
Seen = list[tuple[int, int, str]]
_VISIBLE = (
    sa.select(*COLUMNS)
    .where(Task.id == sa.bindparam("task_id"))
    .where(Task.project_id.in_(access.visible_to(sa.bindparam("user_id", type_=sa.BigInteger))))
)


def get_task(caller: Caller, task_id: int) -> Row:
    return _seen(read(_VISIBLE, _names(caller, task_id)))


def list_tasks(caller: Caller, seen: Seen, query: Body) -> Page:
    project_ids = [project_id for project_id, _, _ in seen]
    if "project_id" in query:
        if query["project_id"] not in project_ids:
            raise ProjectNotFound
        project_ids = [query["project_id"]]
    return task_query.page(COLUMNS, project_ids, {**query, "me": caller.user_id})


def create_task(caller: Caller, body: Body) -> Row:
    project_id = body.get("project_id") or access.inbox_of(caller.user_id)
    task = rows.insert(caller, access.take_turn(caller, project_id), body)
    db.session.commit()
    return task


def update_task(caller: Caller, task_id: int, body: Body, expect: Expect) -> Row:
    """Change the fields that are sent; sent as they are already, they change nothing at all."""
    return _keep(*_update(caller, {}, task_id, body, expect))


def put_task(
    caller: Caller, project_id: int, external_id: str, body: Body, expect: Expect
) -> Row | Created:
    """Make it so: the project's lock decides which of many at once creates the task."""
    turn = access.take_turn(caller, project_id)
    there = sa.select(*COLUMNS).where(Task.project_id == project_id)
    before = db.session.execute(there.where(Task.external_id == external_id)).one_or_none()
    expect(before)
    if before is not None:
        return _keep(before, rows.update(caller, before, turn, turn, body))
    task = rows.insert(caller, turn, {**body, "external_id": external_id})
    db.session.commit()
    return Created(task)


def delete_task(caller: Caller, task_id: int, expect: Expect) -> None:
    turns: Turns = {}
    task = _lock(caller, turns, task_id)
    expect(task)
    rows.delete(task_id, turns[task.project_id])
    db.session.commit()


def run_batch(caller: Caller, operations: list[Body]) -> Body:
    """Carry out all operations or none; a refusal is the one that its operation would have had."""
    turns: Turns = {}
    results, changed = [], False
    for number, operation in enumerate(operations):
        try:
            before, after = _carry_out(caller, turns, operation)
        except Refusal as refusal:
            raise refusal.of_operation(number) from None
        changed = changed or before is not after
        result = {"op": operation["op"], "id": operation.get("id")}
        results.append(result if after is None else {**result, "id": after.id, "task": after})
    _end(changed)
    return {"results": results}


def take_turn(caller: Caller, task_id: int) -> Turn:
    """A turn of the task's project, to write what hangs on the task; refuses as a write of it."""
    turns: Turns = {}
    return turns[_lock(caller, turns, task_id).project_id]


def import_tasks(caller: Caller, project_id: int | None, items: list[Body]) -> Body:
    """Create or update what the items say, all or nothing."""
    turn = access.take_turn(caller, project_id or access.inbox_of(caller.user_id))
    counts = bulk.upsert(turn, items)
    _end(counts["created"] + counts["updated"] > 0)
    return counts


def _keep(before: Row, after: Row) -> Row:
    """Commit a change; without one give the turn back, so that not even the revision moves."""
    _end(after is not before)
    return after


def _end(changed: bool) -> None:
    if changed:
        db.session.commit()
    else:
        db.session.rollback()


def _lock(caller: Caller, turns: Turns, task_id: int, target_id: int | None = None) -> Row:
    """The task, with turns taken of its project and of the one it shall be in.

    In the order of their ids, so that two moves do not wait for each other; a task that moved
    away before the lock was won is looked for again.
    """
    while True:
        task = _seen(db.session.execute(_VISIBLE, _names(caller, task_id)))
        wanted = {task.project_id, target_id or task.project_id} - turns.keys()
        if not wanted:
            return task
        for project_id in sorted(wanted):
            turns[project_id] = access.take_turn(caller, project_id)


def _update(
    caller: Caller, turns: Turns, task_id: int, body: Body, expect: Expect
) -> tuple[Row, Row]:
    before = _lock(caller, turns, task_id, body.get("project_id"))
    expect(before)
    source, target = before.project_id, body.get("project_id") or before.project_id
    return before, rows.update(caller, before, turns[source], turns[target], body)


def _carry_out(caller: Caller, turns: Turns, operation: Body) -> tuple[Row | None, Row | None]:
    """The task before and after one operation of a batch."""

    def expect(task: Row | None) -> None:
        if task and operation.get("revision", task.revision) != task.revision:
            raise StaleRevision

    if operation["op"] == "update":
        return _update(caller, turns, operation["id"], operation["body"], expect)
    if operation["op"] == "delete":
        before = _lock(caller, turns, operation["id"])
        expect(before)
        rows.delete(before.id, turns[before.project_id])
        return before, None
    home = operation["body"].get("project_id") or access.inbox_of(caller.user_id)
    if home not in turns:
        turns[home] = access.take_turn(caller, home)
    return None, rows.insert(caller, turns[home], operation["body"])


def _names(caller: Caller, task_id: int) -> dict[str, int]:
    return {"task_id": task_id, "user_id": caller.user_id}


def _seen(found: sa.Result[Any]) -> Row:
    task = found.one_or_none()
    if task is None:
        raise TaskNotFound
    return task
