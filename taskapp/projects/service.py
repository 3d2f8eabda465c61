"""What can be done with projects and their members."""

from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from taskapp.errors import Conflict, NotFound, Refusal, TokenRevoked
from taskapp.extensions import Body, Expect, Row, changes, db, now, one, read, unique
from taskapp.pages import Page, page_by
from taskapp.projects import access
from taskapp.projects.access import MEMBERSHIPS, OWN, PROJECTS, VIEW, Caller, ProjectNotFound, Turn
from taskapp.projects.models import Membership, Project
from taskapp.tasks import access as tasks
from taskapp.users import access as users

_PROJECT = [c for c in PROJECTS.c if c.name not in {"inbox_of", "revision"}]
_KIND = sa.case((Project.inbox_of.is_(None), "shared"), else_="inbox").label("kind")
# Inside a turn, the project as it was before: the turn has taken the next revision already.
_REVISION = (PROJECTS.c.revision - sa.bindparam("taken", 0)).label("revision")
_MINE = (
    sa.select(*_PROJECT, _KIND, Membership.role, _REVISION)
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
    project = db.session.execute(_mine(caller, _create(caller.user_id, **body))).one()
    db.session.commit()
    return project


def open_inbox(user_id: int) -> None:
    """Give a new user the one project that everybody has."""
    _create(user_id, name="Inbox", inbox_of=user_id)


def update_project(caller: Caller, project_id: int, body: Body, expect: Expect) -> Row:
    turn, before = _begin(caller, project_id)
    expect(before)
    if not (changed := changes(before, body)):
        return before
    if before.kind == "inbox" and body.get("archived_at"):
        raise Conflict("An inbox cannot be archived.")
    written = sa.update(PROJECTS).where(Project.id == project_id)
    db.session.execute(written.values(**body, updated_at=now()))
    access.record(turn, "project-updated", **changed)
    project = db.session.execute(_mine(caller, project_id)).one()
    db.session.commit()
    return project


def delete_project(caller: Caller, project_id: int, expect: Expect) -> None:
    turn, before = _begin(caller, project_id)
    expect(before)
    if before.kind == "inbox":
        raise Conflict("An inbox cannot be deleted.")
    _delete(turn)
    db.session.commit()


def list_members(caller: Caller, project_id: int, query: Body) -> Page:
    access.see(caller, project_id)
    return page_by(_MEMBERS.where(Membership.project_id == project_id), Membership.user_id, **query)


def get_member(caller: Caller, project_id: int, user_id: int) -> Row:
    access.see(caller, project_id)
    return one(read(_member(project_id, user_id)), MemberNotFound)


def add_member(caller: Caller, project_id: int, body: Body) -> Row:
    turn, project = _begin(caller, project_id)
    if project.kind == "inbox":
        raise Conflict("An inbox cannot be shared.")
    user_id = users.user_id_of(body["email"])
    _join(turn, user_id, body["role"])
    access.record(turn, "member-added", member=[None, user_id], role=[None, body["role"]])
    member = _locked_member(turn, user_id)
    db.session.commit()
    return member


def update_member(caller: Caller, project_id: int, user_id: int, body: Body, expect: Expect) -> Row:
    turn = access.take_turn(caller, project_id, OWN)
    member = _locked_member(turn, user_id)
    expect(member)
    if not (changed := changes(member, body)):
        return member
    _keep_an_owner(turn, user_id)
    written = sa.update(MEMBERSHIPS).filter_by(project_id=project_id, user_id=user_id)
    db.session.execute(written.values(**body, revision=turn.revision))
    access.record(turn, "member-updated", member=[user_id, user_id], **changed)
    member = _locked_member(turn, user_id)
    db.session.commit()
    return member


def remove_member(caller: Caller, project_id: int, user_id: int, expect: Expect) -> None:
    """Owners remove anyone, and anyone may leave; the last owner may not."""
    turn = access.take_turn(caller, project_id, VIEW if user_id == caller.user_id else OWN)
    expect(_locked_member(turn, user_id))
    _leave(turn, user_id)
    db.session.commit()


def leave_all(user: Caller) -> None:
    """Take a user who is being deleted out of every project; what only they see is deleted."""
    for project_id in db.session.scalars(access.visible_to(user.user_id).order_by("project_id")):
        with suppress(ProjectNotFound):  # while its lock was waited for, it or the member went
            turn = access.take_turn(user, project_id, VIEW)
            if db.session.scalars(access.members_of(project_id)).all() == [user.user_id]:
                _delete(turn)
            else:
                _leave(turn, user.user_id)


def _create(user_id: int, **values: Any) -> int:
    at = now()
    project = {"description": "", "revision": 1, "created_at": at, "updated_at": at, **values}
    inserted = sa.insert(PROJECTS).values(project).returning(Project.id)
    turn = Turn(db.session.execute(inserted).scalar_one(), 1, user_id)
    _join(turn, user_id, "owner", TokenRevoked)
    access.record(turn, "project-created", name=[None, values["name"]])
    return turn.project_id


def _begin(caller: Caller, project_id: int) -> tuple[Turn, Row]:
    """An owner's turn of the project, and the project as it was before."""
    turn = access.take_turn(caller, project_id, OWN)
    return turn, db.session.execute(_mine(caller, project_id), {"taken": 1}).one()


def _delete(turn: Turn) -> None:
    tasks.bury_tasks_of(turn)
    access.record(turn, "project-deleted")
    db.session.execute(sa.delete(Project).where(Project.id == turn.project_id))


def _join(turn: Turn, user_id: int, role: str, otherwise: type[Refusal] = AlreadyMember) -> None:
    member = {"project_id": turn.project_id, "user_id": user_id, "role": role}
    stamped = {**member, "revision": turn.revision, "created_at": now()}
    unique(sa.insert(MEMBERSHIPS).values(stamped), otherwise)


def _leave(turn: Turn, user_id: int) -> None:
    _keep_an_owner(turn, user_id)
    tasks.unassign(turn, user_id)
    left = sa.delete(MEMBERSHIPS).filter_by(project_id=turn.project_id, user_id=user_id)
    db.session.execute(left)
    access.record(turn, "member-removed", member=[user_id, None])


def _keep_an_owner(turn: Turn, user_id: int) -> None:
    others = access.members_of(turn.project_id).where(Membership.user_id != user_id)
    if db.session.scalars(others.where(Membership.role == "owner")).first() is None:
        raise Conflict("This is the last owner; make somebody else an owner first.")


def _mine(caller: Caller, project_id: int) -> sa.Select[Any]:
    return _MINE.where(_ONE).params(user_id=caller.user_id, project_id=project_id)


def _member(project_id: int, user_id: int) -> sa.Select[Any]:
    return _MEMBERS.where(Membership.project_id == project_id, Membership.user_id == user_id)


def _locked_member(turn: Turn, user_id: int) -> Row:
    return one(db.session.execute(_member(turn.project_id, user_id)), MemberNotFound)
