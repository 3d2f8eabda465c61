"""The filters of the task list: each parameter, and the condition that it adds."""

import sqlalchemy as sa
from sqlalchemy import bindparam

from taskapp.database.session import Body
from taskapp.schema import BigInt
from taskapp.tasks.models import IS_OPEN, LABELS, TASKS

Condition = sa.ColumnElement[bool]
FilterKey = tuple[
    str, str | bool | None
]  # a parameter, and its value where that has a meaning of its own
IN_PROJECTS = TASKS.c.project_id.in_(bindparam("projects", expanding=True))


def _from(edge: str) -> Condition:
    """Due on or after a `due.Edge`; its lower rank is what an index is read from."""
    return sa.and_(
        TASKS.c.due >= bindparam(f"{edge}_low", type_=BigInt),
        sa.or_(
            TASKS.c.due_on >= bindparam(f"{edge}_day"), TASKS.c.due_at >= bindparam(f"{edge}_at")
        ),
    )


def _until(edge: str) -> Condition:
    """Due before a `due.Edge`; its higher rank is what an index is read up to."""
    return sa.and_(
        TASKS.c.due < bindparam(f"{edge}_high", type_=BigInt),
        sa.or_(TASKS.c.due_on < bindparam(f"{edge}_day"), TASKS.c.due_at < bindparam(f"{edge}_at")),
    )


# Each compares with the query's parameter of the same name, unless its value says it all.
FILTERS: dict[FilterKey, Condition] = {
    ("status", None): TASKS.c.status.in_(bindparam("status", expanding=True)),
    ("priority", None): TASKS.c.priority.in_(bindparam("priority", expanding=True)),
    ("assignee", None): TASKS.c.assignee_id == bindparam("assignee"),
    ("assignee", "me"): TASKS.c.assignee_id == bindparam("me"),
    ("assignee", "none"): TASKS.c.assignee_id.is_(None),
    ("parent", None): TASKS.c.parent_id == bindparam("parent"),
    ("parent", "none"): TASKS.c.parent_id.is_(None),
    ("due", "none"): TASKS.c.due.is_(None),
    ("due", "today"): sa.and_(_from("since"), _until("until")),
    ("due", "week"): sa.and_(_from("since"), _until("until")),
    ("due", "overdue"): sa.and_(_until("until"), IS_OPEN),
    ("due_before", None): _until("due_before"),
    ("due_after", None): _from("due_after"),
    ("created_before", None): TASKS.c.created_at < bindparam("created_before"),
    ("created_after", None): TASKS.c.created_at > bindparam("created_after"),
    ("updated_after", None): TASKS.c.updated_at > bindparam("updated_after"),
    ("completed_before", None): TASKS.c.completed_at < bindparam("completed_before"),
    ("completed_after", None): TASKS.c.completed_at > bindparam("completed_after"),
    ("external_id", None): TASKS.c.external_id == bindparam("external_id"),
    ("repeat", True): TASKS.c.repeat.is_not(None),
    ("repeat", False): TASKS.c.repeat.is_(None),
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
    return TASKS.c.id.in_(with_it)
