"""What other rooms may do to tasks, inside a turn of theirs."""

import sqlalchemy as sa

from taskapp.extensions import db, now, table
from taskapp.projects import access
from taskapp.projects.access import Turn
from taskapp.tasks.models import Task

TASKS = table(Task)


def bury_tasks_of(turn: Turn) -> None:
    """Leave a tombstone for every task of a project that is about to be deleted."""
    task_ids = db.session.scalars(sa.select(Task.id).where(Task.project_id == turn.project_id))
    access.record(turn, "deleted", task_ids)


def unassign(turn: Turn, user_id: int) -> None:
    """Clear a leaving member from the project's tasks."""
    cleared = db.session.scalars(
        sa.update(TASKS)
        .where(Task.project_id == turn.project_id, Task.assignee_id == user_id)
        .values(assignee_id=None, revision=turn.revision, updated_at=now())
        .returning(TASKS.c.id)
    )
    access.record(turn, "updated", cleared.all(), assignee_id=[user_id, None])
