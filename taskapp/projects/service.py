"""What can be done with projects and their members."""

from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from taskapp.errors import Conflict, NotFound, Refusal, TokenRevoked
from taskapp.extensions import Body, Expect, Row, changes, db, now, one, read, unique
from taskapp.pages import Page, page_by
from taskapp.projects import access
from taskapp.projects.access import (
    MEMBERSHIPS,
    OWN,
    PROJECTS,
    VIEW,
    Caller,
    Lock,
    ProjectNotFound,
    Revision,
)
from taskapp.projects.models import Membership, Project
from taskapp.tasks import access as tasks
from taskapp.users import access as users

_PROJECT = [c for c in PROJECTS.c if c.name not in {"inbox_of", "revision"}]
_KIND = sa.case((Project.inbox_of.is_(None), "shared"), else_="inbox").label("kind")
_MINE = (
    sa.select(*_PROJECT, _KIND, Membership.role, PROJECTS.c.revision)
    .join(Membership, Membership.project_id == Project.id)
    .where(Membership.user_id == sa.bindparam("user_id"))
)
_ONE = PROJECTS.c.id == sa.bindparam("project_id")
_profile = users.profiles()
_MEMBERS = sa.select(
    Membership.user_id, _profile.c.email, _profile.c.name, Membership.role, Membership.created_at
).join(_profile, _profile.c.user_id == Membership.user_id)


class MemberNotFound(NotFound):
    """No such member in this project."""


class AlreadyMember(Conflict):
    """This user is a member already."""


def list_projects(caller: Caller, query: Body) -> Page:
    return page_by(_MINE.params(user_id=caller.user_id), Project.id, **query)


def get_project(caller: Caller, project_id: int) -> Row:
    return one(read(_mine(caller, project_id)), ProjectNotFound)


def create_project(caller: Caller, body: Body) -> Row:
    return db.session.execute(_mine(caller, _create(caller.user_id, **body))).one()


def open_inbox(user_id: int) -> None:
    """Give a new user the one project that everybody has."""
    _create(user_id, name="Inbox", inbox_of=user_id)


def update_project(caller: Caller, project_id: int, body: Body, expect: Expect) -> Row:
    lock, before = _locked(caller, project_id)
    expect(before)
    if not (changed := changes(before, body)):
        return before
    if before.kind == "inbox" and body.get("archived_at"):
        raise Conflict("An inbox cannot be archived.")
    written = sa.update(PROJECTS).where(Project.id == project_id)
    db.session.execute(written.values(**body, updated_at=now()))
    access.record(lock.advance(), "project-updated", **changed)
    return db.session.execute(_mine(caller, project_id)).one()


def delete_project(caller: Caller, project_id: int, expect: Expect) -> None:
    lock, before = _locked(caller, project_id)
    expect(before)
    if before.kind == "inbox":
        raise Conflict("An inbox cannot be deleted.")
    _delete(lock)


def list_members(caller: Caller, project_id: int, query: Body) -> Page:
    access.see(caller, project_id)
    return page_by(_MEMBERS.where(Membership.project_id == project_id), Membership.user_id, **query)


def get_member(caller: Caller, project_id: int, user_id: int) -> Row:
    access.see(caller, project_id)
    return one(read(_member(project_id, user_id)), MemberNotFound)


def add_member(caller: Caller, project_id: int, body: Body) -> Row:
    lock, project = _locked(caller, project_id)
    if project.kind == "inbox":
        raise Conflict("An inbox cannot be shared.")
    user_id = users.user_id_of(body["email"])
    revision = lock.advance()
    _join(revision, user_id, body["role"])
    access.record(revision, "member-added", member=[None, user_id], role=[None, body["role"]])
    return _locked_member(lock, user_id)


def update_member(caller: Caller, project_id: int, user_id: int, body: Body, expect: Expect) -> Row:
    lock = access.lock_project(caller, project_id, OWN)
    member = _locked_member(lock, user_id)
    expect(member)
    if not (changed := changes(member, body)):
        return member
    _keep_an_owner(lock, user_id)
    revision = lock.advance()
    written = sa.update(MEMBERSHIPS).filter_by(project_id=project_id, user_id=user_id)
    db.session.execute(written.values(**body, revision=revision.revision))
    access.record(revision, "member-updated", member=[user_id, user_id], **changed)
    return _locked_member(lock, user_id)


def remove_member(caller: Caller, project_id: int, user_id: int, expect: Expect) -> None:
    """Owners remove anyone, and anyone may leave; the last owner may not."""
    lock = access.lock_project(caller, project_id, VIEW if user_id == caller.user_id else OWN)
    expect(_locked_member(lock, user_id))
    _leave(lock, user_id)


def leave_all(user: Caller) -> None:
    """Take a user who is being deleted out of every project; what only they see is deleted."""
    for project_id in db.session.scalars(access.visible_to(user.user_id).order_by("project_id")):
        with suppress(ProjectNotFound):  # while its lock was waited for, it or the member went
            lock = access.lock_project(user, project_id, VIEW)
            if db.session.scalars(access.members_of(project_id)).all() == [user.user_id]:
                _delete(lock)
            else:
                _leave(lock, user.user_id)


def _create(user_id: int, **values: Any) -> int:
    at = now()
    project = {"description": "", "revision": 1, "created_at": at, "updated_at": at, **values}
    inserted = sa.insert(PROJECTS).values(project).returning(Project.id)
    revision = Revision(db.session.execute(inserted).scalar_one(), 1, user_id)
    _join(revision, user_id, "owner", TokenRevoked)
    access.record(revision, "project-created", name=[None, values["name"]])
    return revision.project_id


def _locked(caller: Caller, project_id: int) -> tuple[Lock, Row]:
    """The project, locked for its owner."""
    lock = access.lock_project(caller, project_id, OWN)
    return lock, db.session.execute(_mine(caller, project_id)).one()


def _delete(lock: Lock) -> None:
    revision = lock.advance()
    tasks.bury_tasks_of(revision)
    access.record(revision, "project-deleted")
    db.session.execute(sa.delete(Project).where(Project.id == lock.project_id))


def _join(
    revision: Revision, user_id: int, role: str, otherwise: type[Refusal] = AlreadyMember
) -> None:
    member = {"project_id": revision.project_id, "user_id": user_id, "role": role}
    stamped = {**member, "revision": revision.revision, "created_at": now()}
    unique(sa.insert(MEMBERSHIPS).values(stamped), otherwise)


def _leave(lock: Lock, user_id: int) -> None:
    _keep_an_owner(lock, user_id)
    revision = lock.advance()
    tasks.unassign(revision, user_id)
    left = sa.delete(MEMBERSHIPS).filter_by(project_id=lock.project_id, user_id=user_id)
    db.session.execute(left)
    access.record(revision, "member-removed", member=[user_id, None])


def _keep_an_owner(lock: Lock, user_id: int) -> None:
    others = access.members_of(lock.project_id).where(Membership.user_id != user_id)
    if db.session.scalars(others.where(Membership.role == "owner")).first() is None:
        raise Conflict("This is the last owner; make somebody else an owner first.")


def _mine(caller: Caller, project_id: int) -> sa.Select[Any]:
    return _MINE.where(_ONE).params(user_id=caller.user_id, project_id=project_id)


def _member(project_id: int, user_id: int) -> sa.Select[Any]:
    return _MEMBERS.where(Membership.project_id == project_id, Membership.user_id == user_id)


def _locked_member(lock: Lock, user_id: int) -> Row:
    return one(db.session.execute(_member(lock.project_id, user_id)), MemberNotFound)
