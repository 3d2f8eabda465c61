"""The one door to "may this caller …?", and to a project's next revision."""

from collections.abc import Iterable, Sequence
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


class Turn(NamedTuple):
    """A project whose row is locked for this transaction, and the revision taken in it."""

    project_id: int
    revision: int
    user_id: int


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
# Its columns have names of their own: SQLite's RETURNING has them without their table's.
_BEFORE = sa.select(PROJECTS.c.id.label("same_id"), PROJECTS.c.revision.label("before")).subquery()
NEXT_TURN = (
    sa.update(PROJECTS)
    .where(PROJECTS.c.id.in_(visible_to(USER_ID)))
    .values(revision=PROJECTS.c.revision + 1)
    .returning(
        PROJECTS.c.id,
        PROJECTS.c.revision,
        _ROLE.where(MEMBERSHIPS.c.project_id == PROJECTS.c.id).scalar_subquery().label("role"),
        sa.select(_BEFORE.c.before).where(_BEFORE.c.same_id == PROJECTS.c.id).label("before"),
    )
)
_TURN = NEXT_TURN.where(PROJECTS.c.id == PROJECT_ID)
_INBOX_TURN = NEXT_TURN.where(PROJECTS.c.inbox_of == USER_ID)
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


def take_turn(caller: Caller, project_id: int | None, roles: Sequence[str] = EDIT) -> Turn:
    """Lock the project, the inbox if none is named, and take its next revision.

    A caller that then finds nothing to change rolls back, and the revision was never taken.
    """
    named = {"in_id": project_id, "user_id": caller.user_id}
    return turn_of(_TURN if project_id else _INBOX_TURN, named, roles, ProjectNotFound)


def turn_of(
    statement: sa.Executable, named: Body, roles: Sequence[str], otherwise: type[NotFound]
) -> Turn:
    """The turn that an UPDATE of one project takes, if the user has one of the roles.

    The role is the one that counts once the lock is won: whoever changed it took a turn, too, and
    shows as a gap between this revision and the one before the statement had to wait.
    """
    taken = one(db.session.execute(statement, named), otherwise)
    role, user_id = taken.role, named["user_id"]
    if taken.revision > taken.before + 1:
        role = role_in(taken.id, user_id)
    if role is None:
        raise otherwise
    if role not in roles:
        raise Forbidden(f"Your role here is {role}; this needs {' or '.join(roles)}.")
    return Turn(taken.id, taken.revision, user_id)


def record(turn: Turn, kind: str, task_ids: Iterable[int | None] = (None,), **changes: Any) -> None:
    """Leave an event for each task, or one for the project: who changed what, at which revision."""
    record_each(turn, kind, ((task_id, changes) for task_id in task_ids))


def record_each(turn: Turn, kind: str, changes: Iterable[tuple[int | None, Body]]) -> None:
    """Leave an event for each task, with what changed in it."""
    project_id, revision, user_id = turn
    common: Body = {"project_id": project_id, "revision": revision, "user_id": user_id}
    common |= {"kind": kind, "at": now()}
    if events := [{**common, "task_id": task_id, "changes": made} for task_id, made in changes]:
        db.session.execute(_RECORD, events)
        db.session.info.setdefault("events", []).extend(events)  # for ops/metrics, on commit
