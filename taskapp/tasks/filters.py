"""The filters of the task list: each parameter, and the condition that it adds."""

import sqlalchemy as sa
from sqlalchemy import bindparam

from taskapp.database.session import Body
from taskapp.tasks.models import LABELS, OPEN, TASKS

Condition = sa.ColumnElement[bool]
FilterKey = tuple[str, str | None]  # a parameter, and its value where that has a meaning of its own
IN_PROJECTS = TASKS.c.project_id.in_(bindparam("projects", expanding=True))
# Each compares with the query's parameter of the same name, unless its value says it all.
FILTERS: dict[FilterKey, Condition] = {
    ("status", None): TASKS.c.status.in_(bindparam("status", expanding=True)),
    ("priority", None): TASKS.c.priority.in_(bindparam("priority", expanding=True)),
    ("assignee", None): TASKS.c.assignee_id == bindparam("assignee"),
    ("assignee", "me"): TASKS.c.assignee_id == bindparam("me"),
    ("assignee", "none"): TASKS.c.assignee_id.is_(None),
    ("parent", None): TASKS.c.parent_id == bindparam("parent"),
    ("parent", "none"): TASKS.c.parent_id.is_(None),
    ("due", "none"): TASKS.c.due_at.is_(None),
    ("due", "today"): sa.and_(
        TASKS.c.due_at >= bindparam("at"), TASKS.c.due_at < bindparam("until")
    ),
    ("due", "overdue"): sa.and_(TASKS.c.due_at < bindparam("at"), TASKS.c.status.in_(OPEN)),
    ("due_before", None): TASKS.c.due_at < bindparam("due_before"),
    ("due_after", None): TASKS.c.due_at > bindparam("due_after"),
    ("created_before", None): TASKS.c.created_at < bindparam("created_before"),
    ("created_after", None): TASKS.c.created_at > bindparam("created_after"),
    ("updated_after", None): TASKS.c.updated_at > bindparam("updated_after"),
}


def filters_of(query: Body) -> tuple[FilterKey, ...]:
    """The keys of FILTERS that a query uses."""
    keys = []
    for parameter, value in query.items():
        with_value = (parameter, value if isinstance(value, str) else None)
        if with_value in FILTERS:
            keys.append(with_value)
        elif (parameter, None) in FILTERS:
            keys.append((parameter, None))
    return tuple(keys)


def has_label(number: int) -> Condition:
    """The task has the label that the parameter `label_<number>` names, casefolded."""
    with_it = sa.select(LABELS.c.task_id).where(LABELS.c.key == bindparam(f"label_{number}"))
    return TASKS.c.id.in_(with_it)
