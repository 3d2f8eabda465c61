"""What a task may refer to: an assignee who is a member, and a parent of the same project."""

from collections.abc import Sequence

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.session import Body
from taskapp.errors import Invalid, NotFound
from taskapp.extensions import db
from taskapp.ledger import access
from taskapp.tasks.models import TASK, TASK_IDS

NO_MEMBER = "This user is not a member of the project."


class AssigneeNotFound(NotFound):
    """The assignee is not a member of the task's project."""


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
        reason = {"pointer": "/assignee_id", "detail": NO_MEMBER}
        raise AssigneeNotFound(errors=[reason])
    parent_id = body.get("parent_id")
    if parent_id is not None:
        _check_parent(caller, project_id, task_id, parent_id)


def descendants(task_ids: Sequence[int]) -> list[int]:
    """The ids of all tasks below these, level by level."""
    children = TASK_IDS.where(TASK.parent_id.in_(task_ids))
    below = children.cte(recursive=True)
    further_below = TASK_IDS.join(below, TASK.parent_id == below.c.id)
    all_below = below.union(further_below)
    ids = sa.select(all_below.c.id)
    return list(db.session.scalars(ids))


def _check_parent(caller: Caller, project_id: int, task_id: int | None, parent_id: int) -> None:
    visible = access.visible_projects(caller.user_id)
    is_visible = TASK.project_id.in_(visible)
    is_parent = TASK.id == parent_id
    its_project = sa.select(TASK.project_id).where(is_parent, is_visible)
    parents_project = db.session.scalar(its_project)
    if parents_project is None:
        reason = {"pointer": "/parent_id", "detail": "You can see no task with this id."}
        raise ParentNotFound(errors=[reason])
    if parents_project != project_id:
        raise Invalid.field("parent_id", "The parent must be in the same project.")
    if task_id is None:
        return
    if parent_id == task_id or parent_id in descendants([task_id]):
        raise Invalid.field("parent_id", "A task cannot be below itself.")
