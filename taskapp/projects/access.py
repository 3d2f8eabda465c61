"""The one door to "may this caller …?", and to a project's next revision."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from taskapp.errors import Forbidden, NotFound
from taskapp.extensions import BigInt, Body, db, now, one, read, table
from taskapp.pages import Page, page_by
from taskapp.projects import replica
from taskapp.projects.models import Event, Membership, Project

Seen = list[tuple[int, int, str]]
PROJECTS, MEMBERSHIPS, EVENTS = table(Project), table(Membership), table(Event)
VIEW = ("owner", "editor", "viewer")
EDIT = ("owner", "editor")
OWN = ("owner",)
# Kinds of events by which a task comes into a project, and leaves it.
ENTERS, LEAVES = {"created", "moved"}, {"deleted", "moved-away"}
RESTORED = "restored"  # the project, from a backup: what was told before is void


class ProjectNotFound(NotFound):
    """No project that you can see has this id."""


class Caller(Protocol):
    @property
    def user_id(self) -> int: ...


class Actor(NamedTuple):
    """A caller without a request: an operator's hand, or a user who is being deleted."""

    user_id: int


class Revision(NamedTuple):
    """A project's revision that this transaction took, and for whom."""

    project_id: int
    revision: int
    user_id: int


@dataclass
class Lock:
    """A project whose row is locked until the transaction ends, and the caller's role in it."""

    project_id: int
    user_id: int
    role: str
    before: int  # the project's revision when it was locked
    taken: bool = False

    def advance(self) -> Revision:
        """The project's next revision; a transaction takes one, however much it changes."""
        if not self.taken:
            self.taken = True
            db.session.execute(_ADVANCE, {"in_id": self.project_id, "next": self.before + 1})
        return Revision(self.project_id, self.before + 1, self.user_id)


def visible_to(user_id: int | sa.BindParameter[int]) -> sa.Select[int]:
    """The ids of the projects that a user sees, to stand inside another SELECT."""
    return sa.select(MEMBERSHIPS.c.project_id).where(MEMBERSHIPS.c.user_id == user_id)


def members_of(project_id: int) -> sa.Select[int]:
    """The ids of a project's members, to stand inside another statement."""
    return sa.select(MEMBERSHIPS.c.user_id).where(MEMBERSHIPS.c.project_id == project_id)


# Statements of every request are made once: to make one takes longer than to run it.
USER_ID, PROJECT_ID = sa.bindparam("user_id", type_=BigInt), sa.bindparam("in_id", type_=BigInt)
_SEEN = (
    sa.select(MEMBERSHIPS.c.project_id, PROJECTS.c.revision, MEMBERSHIPS.c.role)
    .join(PROJECTS, PROJECTS.c.id == MEMBERSHIPS.c.project_id)
    .where(MEMBERSHIPS.c.user_id == USER_ID)
    .order_by(MEMBERSHIPS.c.project_id)
)
_ROLE = sa.select(MEMBERSHIPS.c.role).where(MEMBERSHIPS.c.user_id == USER_ID)
_ROLE_IN = _ROLE.where(MEMBERSHIPS.c.project_id == PROJECT_ID)
# Both rows are locked, so that PostgreSQL tells both as they are once the lock is won. SQLite's
# transaction holds its one lock from the beginning.
LOCKED = (
    sa.select(PROJECTS.c.id, PROJECTS.c.revision, MEMBERSHIPS.c.role)
    .join(MEMBERSHIPS, MEMBERSHIPS.c.project_id == PROJECTS.c.id)
    .where(MEMBERSHIPS.c.user_id == USER_ID)
    .with_for_update(key_share=True)
)
_LOCK = LOCKED.where(PROJECTS.c.id == PROJECT_ID)
_LOCK_INBOX = LOCKED.where(PROJECTS.c.inbox_of == USER_ID)
_ADVANCE = (
    sa.update(PROJECTS).where(PROJECTS.c.id == PROJECT_ID).values(revision=sa.bindparam("next"))
)
_RECORD = sa.insert(EVENTS)


