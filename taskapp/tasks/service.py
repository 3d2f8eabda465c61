"""What can be done with tasks; each write is one commit, under its project's next revision."""

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import Created, Page
from taskapp.database.session import Body, Precondition, Row
from taskapp.errors import PreconditionRequired, Refusal, StaleRevision
from taskapp.extensions import db, settings
from taskapp.ledger import access, revisions
from taskapp.ledger.access import Seen
from taskapp.ledger.revisions import Lock
from taskapp.tasks import bulk, writes
from taskapp.tasks import query as task_query
from taskapp.tasks.access import Locks, lock_task, visible_task
from taskapp.tasks.models import COLUMNS, Task


def get_task(caller: Caller, task_id: int) -> Row:
    return visible_task(caller, task_id)


def list_tasks(caller: Caller, seen: Seen, query: Body) -> Page:
    project_ids = access.ids_of(seen, query.get("project_id"))
    return task_query.page(project_ids, {**query, "me": caller.user_id})


def create_task(caller: Caller, body: Body) -> Row:
    return writes.insert(caller, revisions.lock_project(caller, body.get("project_id")), body)


def update_task(caller: Caller, task_id: int, body: Body, precondition: Precondition) -> Row:
    """Change the fields that are sent; sent as they are already, they change nothing at all."""
    return _update(caller, {}, task_id, body, precondition)


def put_task(
    caller: Caller, project_id: int, external_id: str, body: Body, precondition: Precondition
) -> Row | Created:
    """Make it so: the project's lock decides which of many at once creates the task."""
    lock = revisions.lock_project(caller, project_id)
    there = sa.select(*COLUMNS).where(Task.project_id == project_id)
    before = db.session.execute(there.where(Task.external_id == external_id)).one_or_none()
    precondition(before)
    if before is not None:
        return writes.update(caller, before, lock, lock, body)
    return Created(writes.insert(caller, lock, {**body, "external_id": external_id}), {})


def delete_task(caller: Caller, task_id: int, precondition: Precondition) -> None:
    locks: Locks = {}
    _delete(caller, locks, task_id, precondition)


def run_batch(caller: Caller, operations: list[Body]) -> Body:
    """Carry out all operations or none; a refusal is the one that its operation would have had."""
    locks: Locks = {}
    results = []
    for number, operation in enumerate(operations):
        try:
            task = _carry_out(caller, locks, operation)
        except Refusal as refusal:
            raise refusal.of_operation(number) from None
        result = {"op": operation["op"], "id": operation.get("id")}
        results.append(result if task is None else {**result, "id": task.id, "task": task})
    return {"results": results}


def import_tasks(caller: Caller, project_id: int | None, items: list[Body]) -> Body:
    """Create or update what the items say, all or nothing."""
    return bulk.upsert(revisions.lock_project(caller, project_id), items)


def _update(
    caller: Caller, locks: Locks, task_id: int, body: Body, precondition: Precondition
) -> Row:
    before = lock_task(caller, locks, task_id, body.get("project_id"))
    precondition(before)
    target_id = body.get("project_id") or before.project_id
    return writes.update(caller, before, locks[before.project_id], locks[target_id], body)


def _delete(caller: Caller, locks: Locks, task_id: int, precondition: Precondition) -> None:
    task = lock_task(caller, locks, task_id)
    precondition(task)
    writes.delete(task_id, locks[task.project_id])


def _carry_out(caller: Caller, locks: Locks, operation: Body) -> Row | None:
    """The task after one operation of a batch."""

    def precondition(task: Row | None) -> None:
        if settings().require_if_match and "revision" not in operation:
            raise PreconditionRequired
        if task and operation.get("revision", task.revision) != task.revision:
            raise StaleRevision

    if operation["op"] == "update":
        return _update(caller, locks, operation["id"], operation["body"], precondition)
    if operation["op"] == "delete":
        _delete(caller, locks, operation["id"], precondition)
        return None
    home = operation["body"].get("project_id")
    return writes.insert(caller, _lock(caller, locks, home), operation["body"])


def _lock(caller: Caller, locks: Locks, project_id: int | None) -> Lock:
    """The lock of a project, taken once; None is the inbox."""
    if project_id not in locks:
        lock = revisions.lock_project(caller, project_id)
        locks[project_id] = locks.setdefault(lock.project_id, lock)
    return locks[project_id]
