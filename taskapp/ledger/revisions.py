"""A write inside a project is one sentence: lock, compare, advance, record.

lock = lock_project(caller, project_id)   # with the role, which cannot change while it is held
precondition(row)                         # If-Match, against the locked state
revision = lock.advance()                 # only if something changes
record(revision, "updated", [row.id], …)  # the event; the contract commits
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from taskapp.caller import Caller
from taskapp.database.hot import HotWrite
from taskapp.database.quotas import TASKS_OF_PROJECT, refuse
from taskapp.database.session import Body, now
from taskapp.errors import NotFound
from taskapp.extensions import db
from taskapp.ledger.access import (
    AMONG_PROJECTS,
    EDIT,
    EVENTS,
    MEMBERSHIPS,
    OF_CALLER,
    OWN,
    PROJECT_ID,
    PROJECTS,
    USER_ID,
    ProjectNotFound,
    role_is_too_small,
)

_LOCKED_COLUMNS = (PROJECTS.c.id, PROJECTS.c.revision, PROJECTS.c.task_count, MEMBERSHIPS.c.role)
_OF_PROJECT = MEMBERSHIPS.c.project_id == PROJECTS.c.id
_WITH_ROLE = sa.select(*_LOCKED_COLUMNS).join(MEMBERSHIPS, _OF_PROJECT)
# Locking both rows makes PostgreSQL read both as they are once the lock is held. On SQLite
# the transaction holds the database's one lock from its beginning.
LOCKED = _WITH_ROLE.where(OF_CALLER).with_for_update(key_share=True)
IS_THIS = PROJECTS.c.id == PROJECT_ID
IS_INBOX = PROJECTS.c.inbox_of == USER_ID
_LOCK = HotWrite(LOCKED.where(IS_THIS))
_LOCK_INBOX = HotWrite(LOCKED.where(IS_INBOX))
_LOCK_ALL = LOCKED.add_columns(PROJECTS.c.inbox_of).order_by(PROJECTS.c.id)
_NEXT: sa.BindParameter[int] = sa.bindparam("next")
_TASK_COUNT = PROJECTS.c.task_count + sa.bindparam("tasks")
_NEXT_COUNTED = {"revision": _NEXT, "task_count": _TASK_COUNT}
_ADVANCE = HotWrite(sa.update(PROJECTS).where(IS_THIS).values(_NEXT_COUNTED))
_RECORD = sa.insert(EVENTS)
_RECORD_ONE = HotWrite(_RECORD.inline())
Counted = tuple[str, bool, str | None]  # the kind, whether it is of a task, its new status
UNCOUNTED = "locks whose count of tasks changed after they had advanced"


class Revision(NamedTuple):
    """The revision of a project that this transaction took, and for whom (None: the operator)."""

    project_id: int
    revision: int
    user_id: int | None


@dataclass
class Lock:
    """A project whose row is locked until the transaction ends, and the caller's role in it."""

    project_id: int
    user_id: int | None  # None is the operator
    role: str
    before: int  # the project's revision when it was locked
    task_count: int = 0
    uncounted: int = 0  # tasks that came since it was written
    advanced: bool = False

    def advance(self, tasks: int = 0) -> Revision:
        """Take the project's next revision; a transaction takes one, however much it changes.

        `tasks` is how many tasks come into the project; negative if they leave it.

        Raises:
            QuotaExceeded
        """
        following = self.before + 1
        task_count = self.task_count + tasks
        if tasks > 0 and task_count > TASKS_OF_PROJECT.most:
            refuse(TASKS_OF_PROJECT, self.task_count, tasks)
        self.task_count = task_count
        self.uncounted += tasks
        if not self.advanced:
            self.advanced = True
            self.write()
        elif tasks:
            locks = db.session.info.setdefault(UNCOUNTED, {})
            locks[self.project_id] = self
        return Revision(self.project_id, following, self.user_id)

    def write(self) -> None:
        """Write the revision and the number of tasks."""
        following = self.before + 1
        values = {"in_id": self.project_id, "next": following, "tasks": self.uncounted}
        _ADVANCE.tuples(values)
        self.uncounted = 0


