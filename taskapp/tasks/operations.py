"""Write one task: what a request, or one operation of a batch, asks for."""

from dataclasses import dataclass

from taskapp.database.session import Body, Precondition, Row
from taskapp.errors import Invalid, PreconditionRequired, StaleRevision
from taskapp.extensions import db, settings
from taskapp.ledger.revisions import Lock
from taskapp.tasks import writes
from taskapp.tasks.access import Locks
from taskapp.tasks.models import SHOWN, TASK


@dataclass
class SentRevision:
    """The precondition of an operation: the task still has the `revision` that was sent."""

    operation: Body

    def __call__(self, task: Row | None) -> None:
        sent = self.operation.get("revision")
        if sent is None and settings().require_if_match:
            raise PreconditionRequired
        if sent is not None and task is not None and task.revision != sent:
            raise StaleRevision


def carry_out(locks: Locks, operation: Body) -> Row | None:
    """Carry out one operation of a batch; returns the task, or None if it was deleted.

    Raises:
        TaskNotFound, ProjectNotFound, Forbidden, StaleRevision, PreconditionRequired
        AssigneeNotFound, ParentNotFound, Invalid, ExternalIdTaken, QuotaExceeded
    """
    match operation["op"]:
        case "create":
            body = operation["body"]
            lock = locks.project(body.get("project_id"))
            return writes.insert(locks.caller, lock, body)
        case "update":
            precondition = SentRevision(operation)
            return update(locks, operation["id"], operation["body"], precondition)
        case "upsert":
            return _upsert(locks, operation)
        case _:
            delete(locks, operation["id"], SentRevision(operation))
            return None


def update(locks: Locks, task_id: int, body: Body, precondition: Precondition) -> Row:
    """Change the fields that are sent; another `project_id` moves the task.

    Raises:
        TaskNotFound, ProjectNotFound, Forbidden, StaleRevision
        AssigneeNotFound, ParentNotFound, Invalid, ExternalIdTaken
    """
    target_id = body.get("project_id")
    task = locks.task(task_id, target_id)
    precondition(task)
    lock = locks.project(task.project_id)
    if target_id in {None, task.project_id}:
        return writes.update(locks.caller, task, lock, body)
    target = locks.project(target_id)
    return writes.update(locks.caller, task, target, body, source=lock)


def delete(locks: Locks, task_id: int, precondition: Precondition) -> None:
    """Delete a task and what is below it.

    Raises:
        TaskNotFound, Forbidden, StaleRevision
    """
    task = locks.task(task_id)
    precondition(task)
    writes.delete([task_id], locks.project(task.project_id))


def task_by_key(lock: Lock, external_id: str) -> Row | None:
    """The task of a locked project that has this external_id."""
    in_project = TASK.project_id == lock.project_id
    by_key = SHOWN.where(in_project, TASK.external_id == external_id)
    return db.session.execute(by_key).one_or_none()


def _upsert(locks: Locks, operation: Body) -> Row:
    lock = locks.project(operation["project_id"])
    external_id = operation["external_id"]
    body = operation["body"]
    before = task_by_key(lock, external_id)
    if before is not None:
        if settings().require_if_match:
            raise PreconditionRequired
        return writes.update(locks.caller, before, lock, body)
    if "title" not in body:
        raise Invalid.field("title", "Missing data for required field.")
    return writes.insert(locks.caller, lock, {**body, "external_id": external_id})
