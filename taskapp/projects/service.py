"""What can be done with projects and their members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from taskapp.errors import Conflict, NotFound
from taskapp.extensions import db, now, read, table
from taskapp.pages import Page, page_by
from taskapp.projects import access
from taskapp.projects.access import OWN, VIEW, Caller, ProjectNotFound, Turn
from taskapp.projects.models import Membership, Project
from taskapp.tasks import service as tasks
from taskapp.users import access as users

Expect = Callable[[sa.Row[Any]], None]
_profile = users.profiles()
_KIND = sa.case((Project.inbox_of.is_(None), "shared"), else_="inbox").label("kind")


def _projects(revision: Any) -> sa.Select[Any]:
    return (
        sa.select(
            Project.id,
            Project.name,
            Project.description,
            _KIND,
            Membership.role,
            Project.archived_at,
            revision.label("revision"),
            Project.created_at,
            Project.updated_at,
        )
        .join(Membership, Membership.project_id == Project.id)
        .where(Membership.user_id == sa.bindparam("user_id"))
    )


_PROJECTS = _projects(Project.revision)
# Inside a turn, the project as it was before: the turn has taken the next revision already.
_BEFORE = _projects(Project.revision - 1).where(Project.id == sa.bindparam("project_id"))
_MEMBERS = sa.select(
    Membership.user_id, _profile.c.email, _profile.c.name, Membership.role, Membership.created_at
).join(_profile, _profile.c.user_id == Membership.user_id)


class MemberNotFound(NotFound):
    """No such member in this project."""


def list_projects(caller: Caller, query: dict[str, Any]) -> Page:
    return page_by(_PROJECTS.params(user_id=caller.user_id), Project.id, **query)


def get_project(caller: Caller, project_id: int) -> sa.Row[Any]:
    one = _PROJECTS.where(Project.id == project_id)
    project = read(one, {"user_id": caller.user_id}).one_or_none()
    if project is None:
        raise ProjectNotFound
    return project


def create_project(caller: Caller, body: dict[str, Any]) -> sa.Row[Any]:
    project_id = _create(caller.user_id, **body)
    db.session.commit()
    return get_project(caller, project_id)


def open_inbox(user_id: int) -> None:
    """Give a new user the one project that everybody has."""
    _create(user_id, name="Inbox", inbox_of=user_id)


def update_project(
    caller: Caller, project_id: int, body: dict[str, Any], expect: Expect
) -> sa.Row[Any]:
    turn, before = _begin(caller, project_id, expect)
    changes = {
        name: [before._mapping[name], new]
        for name, new in body.items()
        if before._mapping[name] != new
    }
    if before.kind == "inbox" and changes.get("archived_at"):
        raise Conflict("An inbox cannot be archived.")
    if not changes:
        db.session.rollback()
        return before
    db.session.execute(
        sa.update(Project).where(Project.id == project_id).values(**body, updated_at=now())
    )
    access.record(turn, "project-updated", **changes)
    db.session.commit()
    return get_project(caller, project_id)


def delete_project(caller: Caller, project_id: int, expect: Expect) -> None:
    turn, before = _begin(caller, project_id, expect)
    if before.kind == "inbox":
        raise Conflict("An inbox cannot be deleted.")
    _delete(turn)
    db.session.commit()


def list_members(caller: Caller, project_id: int, query: dict[str, Any]) -> Page:
    get_project(caller, project_id)
    return page_by(_MEMBERS.where(Membership.project_id == project_id), Membership.user_id, **query)


def get_member(caller: Caller, project_id: int, user_id: int) -> sa.Row[Any]:
    get_project(caller, project_id)
    member = read(_member(project_id, user_id)).one_or_none()
    if member is None:
        raise MemberNotFound
    return member


def add_member(caller: Caller, project_id: int, body: dict[str, Any]) -> sa.Row[Any]:
    turn = access.take_turn(caller, project_id, OWN)
    if access.is_inbox(project_id):
        raise Conflict("An inbox cannot be shared.")
    user_id = users.user_id_of(body["email"])
    if access.role_in(project_id, user_id):
        raise Conflict("This user is a member already.")
    _join(turn, user_id, body["role"])
    access.record(turn, "member-added", member=[None, user_id], role=[None, body["role"]])
    db.session.commit()
    return get_member(caller, project_id, user_id)


def update_member(
    caller: Caller, project_id: int, user_id: int, body: dict[str, Any], expect: Expect
) -> sa.Row[Any]:
    turn = access.take_turn(caller, project_id, OWN)
    member, role = _locked_member(turn, user_id), body.get("role")
    expect(member)
    if role in (None, member.role):
        db.session.rollback()
        return member
    _keep_an_owner(turn, user_id)
    db.session.execute(
        sa.update(Membership)
        .where(Membership.project_id == project_id, Membership.user_id == user_id)
        .values(role=role, revision=turn.revision)
    )
    access.record(turn, "member-updated", member=[user_id, user_id], role=[member.role, role])
    changed = _locked_member(turn, user_id)
    db.session.commit()
    return changed


def remove_member(caller: Caller, project_id: int, user_id: int, expect: Expect) -> None:
    """Owners remove anyone, and anyone may leave; the last owner may not."""
    turn = access.take_turn(caller, project_id, VIEW if user_id == caller.user_id else OWN)
    expect(_locked_member(turn, user_id))
    _leave(turn, user_id)
    db.session.commit()


def leave_all(user: Caller) -> None:
    """Take a user who is being deleted out of every project; what only they see is deleted."""
    for project_id in db.session.scalars(access.visible_to(user.user_id).order_by("project_id")):
        turn = access.take_turn(user, project_id, VIEW)
        alone = len(db.session.scalars(access.members_of(project_id)).all()) == 1
        if alone:
            _delete(turn)
        else:
            _leave(turn, user.user_id)


def _create(user_id: int, **values: Any) -> int:
    at = now()
    project = {"description": "", "revision": 1, "created_at": at, "updated_at": at, **values}
    inserted = sa.insert(table(Project)).values(project).returning(Project.id)
    project_id: int = db.session.execute(inserted).scalar_one()
    turn = Turn(project_id, 1, user_id)
    _join(turn, user_id, "owner")
    access.record(turn, "project-created", name=[None, values["name"]])
    return project_id


def _begin(caller: Caller, project_id: int, expect: Expect) -> tuple[Turn, sa.Row[Any]]:
    turn = access.take_turn(caller, project_id, OWN)
    values = {"user_id": caller.user_id, "project_id": project_id}
    before = db.session.execute(_BEFORE, values).one()
    expect(before)
    return turn, before


def _delete(turn: Turn) -> None:
    tasks.bury_tasks_of(turn)
    access.record(turn, "project-deleted")
    db.session.execute(sa.delete(Project).where(Project.id == turn.project_id))


def _join(turn: Turn, user_id: int, role: str) -> None:
    member = {"project_id": turn.project_id, "user_id": user_id, "role": role}
    stamped = {**member, "revision": turn.revision, "created_at": now()}
    db.session.execute(sa.insert(table(Membership)).values(stamped))


def _leave(turn: Turn, user_id: int) -> None:
    _keep_an_owner(turn, user_id)
    tasks.unassign(turn, user_id)
    db.session.execute(
        sa.delete(Membership).where(
            Membership.project_id == turn.project_id, Membership.user_id == user_id
        )
    )
    access.record(turn, "member-removed", member=[user_id, None])


def _keep_an_owner(turn: Turn, user_id: int) -> None:
    others = access.members_of(turn.project_id).where(
        Membership.user_id != user_id, Membership.role == "owner"
    )
    if db.session.scalars(others).first() is None:
        raise Conflict("This is the last owner; make somebody else an owner first.")


def _member(project_id: int, user_id: int) -> sa.Select[Any]:
    return _MEMBERS.where(Membership.project_id == project_id, Membership.user_id == user_id)


def _locked_member(turn: Turn, user_id: int) -> sa.Row[Any]:
    member = db.session.execute(_member(turn.project_id, user_id)).one_or_none()
    if member is None:
        raise MemberNotFound
    return member
