"""The one door to "may this caller …?", and to a project's next revision."""

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from lab.twin.auth.guard import Caller
from lab.twin.database import Body, now, table
from lab.twin.errors import Forbidden, NotFound
from lab.twin.projects.models import Event, Membership, Project

PROJECTS, EVENTS = table(Project), table(Event)
EDIT = ("owner", "editor")
Seen = list[tuple[int, int, str]]


class ProjectNotFound(NotFound):
    """No project that you can see has this id."""


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


async def seen_by(db: AsyncConnection, caller: Caller) -> Seen:
    """Each project the caller sees, as (id, revision, role): what any list of theirs depends on."""
    rows = await db.execute(_SEEN, {"user_id": caller.user_id})
    return [(project_id, revision, role) for project_id, revision, role in rows]


def visible_to(user_id: int | sa.BindParameter[int]) -> sa.Select[int]:
    """The ids of the projects that a user sees, to stand inside another SELECT."""
    return sa.select(Membership.project_id).where(Membership.user_id == user_id)


async def role_in(db: AsyncSession, project_id: int, user_id: int) -> str | None:
    role: str | None = await db.scalar(
        sa.select(Membership.role).where(
            Membership.project_id == project_id, Membership.user_id == user_id
        )
    )
    return role


def members_of(project_id: int) -> sa.Select[int]:
    return sa.select(Membership.user_id).where(Membership.project_id == project_id)


async def inbox_of(db: AsyncSession, user_id: int) -> int:
    return (await db.execute(sa.select(Project.id).where(Project.inbox_of == user_id))).scalar_one()


async def take_turn(db: AsyncSession, caller: Caller, project_id: int) -> Turn:
    """Lock the project, take its next revision, and make sure the caller may edit.

    While this waits for the lock, the loop serves others: what was read before is old by then.
    So the role is read afterwards.
    """
    taken = await db.execute(
        sa.update(PROJECTS)
        .where(Project.id == project_id, Project.id.in_(visible_to(caller.user_id)))
        .values(revision=Project.revision + 1)
        .returning(Project.revision)
    )
    revision = taken.scalar_one_or_none()
    role = revision and await role_in(db, project_id, caller.user_id)
    if revision is None or role is None:
        raise ProjectNotFound
    if role not in EDIT:
        raise Forbidden(f"Your role here is {role}; this needs {' or '.join(EDIT)}.")
    return Turn(project_id, revision, caller.user_id)


async def record(
    db: AsyncSession,
    turn: Turn,
    kind: str,
    task_ids: Iterable[int | None] = (None,),
    **changes: object,
) -> None:
    """Leave an event for each task, or one for the project: who changed what, at which revision."""
    project_id, revision, user_id = turn
    common: Body = {"project_id": project_id, "revision": revision, "user_id": user_id}
    common |= {"kind": kind, "changes": changes, "at": now()}
    if events := [{**common, "task_id": task_id} for task_id in task_ids]:
        await db.execute(sa.insert(EVENTS), events)
