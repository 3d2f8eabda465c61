"""What happens to tasks when a member leaves, or when their whole project goes."""

from contextlib import suppress

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.quotas import PROJECTS_OF_USER, give_back
from taskapp.database.session import now
from taskapp.errors import Conflict
from taskapp.extensions import db
from taskapp.ledger.access import (
    MEMBERSHIPS,
    PROJECTS,
    VIEW,
    ProjectNotFound,
    members_of,
    visible_projects,
)
from taskapp.ledger.revisions import Lock, Revision, lock_project, lock_projects, record
from taskapp.tasks.models import TASK, TASKS


class LastOwner(Conflict):
    """This is the last owner; make somebody else an owner first."""


def lock_all(user: Caller) -> None:
    """Lock every project that a user is in."""
    project_ids = set(db.session.scalars(visible_projects(user.user_id)))
    lock_projects(user, project_ids)


def leave_all(user: Caller) -> None:
    """Remove a user who is being deleted from every project; projects of theirs alone are deleted.

    Raises:
        LastOwner: A project with other members would have no owner.
    """
    projects = visible_projects(user.user_id).order_by(MEMBERSHIPS.c.project_id)
    for project_id in db.session.scalars(projects):
        with suppress(ProjectNotFound):  # it or the membership ended before the lock was held
            lock = lock_project(user, project_id, VIEW)
            member_ids = db.session.scalars(members_of(project_id)).all()
            if member_ids == [user.user_id]:
                delete_project(lock)
            else:
                leave(lock, user.user_id)


def leave(lock: Lock, user_id: int) -> None:
    """Remove a member from a project; their tasks stay, unassigned.

    Raises:
        LastOwner
    """
    keep_an_owner(lock, user_id)
    revision = lock.advance()
    _unassign(revision, user_id)
    left = sa.delete(MEMBERSHIPS).filter_by(project_id=lock.project_id, user_id=user_id)
    db.session.execute(left)
    give_back(PROJECTS_OF_USER, user_id)
    record(revision, "member-removed", member=[user_id, None])


def keep_an_owner(lock: Lock, user_id: int) -> None:
    """Refuse if nobody but this user owns the project.

    Raises:
        LastOwner
    """
    others = members_of(lock.project_id).where(MEMBERSHIPS.c.user_id != user_id)
    other_owners = others.where(MEMBERSHIPS.c.role == "owner")
    if db.session.scalars(other_owners).first() is None:
        raise LastOwner


def delete_project(lock: Lock) -> None:
    """Delete a project and everything in it; its events stay."""
    revision = lock.advance()
    _record_deleted_tasks(revision)
    record(revision, "project-deleted")
    give_back(PROJECTS_OF_USER, members_of(lock.project_id))
    is_this_one = PROJECTS.c.id == lock.project_id
    db.session.execute(sa.delete(PROJECTS).where(is_this_one))


def _record_deleted_tasks(revision: Revision) -> None:
    # Without parents all are deleted with the project itself: SQLite cascades 1,000 levels deep.
    in_project = TASK.project_id == revision.project_id
    orphaned = sa.update(TASKS).where(in_project).values(parent_id=None)
    task_ids = db.session.scalars(orphaned.returning(TASK.id)).all()
    record(revision, "deleted", task_ids)


def _unassign(revision: Revision, user_id: int) -> None:
    in_project = TASK.project_id == revision.project_id
    is_theirs = TASK.assignee_id == user_id
    assigned = sa.update(TASKS).where(in_project, is_theirs)
    cleared = assigned.values(assignee_id=None, revision=revision.revision, updated_at=now())
    cleared = cleared.returning(TASK.id)
    task_ids = db.session.scalars(cleared).all()
    record(revision, "updated", task_ids, assignee_id=[user_id, None])