@sa.event.listens_for(db.session, "before_commit")
def _write_counts(session: Session) -> None:
    """Write the counts once for the transaction, since a batch changes them many times."""
    locks = session.info.pop(UNCOUNTED, {})
    for lock in locks.values():
        lock.write()


@sa.event.listens_for(db.session, "after_rollback")
def _forget_counts(session: Session) -> None:
    session.info.pop(UNCOUNTED, None)


def lock_project(caller: Caller, project_id: int | None, roles: Sequence[str] = EDIT) -> Lock:
    """Lock a project; without an id, the caller's inbox.

    Raises:
        ProjectNotFound: The caller does not see it, or no longer once the lock is held.
        Forbidden: The caller has none of the roles in it.
    """
    values = {"in_id": project_id, "user_id": caller.user_id}
    statement = _LOCK_INBOX
    if project_id:
        statement = _LOCK
    return lock_by(statement, values, roles, ProjectNotFound)


def lock_projects(caller: Caller, project_ids: Set[int | None]) -> dict[int | None, Lock]:
    """Lock several projects, whatever the caller's role in them; None is the caller's inbox.

    All writes lock in the order of the ids, so that no two wait for each other. Projects that the
    caller does not see are left out.
    """
    which: sa.ColumnElement[bool] = AMONG_PROJECTS
    if None in project_ids:
        which = sa.or_(AMONG_PROJECTS, IS_INBOX)
    values = {"user_id": caller.user_id, "projects": list(project_ids - {None})}
    locks: dict[int | None, Lock] = {}
    for row in db.session.execute(_LOCK_ALL.where(which), values):
        lock = Lock(row.id, caller.user_id, row.role, row.revision, row.task_count)
        locks[row.id] = lock
        if row.inbox_of == caller.user_id:
            locks[None] = lock
    return locks


def lock_for_operator(project_id: int) -> Lock | None:
    """Lock a project for a write by no user, as a reminder; None if there is no such project."""
    by_id = PROJECTS.c.id == project_id
    project = sa.select(PROJECTS.c.revision, PROJECTS.c.task_count).where(by_id)
    locked = project.with_for_update(key_share=True)
    row = db.session.execute(locked).first()
    if row is None:
        return None
    return Lock(project_id, None, OWN[0], row.revision, row.task_count)


def lock_to_join(user_id: int, project_id: int) -> Lock | None:
    """Lock a project for who is about to become a member; None if there is no such project."""
    lock = lock_for_operator(project_id)
    if lock is not None:
        lock.user_id = user_id
    return lock


def lock_by(
    statement: HotWrite, values: Body, roles: Sequence[str], refusal: type[NotFound]
) -> Lock:
    """Lock the project that a statement, derived from LOCKED, selects.

    Raises:
        refusal: It selects none.
        Forbidden: The caller has none of the roles in it.
    """
    row = statement.one_or_raise(values, refusal)
    if row.role not in roles:
        raise role_is_too_small(row.role, roles)
    return Lock(row.id, values["user_id"], row.role, row.revision, row.task_count)


def record(
    revision: Revision, kind: str, task_ids: Iterable[int | None] = (None,), **changes: Any
) -> None:
    """Record an event for each task, or one for the project, with the same changes in each."""
    same_for_all = ((task_id, changes) for task_id in task_ids)
    record_each(revision, kind, same_for_all)


def record_each(revision: Revision, kind: str, changes: Iterable[tuple[int | None, Body]]) -> None:
    """Record an event for each task, with what changed in it."""
    common = revision._asdict()
    common.update(kind=kind, at=now())
    events = []
    for task_id, fields in changes:
        events.append({**common, "task_id": task_id, "changes": fields})
        _count_event(kind, task_id, fields)
    if len(events) == 1:
        _RECORD_ONE.tuples(events[0])
    elif events:
        db.session.execute(_RECORD, events)


def counted(kind: str, task_id: int | None, changes: Body) -> Counted:
    """What the metrics count of an event."""
    status = changes.get("status")
    return kind, task_id is not None, status[-1] if status else None


def _count_event(kind: str, task_id: int | None, changes: Body) -> None:
    """Note what `web/metrics.py` adds up on commit."""
    counts = db.session.info.setdefault("event counts", {})
    what = counted(kind, task_id, changes)
    counts[what] = counts.get(what, 0) + 1
