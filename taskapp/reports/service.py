"""What tasks add up to: who changed what, labels in use, numbers for a dashboard."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import Page, page_by
from taskapp.database.session import Body, now, read
from taskapp.ledger import access, events
from taskapp.tasks.access import visible_task
from taskapp.tasks.models import PRIORITIES, STATUSES, Task, TaskLabel
from taskapp.tasks.query import OPEN

DAYS = 30


def list_history(caller: Caller, task_id: int, query: Body) -> Page:
    """The events of a task, oldest first, as far as the caller sees the projects it was in."""
    visible_task(caller, task_id)
    return events.list_events(caller, task_id, query)


def list_labels(caller: Caller, query: Body) -> Page:
    """Labels of the tasks that the caller sees, with how many tasks have each."""
    name, times = sa.func.min(TaskLabel.name).label("name"), sa.func.count().label("count")
    used = sa.select(TaskLabel.key, name, times).join(Task, Task.id == TaskLabel.task_id)
    mine = used.where(Task.project_id.in_(access.ids_of(access.seen_by(caller))))
    return page_by(mine.group_by(TaskLabel.key), TaskLabel.key, **query).only("name", "count")


def get_stats(caller: Caller, query: Body) -> Body:
    inside = Task.project_id.in_(access.ids_of(access.seen_by(caller), query.get("project_id")))
    late = (Task.due_at < now(), Task.status.in_(OPEN))
    return {
        "status": dict.fromkeys(STATUSES, 0) | dict(_counts(Task.status, inside)),
        "priority": dict.fromkeys(PRIORITIES, 0) | dict(_counts(Task.priority, inside)),
        "assignee": [{"user_id": who, "count": n} for who, n in _counts(Task.assignee_id, inside)],
        "overdue": read(sa.select(sa.func.count(Task.id)).where(inside, *late)).scalar_one(),
        "done_per_day": _done_per_day(inside),
    }


def _done_per_day(inside: sa.ColumnElement[bool]) -> list[Body]:
    first = now().date() - dt.timedelta(days=DAYS - 1)
    since = dt.datetime.combine(first, dt.time(), dt.UTC)
    day = sa.func.date(Task.completed_at)  # in UTC, which is every connection's time zone
    done = {str(date): n for date, n in _counts(day, inside, Task.completed_at >= since)}
    days = [str(first + dt.timedelta(days=n)) for n in range(DAYS)]
    return [{"date": date, "count": done.get(date, 0)} for date in days]


def _counts(column: Any, *where: sa.ColumnElement[bool]) -> list[tuple[Any, int]]:
    counted = sa.select(column, sa.func.count(Task.id)).where(*where).group_by(column)
    return [tuple(row) for row in read(counted.order_by(column))]
