"""The one door to a task, also for other rooms: who sees it, and the turn to change it."""

import sqlalchemy as sa

from taskapp.errors import NotFound
from taskapp.extensions import Row, db, now, one, read
from taskapp.projects import access
from taskapp.projects.access import Caller, Lock, Revision
from taskapp.tasks.models import COLUMNS, TASKS

Locks = dict[int | None, Lock]  # by project; None is the caller's inbox
_VISIBLE = sa.select(*COLUMNS).where(
    TASKS.c.id == sa.bindparam("task_id"), TASKS.c.project_id.in_(access.visible_to(access.USER_ID))
)
_LOCK = access.LOCKED.where(
    access.PROJECTS.c.id
    == sa.select(TASKS.c.project_id).where(TASKS.c.id == sa.bindparam("task_id")).scalar_subquery()
)


class TaskNotFound(NotFound):
    """No task that you can see has this id."""


def visible_task(caller: Caller, task_id: int) -> Row:
    return one(read(_VISIBLE, _names(caller, task_id)), TaskNotFound)


def lock_project_of(caller: Caller, task_id: int) -> Lock:
    """The lock of the task's project, to write what hangs on the task; refuses as a write of it."""
    locks: Locks = {}
    return locks[lock_task(caller, locks, task_id).project_id]


def lock_task(caller: Caller, locks: Locks, task_id: int, target_id: int | None = None) -> Row:
    """The task, with its project locked and the one it shall be in; both go into `locks`.

    In the order of their ids, so that two moves do not wait for each other; a task that moved
    away before the lock was won is looked for again.
    """
    if not locks and target_id is None:  # most writes: the lock comes first, and one look is enough
        lock = access.lock_by(_LOCK, _names(caller, task_id), access.EDIT, TaskNotFound)
        locks[lock.project_id] = lock
    while True:
        task = one(db.session.execute(_VISIBLE, _names(caller, task_id)), TaskNotFound)
        wanted: set[int] = {task.project_id, target_id or task.project_id} - locks.keys()
        if not wanted:
            return task
        for project_id in sorted(wanted):
            locks[project_id] = access.lock_project(caller, project_id)


def bury_tasks_of(revision: Revision) -> None:
    """Leave a tombstone for every task of a project that is about to be deleted."""
    # Each goes with its project then, and none with a parent: SQLite cascades 1,000 deep.
    orphaned = (
        sa.update(TASKS).where(TASKS.c.project_id == revision.project_id).values(parent_id=None)
    )
    task_ids = db.session.scalars(orphaned.returning(TASKS.c.id)).all()
    access.record(revision, "deleted", task_ids)


def unassign(revision: Revision, user_id: int) -> None:
    """Clear a leaving member from the project's tasks."""
    cleared = db.session.scalars(
        sa.update(TASKS)
        .where(TASKS.c.project_id == revision.project_id, TASKS.c.assignee_id == user_id)
        .values(assignee_id=None, revision=revision.revision, updated_at=now())
        .returning(TASKS.c.id)
    )
    access.record(revision, "updated", cleared.all(), assignee_id=[user_id, None])


def _names(caller: Caller, task_id: int) -> dict[str, int]:
    return {"task_id": task_id, "user_id": caller.user_id}
