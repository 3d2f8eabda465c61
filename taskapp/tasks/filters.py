"""The filters of the task list: each parameter, and the condition that it adds."""

import sqlalchemy as sa
from sqlalchemy import bindparam

from taskapp.database.session import Body
from taskapp.schema import BigInt
from taskapp.tasks.models import IS_OPEN, LABELS, TASK

Condition = sa.ColumnElement[bool]
FilterKey = tuple[
    str, str | bool | None
]  # a parameter, and its value where that has a meaning of its own
IN_PROJECTS = TASK.project_id.in_(bindparam("projects", expanding=True))


def _from(edge: str) -> Condition:
    """Due on or after a `due.Edge`; its lower rank is what an index is read from."""
    lowest = bindparam(f"{edge}_low", type_=BigInt)
    by_day = TASK.due_on >= bindparam(f"{edge}_day")
    by_moment = TASK.due_at >= bindparam(f"{edge}_at")
    return sa.and_(TASK.due >= lowest, sa.or_(by_day, by_moment))


def _until(edge: str) -> Condition:
    """Due before a `due.Edge`; its higher rank is what an index is read up to."""
    highest = bindparam(f"{edge}_high", type_=BigInt)
    by_day = TASK.due_on < bindparam(f"{edge}_day")
    by_moment = TASK.due_at < bindparam(f"{edge}_at")
    return sa.and_(TASK.due < highest, sa.or_(by_day, by_moment))


# Each compares with the query's parameter of the same name, unless its value says it all.
FILTERS: dict[FilterKey, Condition] = {
    ("status", None): TASK.status.in_(bindparam("status", expanding=True)),
    ("priority", None): TASK.priority.in_(bindparam("priority", expanding=True)),
    ("assignee", None): TASK.assignee_id == bindparam("assignee"),
    ("assignee", "me"): TASK.assignee_id == bindparam("me"),
    ("assignee", "none"): TASK.assignee_id.is_(None),
    ("parent", None): TASK.parent_id == bindparam("parent"),
    ("parent", "none"): TASK.parent_id.is_(None),
    ("due", "none"): TASK.due.is_(None),
    ("due", "today"): sa.and_(_from("since"), _until("until")),
    ("due", "week"): sa.and_(_from("since"), _until("until")),
    ("due", "overdue"): sa.and_(_until("until"), IS_OPEN),
    ("due_before", None): _until("due_before"),
    ("due_after", None): _from("due_after"),
    ("created_before", None): TASK.created_at < bindparam("created_before"),
    ("created_after", None): TASK.created_at > bindparam("created_after"),
    ("updated_after", None): TASK.updated_at > bindparam("updated_after"),
    ("completed_before", None): TASK.completed_at < bindparam("completed_before"),
    ("completed_after", None): TASK.completed_at > bindparam("completed_after"),
    ("external_id", None): TASK.external_id == bindparam("external_id"),
    ("repeat", True): TASK.repeat.is_not(None),
    ("repeat", False): TASK.repeat.is_(None),
}


def filters_of(query: Body) -> tuple[FilterKey, ...]:
    """The keys of FILTERS that a query uses."""
    keys = []
    for parameter, value in query.items():
        with_value = (parameter, value if isinstance(value, str | bool) else None)
        if with_value in FILTERS:
            keys.append(with_value)
        elif (parameter, None) in FILTERS:
            keys.append((parameter, None))
    return tuple(keys)


def has_label(number: int) -> Condition:
    """The task has the label that the parameter `label_<number>` names, casefolded."""
    with_it = sa.select(LABELS.c.task_id).where(LABELS.c.key == bindparam(f"label_{number}"))
    return TASK.id.in_(with_it)
