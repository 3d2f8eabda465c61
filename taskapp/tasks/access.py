"""The one door to a task, also for other rooms: who sees it, and the turn to change it."""

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.session import Row, one_or_raise, read
from taskapp.errors import NotFound
from taskapp.extensions import db
from taskapp.ledger import access, revisions
from taskapp.ledger.revisions import Lock
from taskapp.tasks.models import COLUMNS, TASKS

Locks = dict[int | None, Lock]  # by project; None is the caller's inbox
_VISIBLE = sa.select(*COLUMNS).where(
    TASKS.c.id == sa.bindparam("task_id"),
    TASKS.c.project_id.in_(access.visible_projects(access.USER_ID)),
)
_LOCK = revisions.LOCKED.where(
    access.PROJECTS.c.id
    == sa.select(TASKS.c.project_id).where(TASKS.c.id == sa.bindparam("task_id")).scalar_subquery()
)


class TaskNotFound(NotFound):
    """No task that you can see has this id."""


def visible_task(caller: Caller, task_id: int) -> Row:
    return one_or_raise(read(_VISIBLE, _names(caller, task_id)), TaskNotFound)


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
        lock = revisions.lock_by(_LOCK, _names(caller, task_id), access.EDIT, TaskNotFound)
        locks[lock.project_id] = lock
    while True:
        task = one_or_raise(db.session.execute(_VISIBLE, _names(caller, task_id)), TaskNotFound)
        wanted: set[int] = {task.project_id, target_id or task.project_id} - locks.keys()
        if not wanted:
            return task
        for project_id in sorted(wanted):
            locks[project_id] = revisions.lock_project(caller, project_id)


def _names(caller: Caller, task_id: int) -> dict[str, int]:
    return {"task_id": task_id, "user_id": caller.user_id}
