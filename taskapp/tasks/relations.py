"""What a task may refer to: an assignee who is a member, and a parent of the same project."""

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.session import Body
from taskapp.errors import Invalid, NotFound
from taskapp.extensions import db
from taskapp.ledger import access
from taskapp.tasks.models import TASK


class AssigneeNotFound(NotFound):
    """The assignee is no member of the task's project."""


class ParentNotFound(NotFound):
    """No task that you can see has the parent's id."""


def check_relations(caller: Caller, project_id: int, task_id: int | None, body: Body) -> None:
    """Refuse an assignee or a parent that a task cannot have; `task_id` is None for a new one.

    Raises:
        AssigneeNotFound: The assignee is no member of the project.
        ParentNotFound: The caller sees no such task.
        Invalid: The parent is in another project, or below the task.
    """
    assignee_id = body.get("assignee_id")
    if assignee_id is not None and access.role_in(project_id, assignee_id) is None:
        raise AssigneeNotFound(errors=[{"pointer": "/assignee_id", "detail": "No member."}])
    parent_id = body.get("parent_id")
    if parent_id is not None:
        _check_parent(caller, project_id, task_id, parent_id)


def descendants(task_id: int) -> list[int]:
    """The ids of all tasks below a task."""
    below = sa.select(TASK.id).where(TASK.parent_id == task_id).cte(recursive=True)
    children = sa.select(TASK.id).join(below, TASK.parent_id == below.c.id)
    all_below = sa.select(below.union(children).c.id)
    return list(db.session.scalars(all_below))


def _check_parent(caller: Caller, project_id: int, task_id: int | None, parent_id: int) -> None:
    visible = access.visible_projects(caller.user_id)
    is_visible = TASK.project_id.in_(visible)
    parent = sa.select(TASK.project_id).where(TASK.id == parent_id, is_visible)
    parents_project = db.session.scalar(parent)
    if parents_project is None:
        raise ParentNotFound(errors=[{"pointer": "/parent_id", "detail": "No such task."}])
    if parents_project != project_id:
        raise Invalid.field("parent_id", "The parent must be in the same project.")
    if task_id is not None and parent_id in {task_id, *descendants(task_id)}:
        raise Invalid.field("parent_id", "A task cannot be below itself.")
