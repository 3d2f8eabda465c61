"""What tasks add up to: who changed what, labels in use, numbers for a dashboard."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import Page, page_by
from taskapp.database.session import Body, now, read
from taskapp.ledger import access, events
from taskapp.tasks.access import visible_task
from taskapp.tasks.models import LABELS, OPEN, PRIORITIES, STATUSES, TASKS, TaskLabel

DAYS = 30
NUMBER = sa.func.count(TASKS.c.id)
Condition = sa.ColumnElement[bool]


def list_history(caller: Caller, task_id: int, query: Body) -> Page:
    """The events of a task, oldest first, as far as the caller sees the projects it was in.

    Raises:
        TaskNotFound
    """
    visible_task(caller, task_id)
    return events.list_events(caller, task_id, query)


def list_labels(caller: Caller, query: Body) -> Page:
    """Labels of the tasks that the caller sees, with how many tasks have each."""
    project_ids = access.ids_of(access.seen_by(caller))
    labels = (
        sa.select(
            LABELS.c.key, sa.func.min(LABELS.c.name).label("name"), sa.func.count().label("count")
        )
        .join(TASKS, TASKS.c.id == LABELS.c.task_id)
        .where(TASKS.c.project_id.in_(project_ids))
        .group_by(LABELS.c.key)
    )
    return page_by(labels, TaskLabel.key, **query).only("name", "count")


def get_stats(caller: Caller, query: Body) -> Body:
    """Numbers of the tasks in the projects that the caller sees, or in one of them.

    Raises:
        ProjectNotFound: The caller does not see the one that `project_id` names.
    """
    project_ids = access.ids_of(access.seen_by(caller), query.get("project_id"))
    inside = TASKS.c.project_id.in_(project_ids)
    return {
        "status": _count_each(STATUSES, TASKS.c.status, inside),
        "priority": _count_each(PRIORITIES, TASKS.c.priority, inside),
        "assignee": _count_assignees(inside),
        "overdue": _count_overdue(inside),
        "done_per_day": _done_per_day(inside),
    }


def _count_each(names: tuple[str, ...], column: sa.Column[Any], inside: Condition) -> Body:
    return {**dict.fromkeys(names, 0), **dict(_counts(column, inside))}


def _count_assignees(inside: Condition) -> list[Body]:
    counts = _counts(TASKS.c.assignee_id, inside)
    return [{"user_id": user_id, "count": count} for user_id, count in counts]


def _count_overdue(inside: Condition) -> int:
    is_late = TASKS.c.due_at < now()
    overdue = sa.select(NUMBER).where(inside, is_late, TASKS.c.status.in_(OPEN))
    return int(read(overdue).scalar_one())


def _done_per_day(inside: Condition) -> list[Body]:
    first = now().date() - dt.timedelta(days=DAYS - 1)
    midnight = dt.datetime.combine(first, dt.time(), dt.UTC)
    day = sa.func.date(TASKS.c.completed_at)  # in UTC, which is every connection's time zone
    counts = _counts(day, inside, TASKS.c.completed_at >= midnight)
    done = {str(date): count for date, count in counts}
    days = [str(first + dt.timedelta(days=number)) for number in range(DAYS)]
    return [{"date": date, "count": done.get(date, 0)} for date in days]


def _counts(column: Any, *where: Condition) -> list[tuple[Any, int]]:
    """How many tasks have each value of a column."""
    counted = sa.select(column, NUMBER).where(*where).group_by(column).order_by(column)
    return [tuple(row) for row in read(counted)]
