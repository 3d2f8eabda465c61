"""What can be done with tasks. Each write takes the next revision of its project."""

from collections.abc import Iterable

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import Created, Page
from taskapp.database.session import Body, Precondition, Row, in_transaction, read
from taskapp.errors import Invalid
from taskapp.extensions import db
from taskapp.ledger import access, revisions
from taskapp.ledger.access import Seen
from taskapp.tasks import batches, bulk, operations, query, short_writes, undo, writes
from taskapp.tasks.access import Locks, TaskNotFound, visible_task, visible_task_by_key
from taskapp.tasks.models import TASK, TASK_IDS


def get_task(caller: Caller, task_id: int) -> Row:
    """A task that the caller sees.

    Raises:
        TaskNotFound
    """
    return visible_task(caller, task_id)


def list_tasks(caller: Caller, seen: Seen, parameters: Body) -> Page:
    """One page of the tasks in the projects that the caller sees, or in one of them.

    Raises:
        ProjectNotFound: The caller does not see the one that `project_id` names.
    """
    project_ids = access.ids_of(seen, parameters.get("project_id"))
    return query.page(project_ids, {**parameters, "me": caller.user_id})


def create_task(caller: Caller, body: Body) -> Row:
    """Create a task, in the caller's inbox if no project is named.

    Raises:
        ProjectNotFound, Forbidden: The caller does not see the project, or may not write there.
        AssigneeNotFound, ParentNotFound, Invalid, ExternalIdTaken
    """
    task = short_writes.create(caller, body)
    if task is not None:
        return task
    lock = revisions.lock_project(caller, body.get("project_id"))
    return writes.insert(caller, lock, body)


def update_task(caller: Caller, task_id: int, body: Body, precondition: Precondition) -> Row:
    """Change the fields that are sent; if all have these values already, nothing is written.

    Raises:
        TaskNotFound, ProjectNotFound, Forbidden, StaleRevision
        AssigneeNotFound, ParentNotFound, Invalid, ExternalIdTaken
    """
    task = short_writes.update(caller, task_id, body, precondition)
    return task or operations.update(Locks(caller), task_id, body, precondition)


def put_task(
    caller: Caller, project_id: int, external_id: str, body: Body, precondition: Precondition
) -> Row | Created:
    """Create the task with this key, or set its fields; of many at once, one creates it.

    Raises:
        ProjectNotFound, Forbidden, StaleRevision
        AssigneeNotFound, ParentNotFound, Invalid: To be created, it also needs a title.
    """
    lock = revisions.lock_project(caller, project_id)
    before = operations.task_by_key(lock, external_id)
    precondition(before)
    if before is not None:
        return writes.update(caller, before, lock, body)
    if "title" not in body:
        raise Invalid.field("title", "Missing data for required field.")
    return Created(writes.insert(caller, lock, {**body, "external_id": external_id}), {})


def get_task_by_key(caller: Caller, project_id: int, external_id: str) -> Row:
    """The task of a project with the client's own key.

    Raises:
        TaskNotFound
    """
    return visible_task_by_key(caller, project_id, external_id)


def update_task_by_key(
    caller: Caller, project_id: int, external_id: str, body: Body, precondition: Precondition
) -> Row:
    """Change the fields that are sent.

    Raises:
        TaskNotFound, ProjectNotFound, Forbidden, StaleRevision
        AssigneeNotFound, ParentNotFound, Invalid
    """
    lock = revisions.lock_project(caller, project_id)
    task = _require(operations.task_by_key(lock, external_id))
    precondition(task)
    return writes.update(caller, task, lock, body)


def delete_task_by_key(
    caller: Caller, project_id: int, external_id: str, precondition: Precondition
) -> None:
    """Delete a task and what is below it.

    Raises:
        TaskNotFound, ProjectNotFound, Forbidden, StaleRevision
    """
    lock = revisions.lock_project(caller, project_id)
    task = _require(operations.task_by_key(lock, external_id))
    precondition(task)
    writes.delete([task.id], lock)


def restore_task(caller: Caller, task_id: int) -> Row:
    """Bring a deleted task back, with what was below it.

    Raises:
        TaskNotFound, Forbidden, NotDeleted, ParentGone, ExternalIdTaken
    """
    return undo.restore_task(caller, task_id)


def next_occurrence(caller: Caller, task: Row | Created) -> int | None:
    """The id of the next occurrence of a task that repeats and was done, if the caller sees it."""
    row = task.row if isinstance(task, Created) else task
    if row.repeat is None:
        return None
    its_next_id = sa.select(TASK.next_id).where(TASK.id == row.id)
    is_next = TASK.id == its_next_id.correlate(None).scalar_subquery()
    visible = access.visible_projects(caller.user_id)
    after = TASK_IDS.where(is_next, TASK.project_id.in_(visible))
    # A write must see what it has just written; a read needs no transaction.
    result = db.session.execute(after) if in_transaction() else read(after)
    next_id: int | None = result.scalar()
    return next_id


def delete_task(caller: Caller, task_id: int, precondition: Precondition) -> None:
    """Delete a task and what is below it.

    Raises:
        TaskNotFound, Forbidden, StaleRevision
    """
    operations.delete(Locks(caller), task_id, precondition)


def run_batch(caller: Caller, sent: list[Body]) -> Body:
    """Carry out all operations or none; a refusal is that of the first one that fails."""
    return {"results": batches.run(caller, sent)}


def import_tasks(
    caller: Caller, project_id: int | None, items: Iterable[Body], *, dry_run: bool
) -> Body:
    """Create or update a task for each item, all or none; a dry run changes nothing.

    The items are read several times.

    Raises:
        ProjectNotFound, Forbidden, InvalidRows
    """
    lock = revisions.lock_project(caller, project_id)
    counts = bulk.upsert(lock, items, caller.timezone)
    if dry_run:
        db.session.rollback()
    return counts


def _require(task: Row | None) -> Row:
    if task is None:
        raise TaskNotFound
    return task
