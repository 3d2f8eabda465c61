"""What can be done with projects and their members."""

from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import Accepted, Page, page_by
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
from taskapp.extensions import db, settings
from taskapp.ledger.access import MEMBERSHIPS, OWN, PROJECTS, VIEW, ProjectNotFound, require_visible
from taskapp.ledger.members import join, open_project
from taskapp.ledger.models import Membership, Project
from taskapp.ledger.revisions import Lock, lock_project, record
from taskapp.projects import invitations
from taskapp.projects.invitations import AlreadyMember
from taskapp.tasks import leaving
from taskapp.users import access as users

_project = PROJECTS.c
_membership = MEMBERSHIPS.c
_IS_SHARED = _project.inbox_of.is_(None)
_KIND = sa.case((_IS_SHARED, "shared"), else_="inbox")
PROJECT_COLUMNS = (
    _project.id,
    _project.name,
    _project.description,
    _project.archived_at,
    _project.created_at,
    _project.updated_at,
    _KIND.label("kind"),
    _membership.role,
    _project.revision,
)
_SAME_PROJECT = _membership.project_id == _project.id
_JOINED = PROJECTS.join(MEMBERSHIPS, _SAME_PROJECT)
_OF_CALLER = _membership.user_id == sa.bindparam("user_id")
_WITH_ROLE = sa.select(*PROJECT_COLUMNS).select_from(_JOINED)
_VISIBLE = _WITH_ROLE.where(_OF_CALLER)
_ONE = _project.id == sa.bindparam("project_id")
_PROFILES = users.profiles()
_profile = _PROFILES.c
MEMBER_COLUMNS = (
    _membership.user_id,
    _profile.email,
    _profile.name,
    _membership.role,
    _membership.created_at,
)
_SAME_USER = _profile.user_id == _membership.user_id
_MEMBERS = sa.select(*MEMBER_COLUMNS).join(_PROFILES, _SAME_USER)


class MemberNotFound(NotFound):
    """No such member in this project."""


def list_projects(caller: Caller, query: Body) -> Page:
    projects = _VISIBLE.params(user_id=caller.user_id)
    return page_by(projects, Project.id, **query, text="description")


def get_project(caller: Caller, project_id: int) -> Row:
    """Raises ProjectNotFound."""
    return one_or_raise(read(_visible(caller, project_id)), ProjectNotFound)


def create_project(caller: Caller, body: Body) -> Row:
    """Raises QuotaExceeded."""
    project_id = open_project(caller.user_id, **body)
    take(PROJECTS_OF_USER, caller.user_id)
    return _written(caller, project_id)


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
    update = sa.update(PROJECTS).where(_project.id == project_id)
    update = update.values(**body, updated_at=now())
    db.session.execute(update)
    revision = lock.advance()
    record(revision, "project-updated", **changed)
    return _written(caller, project_id)


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
    members = _members_of(project_id)
    return page_by(members, Membership.user_id, **query)


def get_member(caller: Caller, project_id: int, user_id: int) -> Row:
    """Raises ProjectNotFound, MemberNotFound."""
    require_visible(caller, project_id)
    return one_or_raise(read(_member(project_id, user_id)), MemberNotFound)


def add_member(caller: Caller, project_id: int, body: Body) -> Row | Accepted:
    """Add the user with this address; where INVITATIONS is set, invite the address.

    Raises:
        ProjectNotFound, Forbidden, AlreadyMember, QuotaExceeded
        UserNotFound: No active user has the address.
        Conflict: An inbox cannot be shared.
    """
    lock, project = _lock_own(caller, project_id)
    if project.kind == "inbox":
        raise Conflict("An inbox cannot be shared.")
    role = body["role"]
    if settings().invitations:
        return invitations.invite(lock, body["email"], role)
    user_id = users.user_id_of(body["email"])
    invitations.withdraw_for(project_id, user_id)
    revision = lock.advance()
    join(revision, user_id, role, AlreadyMember)
    take(PROJECTS_OF_USER, user_id)
    record(revision, "member-added", member=[None, user_id], role=[None, role])
    return _locked_member(lock, user_id)


def update_member(
    caller: Caller, project_id: int, user_id: int, body: Body, precondition: Precondition
) -> Row | Accepted:
    """Give a member another role; where INVITATIONS is set, who is to be an owner is asked.

    Raises:
        ProjectNotFound, Forbidden, MemberNotFound, StaleRevision, LastOwner
    """
    lock = lock_project(caller, project_id, OWN)
    member = _locked_member(lock, user_id)
    precondition(member)
    changed = changed_fields(member, body)
    if not changed:
        return member
    if settings().invitations and body["role"] == "owner":
        return invitations.ask(lock, member.email, "owner")
    leaving.keep_an_owner(lock, user_id)
    invitations.withdraw_for(project_id, user_id)
    revision = lock.advance()
    update = sa.update(MEMBERSHIPS)
    update = update.filter_by(project_id=project_id, user_id=user_id)
    update = update.values(**body, revision=revision.revision)
    db.session.execute(update)
    same_user = [user_id, user_id]
    record(revision, "member-updated", member=same_user, **changed)
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
    invitations.withdraw_for(project_id, user_id)


def _lock_own(caller: Caller, project_id: int) -> tuple[Lock, Row]:
    """The project, locked for its owner."""
    lock = lock_project(caller, project_id, OWN)
    project = _written(caller, project_id)
    return lock, project


def accept_invitation(caller: Caller, invitation_id: int) -> Row:
    """Become a member, or an owner; returns the project as the caller sees it from now on.

    Raises:
        InvitationNotFound, QuotaExceeded
    """
    project_id = invitations.accept(caller, invitation_id)
    return _written(caller, project_id)


def _written(caller: Caller, project_id: int) -> Row:
    """The project as the writing transaction sees it."""
    project = _visible(caller, project_id)
    return db.session.execute(project).one()


def _visible(caller: Caller, project_id: int) -> sa.Select[Any]:
    project = _VISIBLE.where(_ONE)
    return project.params(user_id=caller.user_id, project_id=project_id)


def _members_of(project_id: int) -> sa.Select[Any]:
    return _MEMBERS.where(_membership.project_id == project_id)


def _member(project_id: int, user_id: int) -> sa.Select[Any]:
    members = _members_of(project_id)
    return members.where(_membership.user_id == user_id)


def _locked_member(lock: Lock, user_id: int) -> Row:
    member = _member(lock.project_id, user_id)
    return one_or_raise(db.session.execute(member), MemberNotFound)
