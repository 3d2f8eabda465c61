"""The filters of the task list: each parameter, and the condition that it adds."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from taskapp.database.session import Body
from taskapp.ledger.access import NAMED_PROJECTS
from taskapp.schema import BigInt
from taskapp.tasks.models import IS_OPEN, LABELS, TASK

Condition = sa.ColumnElement[bool]
# A parameter, and its value where that has a meaning of its own.
FilterKey = tuple[str, str | bool | None]
IN_PROJECTS = TASK.project_id.in_(NAMED_PROJECTS)
# The same, looked at in each row: a planner that combined indexes would read all of the projects.
_OUT_OF_INDEX = TASK.project_id + sa.literal_column("0")
SHOWS_PROJECT = _OUT_OF_INDEX.in_(NAMED_PROJECTS)


def _one_of(column: sa.Column[Any]) -> Condition:
    return column.in_(bindparam(column.key, expanding=True))


def _from(edge: str) -> Condition:
    """Due on or after a `due.Edge`; an index is read from its lower rank on."""
    lowest = bindparam(f"{edge}_low", type_=BigInt)
    by_day = TASK.due_on >= bindparam(f"{edge}_day")
    by_moment = TASK.due_at >= bindparam(f"{edge}_at")
    return sa.and_(TASK.due >= lowest, sa.or_(by_day, by_moment))


def _until(edge: str) -> Condition:
    """Due before a `due.Edge`; an index is read up to its higher rank."""
    highest = bindparam(f"{edge}_high", type_=BigInt)
    by_day = TASK.due_on < bindparam(f"{edge}_day")
    by_moment = TASK.due_at < bindparam(f"{edge}_at")
    return sa.and_(TASK.due < highest, sa.or_(by_day, by_moment))


_SOON = sa.and_(_from("since"), _until("until"))
_LATE = sa.and_(_until("until"), IS_OPEN)
# Each compares with the query's parameter of the same name.
_COMPARED: dict[str, Condition] = {
    "status": _one_of(TASK.status),
    "priority": _one_of(TASK.priority),
    "assignee": TASK.assignee_id == bindparam("assignee"),
    "parent": TASK.parent_id == bindparam("parent"),
    "external_id": TASK.external_id == bindparam("external_id"),
    "due_before": _until("due_before"),
    "due_after": _from("due_after"),
    "created_before": TASK.created_at < bindparam("created_before"),
    "created_after": TASK.created_at > bindparam("created_after"),
    "updated_after": TASK.updated_at > bindparam("updated_after"),
    "completed_before": TASK.completed_at < bindparam("completed_before"),
    "completed_after": TASK.completed_at > bindparam("completed_after"),
}
FILTERS: dict[FilterKey, Condition] = {(name, None): each for name, each in _COMPARED.items()}
# Values that have a meaning of their own.
FILTERS["assignee", "me"] = TASK.assignee_id == bindparam("me")
FILTERS["assignee", "none"] = TASK.assignee_id.is_(None)
FILTERS["parent", "none"] = TASK.parent_id.is_(None)
FILTERS["due", "none"] = TASK.due.is_(None)
FILTERS["due", "today"] = _SOON
FILTERS["due", "week"] = _SOON
FILTERS["due", "overdue"] = _LATE
FILTERS["repeat", True] = TASK.repeat.is_not(None)
FILTERS["repeat", False] = TASK.repeat.is_(None)


def filters_of(query: Body) -> tuple[FilterKey, ...]:
    """The keys of FILTERS that a query uses."""
    keys: list[FilterKey] = []
    for parameter, value in query.items():
        with_any_value = (parameter, None)
        if isinstance(value, str | bool) and (parameter, value) in FILTERS:
            keys.append((parameter, value))
        elif with_any_value in FILTERS:
            keys.append(with_any_value)
    return tuple(keys)


def labelled(number: int, project: int | None = None) -> sa.Select[int]:
    """The ids of tasks with the label that the parameter `label_<number>` names, casefolded.

    In the project of the parameter `project_<project>`, or in any of `projects`.
    """
    is_named = LABELS.c.key == bindparam(f"label_{number}")
    is_inside: Condition = LABELS.c.project_id.in_(NAMED_PROJECTS)
    if project is not None:
        is_inside = LABELS.c.project_id == bindparam(f"project_{project}")
    return sa.select(LABELS.c.task_id).where(is_inside, is_named)


def has_label(number: int, project: int | None = None) -> Condition:
    """The task is one of these."""
    return TASK.id.in_(labelled(number, project))


def shows_label(number: int, task_id: sa.ColumnElement[int]) -> Condition:
    """The same, asked of each task: for few of them."""
    is_named = LABELS.c.key == bindparam(f"label_{number}")
    return sa.exists().where(LABELS.c.task_id == task_id, is_named)
