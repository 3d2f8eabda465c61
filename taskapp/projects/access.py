"""The one door to "may this caller …?", and to a project's next revision."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from taskapp.errors import Forbidden, NotFound
from taskapp.extensions import Body, db, now, one, read, table
from taskapp.pages import Page, page_by
from taskapp.projects.models import Event, Membership, Project

PROJECTS, EVENTS = table(Project), table(Event)
VIEW = ("owner", "editor", "viewer")
EDIT = ("owner", "editor")
OWN = ("owner",)
# Kinds of events by which a task comes into a project, and leaves it.
ENTERS, LEAVES = {"created", "moved"}, {"deleted", "moved-away"}


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


_SEEN = (
    sa.select(Membership.project_id, Project.revision, Membership.role)
    .join(Project, Project.id == Membership.project_id)
    .where(Membership.user_id == sa.bindparam("user_id"))
    .order_by(Membership.project_id)
)


def seen_by(caller: Caller) -> list[tuple[int, int, str]]:
    """Each project the caller sees, as (id, revision, role): what any list of theirs depends on."""
    return [tuple(row) for row in read(_SEEN, {"user_id": caller.user_id})]


def visible_to(user_id: int | sa.BindParameter[int]) -> sa.Select[int]:
    """The ids of the projects that a user sees, to stand inside another SELECT."""
    return sa.select(Membership.project_id).where(Membership.user_id == user_id)


def role_in(project_id: int, user_id: int) -> str | None:
    """Reads inside the writing transaction: true until it ends, once the project is locked."""
    return db.session.scalar(
        sa.select(Membership.role).where(
            Membership.project_id == project_id, Membership.user_id == user_id
        )
    )


def members_of(project_id: int) -> sa.Select[int]:
    """The ids of a project's members, to stand inside another statement."""
    return sa.select(Membership.user_id).where(Membership.project_id == project_id)


def crossings(project_id: int, after: int, until: int) -> list[tuple[int, str]]:
    """(task id, kind) of the events by which tasks came into a project or left it, in order."""
    crossing = Event.kind.in_(ENTERS | LEAVES)
    between = (Event.revision > after, Event.revision <= until, crossing)
    chosen = sa.select(Event.task_id, Event.kind).where(Event.project_id == project_id, *between)
    return [tuple(row) for row in read(chosen.order_by(Event.revision, Event.id))]


def list_events(caller: Caller, task_id: int, query: Body) -> Page:
    """A task's history, as far as the caller sees the projects it was in."""
    mine = Event.project_id.in_(visible_to(caller.user_id))
    shown = (Event.id, Event.revision, Event.at, Event.user_id, Event.kind, Event.changes)
    told = sa.select(*shown).where(Event.task_id == task_id, mine, Event.kind != "moved-away")
    page = page_by(told, Event.id, **query)
    return page.only("revision", "at", "user_id", "kind", "changes")


def see(caller: Caller, project_id: int) -> None:
    """Refuse unless the caller sees the project."""
    mine = visible_to(caller.user_id).where(Membership.project_id == project_id)
    one(read(mine), ProjectNotFound)


def inbox_of(user_id: int) -> int:
    inbox: int = db.session.execute(
        sa.select(Project.id).where(Project.inbox_of == user_id)
    ).scalar_one()
    return inbox


def is_inbox(project_id: int) -> bool:
    return (
        db.session.scalar(sa.select(Project.inbox_of).where(Project.id == project_id)) is not None
    )


def take_turn(caller: Caller, project_id: int, roles: Sequence[str] = EDIT) -> Turn:
    """Lock the project, take its next revision, and make sure the caller has one of the roles.

    The role is read after the lock was won, so a member who was removed meanwhile is refused.
    A caller that then finds nothing to change rolls back, and the revision was never taken.
    """
    taken = db.session.execute(
        sa.update(PROJECTS)
        .where(Project.id == project_id, Project.id.in_(visible_to(caller.user_id)))
        .values(revision=Project.revision + 1)
        .returning(Project.revision)
    ).one_or_none()
    role = taken and role_in(project_id, caller.user_id)
    if taken is None or role is None:
        raise ProjectNotFound
    if role not in roles:
        raise Forbidden(f"Your role here is {role}; this needs {' or '.join(roles)}.")
    return Turn(project_id, taken.revision, caller.user_id)


def record(turn: Turn, kind: str, task_ids: Iterable[int | None] = (None,), **changes: Any) -> None:
    """Leave an event for each task, or one for the project: who changed what, at which revision."""
    record_each(turn, kind, ((task_id, changes) for task_id in task_ids))


def record_each(turn: Turn, kind: str, changes: Iterable[tuple[int | None, Body]]) -> None:
    """Leave an event for each task, with what changed in it."""
    project_id, revision, user_id = turn
    common: Body = {"project_id": project_id, "revision": revision, "user_id": user_id}
    common |= {"kind": kind, "at": now()}
    if events := [{**common, "task_id": task_id, "changes": made} for task_id, made in changes]:
        db.session.execute(sa.insert(EVENTS), events)
        db.session.info.setdefault("events", []).extend(events)  # for ops/metrics, on commit