def seen_by(caller: Caller, saw: Iterable[int] = ()) -> Seen:
    """Each project the caller sees, as (id, revision, role): what any list of theirs depends on.

    So a replica that tells the same may answer what is read for that list; of a project that the
    caller saw and sees no more, which may have come and gone meanwhile, it says nothing.
    """
    values = {"user_id": caller.user_id}
    seen: Seen = [tuple(row) for row in read(_SEEN, values)]
    if set(saw) <= set(ids_of(seen)):
        replica.prefer(_SEEN, values, seen)
    return seen


def ids_of(seen: Seen, project_id: int | None = None) -> list[int]:
    """The ids of all projects that are seen, or of the one that is asked for."""
    ids = [seen_id for seen_id, _, _ in seen if project_id in (None, seen_id)]
    if not ids and project_id is not None:
        raise ProjectNotFound
    return ids


def role_in(project_id: int, user_id: int) -> str | None:
    """Reads inside the writing transaction: true until it ends, once the project is locked."""
    return db.session.scalar(_ROLE_IN, {"in_id": project_id, "user_id": user_id})


def crossings(project_id: int, after: int, until: int) -> list[tuple[int, str]]:
    """(task id, kind) of the events by which tasks came into a project or left it, in order."""
    crossing = Event.kind.in_(ENTERS | LEAVES | {RESTORED})
    between = (Event.revision > after, Event.revision <= until, crossing)
    chosen = sa.select(Event.task_id, Event.kind).where(Event.project_id == project_id, *between)
    return [tuple(row) for row in read(chosen.order_by(Event.revision, Event.id))]


def list_events(caller: Caller, task_id: int, query: Body) -> Page:
    """A task's history, as far as the caller sees the projects it was in."""
    mine = Event.project_id.in_(visible_to(caller.user_id))
    shown = (Event.id, Event.revision, Event.at, Event.user_id, Event.kind, Event.changes)
    told = sa.select(*shown).where(Event.task_id == task_id, mine, Event.kind != "moved-away")
    return page_by(told, Event.id, **query).only("revision", "at", "user_id", "kind", "changes")


def see(caller: Caller, project_id: int) -> None:
    """Refuse unless the caller sees the project."""
    one(read(_ROLE_IN, {"in_id": project_id, "user_id": caller.user_id}), ProjectNotFound)


def lock_project(caller: Caller, project_id: int | None, roles: Sequence[str] = EDIT) -> Lock:
    """Lock a project, the inbox if none is named; refuse whoever has none of the roles in it."""
    named = {"in_id": project_id, "user_id": caller.user_id}
    return lock_by(_LOCK if project_id else _LOCK_INBOX, named, roles, ProjectNotFound)


def lock_by(
    statement: sa.Executable, named: Body, roles: Sequence[str], otherwise: type[NotFound]
) -> Lock:
    found = one(db.session.execute(statement, named), otherwise)
    if found.role not in roles:
        raise Forbidden(f"Your role here is {found.role}; this needs {' or '.join(roles)}.")
    return Lock(found.id, named["user_id"], found.role, found.revision)


def record(
    revision: Revision, kind: str, task_ids: Iterable[int | None] = (None,), **changes: Any
) -> None:
    """Leave an event for each task, or one for the project: who changed what, at which revision."""
    record_each(revision, kind, ((task_id, changes) for task_id in task_ids))


def record_each(revision: Revision, kind: str, changes: Iterable[tuple[int | None, Body]]) -> None:
    """Leave an event for each task, with what changed in it."""
    common: Body = {**revision._asdict(), "kind": kind, "at": now()}
    if events := [{**common, "task_id": task_id, "changes": made} for task_id, made in changes]:
        db.session.execute(_RECORD, events)
        db.session.info.setdefault("events", []).extend(events)  # for ops/metrics, on commit
