"""Who sees a project, and who may do what in it."""

from collections.abc import Iterable, Sequence
from typing import cast

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database import replica
from taskapp.database.hot import Hot
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
NAMED_PROJECTS: sa.BindParameter[int] = sa.bindparam("projects", expanding=True)
AMONG_PROJECTS = PROJECTS.c.id.in_(NAMED_PROJECTS)
OF_CALLER = MEMBERSHIPS.c.user_id == USER_ID
_IN_PROJECT = MEMBERSHIPS.c.project_id == PROJECT_ID
_OF_MEMBERSHIP = PROJECTS.c.id == MEMBERSHIPS.c.project_id
_PROJECT_IDS = sa.select(MEMBERSHIPS.c.project_id)
_USER_IDS = sa.select(MEMBERSHIPS.c.user_id)
_ROLE_IN = sa.select(MEMBERSHIPS.c.role).where(OF_CALLER, _IN_PROJECT)
_SEEN_COLUMNS = (MEMBERSHIPS.c.project_id, PROJECTS.c.revision, MEMBERSHIPS.c.role)
_WITH_PROJECT = sa.select(*_SEEN_COLUMNS).join(PROJECTS, _OF_MEMBERSHIP)
_SEEN = _WITH_PROJECT.where(OF_CALLER).order_by(MEMBERSHIPS.c.project_id)
SEEN = Hot(_SEEN)


class ProjectNotFound(NotFound):
    """No project that you can see has this id."""


def visible_projects(user_id: int | sa.BindParameter[int]) -> sa.Select[int]:
    """The ids of the projects that a user sees, to stand inside another SELECT."""
    of_user = MEMBERSHIPS.c.user_id == user_id
    return _PROJECT_IDS.where(of_user)


def members_of(project_id: int) -> sa.Select[int]:
    """The ids of a project's members, to stand inside another statement."""
    in_project = MEMBERSHIPS.c.project_id == project_id
    return _USER_IDS.where(in_project)


def seen_by(caller: Caller, saw: Iterable[int] = ()) -> Seen:
    """Each project that the caller sees, as (id, revision, role): what their lists depend on.

    If a replica has the same revisions, it may answer the reads of this request. If the caller
    `saw` a project before and no longer does, only the primary can tell why, so it answers.
    """
    values = {"user_id": caller.user_id}
    seen = cast("Seen", SEEN.tuples(values))
    out_of_sight = set(saw).difference(ids_of(seen))
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
    """The user's role, read in the writing transaction, where the project's lock keeps it."""
    values = {"in_id": project_id, "user_id": user_id}
    return db.session.scalar(_ROLE_IN, values)


def require_project(project_id: int) -> None:
    """Refuse where there is no such project.

    Raises:
        ProjectNotFound
    """
    by_id = PROJECTS.c.id == project_id
    project = sa.select(PROJECTS.c.id).where(by_id)
    one_or_raise(read(project), ProjectNotFound)


def require_role(caller: Caller, project_id: int, roles: Sequence[str]) -> None:
    """Refuse unless the caller has one of the roles in the project.

    Raises:
        ProjectNotFound: They do not see it, or there is none.
        Forbidden: They have another role.
    """
    values = {"in_id": project_id, "user_id": caller.user_id}
    membership = one_or_raise(read(_ROLE_IN, values), ProjectNotFound)
    if membership.role not in roles:
        raise role_is_too_small(membership.role, roles)


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
