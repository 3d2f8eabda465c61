"""How every room reaches a task: who sees it, and the locks that are needed to change it."""

from collections.abc import Collection
from dataclasses import dataclass, field

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.hot import Hot, HotWrite
from taskapp.database.session import Row, read
from taskapp.errors import BeginAgain, NotFound
from taskapp.ledger import access, events, revisions
from taskapp.ledger.revisions import Lock
from taskapp.schema import BigInt
from taskapp.tasks.models import SHOWN, TASK, TASK_IDS

TASK_ID = sa.bindparam("task_id", type_=BigInt)
_BY_ID = TASK.id == TASK_ID
_IN_PROJECT = TASK.project_id == access.PROJECT_ID
_BY_KEY = TASK.external_id == sa.bindparam("external_id")
_VISIBLE_PROJECTS = access.visible_projects(access.USER_ID)
_IS_VISIBLE = TASK.project_id.in_(_VISIBLE_PROJECTS)
_VISIBLE = SHOWN.where(_BY_ID, _IS_VISIBLE)
_VISIBLE_BY_KEY = SHOWN.where(_IN_PROJECT, _BY_KEY, _IS_VISIBLE)
VISIBLE_TASK = Hot(_VISIBLE)
_HOT_VISIBLE_BY_KEY = Hot(_VISIBLE_BY_KEY)
_PROJECT_ID = sa.select(TASK.project_id).where(_BY_ID)
_LOCK = HotWrite(revisions.LOCKED.where(access.PROJECTS.c.id == _PROJECT_ID.scalar_subquery()))
_UNDER_LOCK = HotWrite(_VISIBLE)


class TaskNotFound(NotFound):
    """No task that you can see has this id."""


def visible_task(caller: Caller, task_id: int) -> Row:
    """A task that the caller sees.

    Raises:
        TaskNotFound: They see none with this id.
    """
    return VISIBLE_TASK.one_or_raise(_values(caller, task_id), TaskNotFound)


def visible_task_by_key(caller: Caller, project_id: int, external_id: str) -> Row:
    """A task that the caller sees, by the client's own key.

    Raises:
        TaskNotFound: The caller does not see the project, or no task in it has this key.
    """
    values = {"in_id": project_id, "external_id": external_id, "user_id": caller.user_id}
    return _HOT_VISIBLE_BY_KEY.one_or_raise(values, TaskNotFound)


def projects_of(caller: Caller, task_ids: Collection[int]) -> dict[int, int]:
    """The project of each of these tasks that the caller sees; without a lock, they may move."""
    named = TASK.id.in_(task_ids)
    visible = TASK.project_id.in_(access.visible_projects(caller.user_id))
    tasks = read(sa.select(TASK.id, TASK.project_id).where(named, visible))
    return {task.id: task.project_id for task in tasks}


def was_deleted(caller: Caller, task_id: int) -> bool:
    """Whether this is a deleted task of a project that the caller sees."""
    live = TASK_IDS.where(TASK.id == task_id)
    if read(live).first() is not None:
        return False
    deletion = events.last_deletion(task_id, caller.user_id)
    return read(deletion).first() is not None


@dataclass
class Locks:
    """The projects that one transaction has locked for its caller, each once."""

    caller: Caller
    held: dict[int | None, Lock] = field(default_factory=dict)  # None is the caller's inbox

    def project(self, project_id: int | None) -> Lock:
        """The lock of a project, or of the inbox.

        Raises:
            ProjectNotFound: The caller does not see it.
            Forbidden: The caller may not change its tasks.
            BeginAgain: A project after it is held.
        """
        if project_id not in self.held:
            self._keep_order(project_id)
            lock = revisions.lock_project(self.caller, project_id)
            self.held[project_id] = self.held.setdefault(lock.project_id, lock)
        return self.held[project_id]

    def _keep_order(self, project_id: int | None) -> None:
        """Hold nothing while this waits for a project that comes before one that is held.

        It is one to which a task has moved since it was looked up.

        Raises:
            ProjectNotFound, Forbidden
            BeginAgain
        """
        held = [lock.project_id for lock in self.held.values()]
        if project_id is not None and held and project_id < max(held):
            access.require_role(self.caller, project_id, access.EDIT)
            raise BeginAgain

    def all_of(self, project_ids: set[int | None]) -> None:
        """Lock those of the projects in which the caller may change tasks.

        The operation that needs another one is refused when its turn comes.
        """
        locks = revisions.lock_projects(self.caller, project_ids)
        editable = {name: lock for name, lock in locks.items() if lock.role in access.EDIT}
        self.held.update(editable)

    def task(self, task_id: int, target_id: int | None = None) -> Row:
        """Lock a task's project, and the project that it is to move to; returns the task.

        Projects are locked in the order of their ids, so that two moves do not wait for each
        other. If the task moved away before the lock was held, its new project is locked, or
        everything is begun again.

        Raises:
            TaskNotFound: The caller does not see it.
            ProjectNotFound: The caller does not see the target.
            Forbidden: The caller may not change tasks in one of the projects.
        """
        values = _values(self.caller, task_id)
        if not self.held and target_id is None:  # most writes: one statement locks, one reads
            lock = revisions.lock_by(_LOCK, values, access.EDIT, TaskNotFound)
            self.held[lock.project_id] = lock
        while True:
            task = _UNDER_LOCK.one_or_raise(values, TaskNotFound)
            needed = {task.project_id, target_id or task.project_id}
            if needed <= self.held.keys():
                return task
            for project_id in sorted(needed):
                self.project(project_id)


def lock_project_of(caller: Caller, task_id: int) -> Lock:
    """Lock the task's project, to write a comment or an attachment.

    Raises:
        TaskNotFound, Forbidden: As for a write of the task.
    """
    locks = Locks(caller)
    return locks.project(locks.task(task_id).project_id)


def _values(caller: Caller, task_id: int) -> dict[str, int]:
    return {"task_id": task_id, "user_id": caller.user_id}
