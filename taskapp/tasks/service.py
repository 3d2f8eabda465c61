"""What can be done with tasks; each write is one commit, under its project's next revision."""

import sqlalchemy as sa

from taskapp.errors import PreconditionRequired, Refusal, StaleRevision
from taskapp.extensions import Body, Expect, Row, db, settings
from taskapp.pages import Created, Page
from taskapp.projects import access
from taskapp.projects.access import Caller, Seen
from taskapp.tasks import bulk, rows
from taskapp.tasks import query as task_query
from taskapp.tasks.access import Turns, lock, visible_task
from taskapp.tasks.models import COLUMNS, Task


def get_task(caller: Caller, task_id: int) -> Row:
    return visible_task(caller, task_id)


def list_tasks(caller: Caller, seen: Seen, query: Body) -> Page:
    project_ids = access.ids_of(seen, query.get("project_id"))
    return task_query.page(project_ids, {**query, "me": caller.user_id})


def create_task(caller: Caller, body: Body) -> Row:
    task = rows.insert(caller, access.take_turn(caller, body.get("project_id")), body)
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
    return Created(task, {})


def delete_task(caller: Caller, task_id: int, expect: Expect) -> None:
    turns: Turns = {}
    task = lock(caller, turns, task_id)
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


def import_tasks(caller: Caller, project_id: int | None, items: list[Body]) -> Body:
    """Create or update what the items say, all or nothing."""
    turn = access.take_turn(caller, project_id)
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


def _update(
    caller: Caller, turns: Turns, task_id: int, body: Body, expect: Expect
) -> tuple[Row, Row]:
    before = lock(caller, turns, task_id, body.get("project_id"))
    expect(before)
    source, target = before.project_id, body.get("project_id") or before.project_id
    return before, rows.update(caller, before, turns[source], turns[target], body)


def _carry_out(caller: Caller, turns: Turns, operation: Body) -> tuple[Row | None, Row | None]:
    """The task before and after one operation of a batch."""

    def expect(task: Row | None) -> None:
        if settings().require_if_match and "revision" not in operation:
            raise PreconditionRequired
        if task and operation.get("revision", task.revision) != task.revision:
            raise StaleRevision

    if operation["op"] == "update":
        return _update(caller, turns, operation["id"], operation["body"], expect)
    if operation["op"] == "delete":
        before = lock(caller, turns, operation["id"])
        expect(before)
        rows.delete(before.id, turns[before.project_id])
        return before, None
    home = operation["body"].get("project_id")
    if home not in turns:
        turn = access.take_turn(caller, home)
        turns[home] = turns[turn.project_id] = turn
    return None, rows.insert(caller, turns[home], operation["body"])
