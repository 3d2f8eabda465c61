"""What can be done with projects and their members."""

from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import Page, page_by
from taskapp.database.quotas import PROJECTS_OF_USER, take
from taskapp.database.session import (
    Body,
    Precondition,
    Row,
    changed_fields,
    now,
    one_or_raise,
    read,
)
from taskapp.errors import Conflict, NotFound
from taskapp.extensions import db
from taskapp.ledger.access import MEMBERSHIPS, OWN, PROJECTS, VIEW, ProjectNotFound, require_visible
from taskapp.ledger.members import join, open_project
from taskapp.ledger.models import Membership, Project
from taskapp.ledger.revisions import Lock, lock_project, record
from taskapp.tasks import leaving
from taskapp.users import access as users

_SHARED = PROJECTS.c.inbox_of.is_(None)
PROJECT_COLUMNS = (
    PROJECTS.c.id,
    PROJECTS.c.name,
    PROJECTS.c.description,
    PROJECTS.c.archived_at,
    PROJECTS.c.created_at,
    PROJECTS.c.updated_at,
    sa.case((_SHARED, "shared"), else_="inbox").label("kind"),
    MEMBERSHIPS.c.role,
    PROJECTS.c.revision,
)
_JOINED = PROJECTS.join(MEMBERSHIPS, MEMBERSHIPS.c.project_id == PROJECTS.c.id)
_OF_CALLER = MEMBERSHIPS.c.user_id == sa.bindparam("user_id")
_VISIBLE = sa.select(*PROJECT_COLUMNS).select_from(_JOINED).where(_OF_CALLER)
_ONE = PROJECTS.c.id == sa.bindparam("project_id")
_profile = users.profiles()
MEMBER_COLUMNS = (
    MEMBERSHIPS.c.user_id,
    _profile.c.email,
    _profile.c.name,
    MEMBERSHIPS.c.role,
    MEMBERSHIPS.c.created_at,
)
_SAME_USER = _profile.c.user_id == MEMBERSHIPS.c.user_id
_MEMBERS = sa.select(*MEMBER_COLUMNS).join(_profile, _SAME_USER)


class MemberNotFound(NotFound):
    """No such member in this project."""


class AlreadyMember(Conflict):
    """This user is a member already."""


def list_projects(caller: Caller, query: Body) -> Page:
    return page_by(_VISIBLE.params(user_id=caller.user_id), Project.id, **query)


def get_project(caller: Caller, project_id: int) -> Row:
    """Raises ProjectNotFound."""
    return one_or_raise(read(_visible(caller, project_id)), ProjectNotFound)


def create_project(caller: Caller, body: Body) -> Row:
    """Raises QuotaExceeded."""
    project_id = open_project(caller.user_id, **body)
    take(PROJECTS_OF_USER, caller.user_id)
    return db.session.execute(_visible(caller, project_id)).one()


def update_project(caller: Caller, project_id: int, body: Body, precondition: Precondition) -> Row:
    """Change the fields that are sent; sent as they are already, they change nothing at all.

    Raises:
        ProjectNotFound, Forbidden, StaleRevision
        Conflict: An inbox cannot be archived.
    """
    lock, before = _lock_own(caller, project_id)
    precondition(before)
    changed = changed_fields(before, body)
    if not changed:
        return before
    if before.kind == "inbox" and body.get("archived_at"):
        raise Conflict("An inbox cannot be archived.")
    update = sa.update(PROJECTS).where(PROJECTS.c.id == project_id)
    db.session.execute(update.values(**body, updated_at=now()))
    record(lock.advance(), "project-updated", **changed)
    return db.session.execute(_visible(caller, project_id)).one()


def delete_project(caller: Caller, project_id: int, precondition: Precondition) -> None:
    """Delete a project and everything in it.

    Raises:
        ProjectNotFound, Forbidden, StaleRevision
        Conflict: An inbox cannot be deleted.
    """
    lock, before = _lock_own(caller, project_id)
    precondition(before)
    if before.kind == "inbox":
        raise Conflict("An inbox cannot be deleted.")
    leaving.delete_project(lock)


def list_members(caller: Caller, project_id: int, query: Body) -> Page:
    """Raises ProjectNotFound."""
    require_visible(caller, project_id)
    members = _MEMBERS.where(MEMBERSHIPS.c.project_id == project_id)
    return page_by(members, Membership.user_id, **query)


def get_member(caller: Caller, project_id: int, user_id: int) -> Row:
    """Raises ProjectNotFound, MemberNotFound."""
    require_visible(caller, project_id)
    return one_or_raise(read(_member(project_id, user_id)), MemberNotFound)


def add_member(caller: Caller, project_id: int, body: Body) -> Row:
    """Add the user with this address.

    Raises:
        ProjectNotFound, Forbidden, AlreadyMember
        UserNotFound: No active user has the address.
        Conflict: An inbox cannot be shared.
    """
    lock, project = _lock_own(caller, project_id)
    if project.kind == "inbox":
        raise Conflict("An inbox cannot be shared.")
    user_id = users.user_id_of(body["email"])
    revision = lock.advance()
    join(revision, user_id, body["role"], AlreadyMember)
    take(PROJECTS_OF_USER, user_id)
    record(revision, "member-added", member=[None, user_id], role=[None, body["role"]])
    return _locked_member(lock, user_id)


def update_member(
    caller: Caller, project_id: int, user_id: int, body: Body, precondition: Precondition
) -> Row:
    """Give a member another role.

    Raises:
        ProjectNotFound, Forbidden, MemberNotFound, StaleRevision, LastOwner
    """
    lock = lock_project(caller, project_id, OWN)
    member = _locked_member(lock, user_id)
    precondition(member)
    changed = changed_fields(member, body)
    if not changed:
        return member
    leaving.keep_an_owner(lock, user_id)
    revision = lock.advance()
    update = sa.update(MEMBERSHIPS).filter_by(project_id=project_id, user_id=user_id)
    db.session.execute(update.values(**body, revision=revision.revision))
    record(revision, "member-updated", member=[user_id, user_id], **changed)
    return _locked_member(lock, user_id)


def remove_member(
    caller: Caller, project_id: int, user_id: int, precondition: Precondition
) -> None:
    """Owners remove anyone, and anyone may leave; the last owner may not.

    Raises:
        ProjectNotFound, Forbidden, MemberNotFound, StaleRevision, LastOwner
    """
    roles = VIEW if user_id == caller.user_id else OWN
    lock = lock_project(caller, project_id, roles)
    precondition(_locked_member(lock, user_id))
    leaving.leave(lock, user_id)


def _lock_own(caller: Caller, project_id: int) -> tuple[Lock, Row]:
    """The project, locked for its owner."""
    lock = lock_project(caller, project_id, OWN)
    project = db.session.execute(_visible(caller, project_id)).one()
    return lock, project


def _visible(caller: Caller, project_id: int) -> sa.Select[Any]:
    project = _VISIBLE.where(_ONE)
    return project.params(user_id=caller.user_id, project_id=project_id)


def _member(project_id: int, user_id: int) -> sa.Select[Any]:
    members = _MEMBERS.where(MEMBERSHIPS.c.project_id == project_id)
    return members.where(MEMBERSHIPS.c.user_id == user_id)


def _locked_member(lock: Lock, user_id: int) -> Row:
    member = _member(lock.project_id, user_id)
    return one_or_raise(db.session.execute(member), MemberNotFound)
