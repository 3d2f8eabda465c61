"""Who sees a project, and who may do what in it."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database import replica
from taskapp.database.session import one_or_raise, read
from taskapp.errors import Forbidden, NotFound
from taskapp.extensions import db
from taskapp.ledger.models import Event, Membership, Project
from taskapp.schema import BigInt, table

PROJECTS = table(Project)
MEMBERSHIPS = table(Membership)
EVENTS = table(Event)
# Roles that may look, that may change tasks, that may change the project and its members.
VIEW = ("owner", "editor", "viewer")
EDIT = ("owner", "editor")
OWN = ("owner",)
Seen = list[tuple[int, int, str]]  # (project id, revision, role)
# Statements of every request are built once: to build one takes longer than to run it.
USER_ID = sa.bindparam("user_id", type_=BigInt)
PROJECT_ID = sa.bindparam("in_id", type_=BigInt)


class ProjectNotFound(NotFound):
    """No project that you can see has this id."""


def visible_projects(user_id: int | sa.BindParameter[int]) -> sa.Select[int]:
    """The ids of the projects that a user sees, to stand inside another SELECT."""
    return sa.select(MEMBERSHIPS.c.project_id).where(MEMBERSHIPS.c.user_id == user_id)


def members_of(project_id: int) -> sa.Select[int]:
    """The ids of a project's members, to stand inside another statement."""
    return sa.select(MEMBERSHIPS.c.user_id).where(MEMBERSHIPS.c.project_id == project_id)


_SEEN = (
    sa.select(MEMBERSHIPS.c.project_id, PROJECTS.c.revision, MEMBERSHIPS.c.role)
    .join(PROJECTS, PROJECTS.c.id == MEMBERSHIPS.c.project_id)
    .where(MEMBERSHIPS.c.user_id == USER_ID)
    .order_by(MEMBERSHIPS.c.project_id)
)
_ROLE_IN = sa.select(MEMBERSHIPS.c.role).where(
    MEMBERSHIPS.c.user_id == USER_ID, MEMBERSHIPS.c.project_id == PROJECT_ID
)


def seen_by(caller: Caller, saw: Iterable[int] = ()) -> Seen:
    """Each project the caller sees, as (id, revision, role): what any list of theirs depends on.

    A replica that says the same of them may answer what is read for that list. Of a project that
    the caller `saw` before and sees no more, it could say nothing, so then the primary answers.
    """
    values = {"user_id": caller.user_id}
    seen: Seen = [tuple(row) for row in read(_SEEN, values)]
    out_of_sight = set(saw) - set(ids_of(seen))
    if not out_of_sight:
        replica.prefer(_SEEN, values, seen)
    return seen


def ids_of(seen: Seen, project_id: int | None = None) -> list[int]:
    """The ids of all projects that are seen, or of the one that is named.

    Raises:
        ProjectNotFound: The one that is named is not among them.
    """
    ids = [seen_id for seen_id, _, _ in seen]
    if project_id is None:
        return ids
    if project_id not in ids:
        raise ProjectNotFound
    return [project_id]


def role_in(project_id: int, user_id: int) -> str | None:
    """The role, read inside the writing transaction; under the project's lock it cannot change."""
    return db.session.scalar(_ROLE_IN, {"in_id": project_id, "user_id": user_id})


def require_project(project_id: int) -> None:
    """Refuse where there is no such project.

    Raises:
        ProjectNotFound
    """
    project = sa.select(PROJECTS.c.id).where(PROJECTS.c.id == project_id)
    one_or_raise(read(project), ProjectNotFound)


def require_role(caller: Caller, project_id: int, roles: Sequence[str]) -> None:
    """Refuse unless the caller has one of the roles in the project.

    Raises:
        ProjectNotFound: They do not see it, or there is none.
        Forbidden: They have another role.
    """
    values = {"in_id": project_id, "user_id": caller.user_id}
    role = one_or_raise(read(_ROLE_IN, values), ProjectNotFound).role
    if role not in roles:
        raise role_is_too_small(role, roles)


def role_is_too_small(role: str, roles: Sequence[str]) -> Forbidden:
    needed = " or ".join(roles)
    return Forbidden(f"Your role here is {role}; this needs {needed}.")


def require_visible(caller: Caller, project_id: int) -> None:
    """Refuse unless the caller sees the project.

    Raises:
        ProjectNotFound: They do not, or there is none.
    """
    values = {"in_id": project_id, "user_id": caller.user_id}
    one_or_raise(read(_ROLE_IN, values), ProjectNotFound)
