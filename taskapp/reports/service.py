"""What tasks add up to: who changed what, labels in use, numbers for a dashboard."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from taskapp.caller import ADMIN, Caller
from taskapp.database.pages import Page, page_by
from taskapp.database.session import Body, now, read
from taskapp.ledger import access, events
from taskapp.tasks.access import TaskNotFound, visible_task, was_deleted
from taskapp.tasks.due import start_of
from taskapp.tasks.models import IS_OPEN, LABELS, PRIORITIES, STATUSES, TASKS, TaskLabel
from taskapp.tasks.query import count_overdue

DAYS = 30
AGES = (7, 30, 90)  # days
NUMBER = sa.func.count(TASKS.c.id)
Condition = sa.ColumnElement[bool]
_LABEL_NAME = sa.func.min(LABELS.c.name).label("name")
_LABEL_COUNT = sa.func.count().label("count")


def list_history(caller: Caller, task_id: int, query: Body) -> events.History:
    """The events of a task, oldest first, as far as the caller sees the projects it was in.

    Raises:
        TaskNotFound
    """
    try:
        visible_task(caller, task_id)
    except TaskNotFound:
        if not was_deleted(caller, task_id):
            raise
    return events.list_events(caller, task_id, query)


def list_project_events(caller: Caller, project_id: int, query: Body) -> events.Events:
    """What happened in a project, past the cursor; admins see every project.

    Raises:
        ProjectNotFound
    """
    if ADMIN not in caller.scopes:
        access.require_visible(caller, project_id)
    else:
        access.require_project(project_id)
    cursor = query.get("cursor") or [0]
    after, limit = cursor[0], query["limit"]
    return events.project_events(project_id, after, limit)


def list_labels(caller: Caller, query: Body) -> Page:
    """Labels of the tasks that the caller sees, with how many tasks have each."""
    seen = access.seen_by(caller)
    project_ids = access.ids_of(seen)
    inside = LABELS.c.project_id.in_(project_ids)
    labels = sa.select(LABELS.c.key, _LABEL_NAME, _LABEL_COUNT)
    labels = labels.where(inside)
    labels = labels.group_by(LABELS.c.key)
    page = page_by(labels, TaskLabel.key, **query)
    return page.only("name", "count")


def get_stats(caller: Caller, query: Body) -> Body:
    """Numbers of the tasks in the projects that the caller sees, or in one of them.

    Raises:
        ProjectNotFound: The caller does not see the one that `project_id` names.
    """
    seen = access.seen_by(caller)
    project_id = query.get("project_id")
    project_ids = access.ids_of(seen, project_id)
    timezone = query.get("tz", caller.timezone)
    zone = ZoneInfo(timezone)
    inside = TASKS.c.project_id.in_(project_ids)
    stats: Body = {}
    stats["status"] = _count_each(STATUSES, TASKS.c.status, inside)
    stats["priority"] = _count_each(PRIORITIES, TASKS.c.priority, inside)
    stats["assignee"] = _count_assignees(inside)
    stats["overdue"] = count_overdue(project_ids, timezone)
    stats["open_by_age"] = _open_by_age(inside)
    stats["done_per_day"] = _done_per_day(inside, zone)
    return stats


def _count_each(names: tuple[str, ...], column: sa.Column[Any], inside: Condition) -> Body:
    counts: Body = dict.fromkeys(names, 0)
    for name, count in _counts(column, inside):
        counts[name] = count
    return counts


def _count_assignees(inside: Condition) -> list[Body]:
    counts = []
    for user_id, number in _counts(TASKS.c.assignee_id, inside):
        count = {"user_id": user_id, "count": number}
        counts.append(count)
    return counts


def _open_by_age(inside: Condition) -> list[Body]:
    """How many open tasks were created how long ago; each counts once."""
    moment = now()
    ages = [dt.timedelta(days=days) for days in reversed(AGES)]
    edges = [moment - age for age in ages]
    counts = _count_between(TASKS.c.created_at, edges, inside, IS_OPEN)
    counts.reverse()  # the last is of those past the last edge: the youngest
    limits = [*AGES, None]
    by_age = []
    for under_days, number in zip(limits, counts, strict=True):
        count = {"under_days": under_days, "count": number}
        by_age.append(count)
    return by_age


def _done_per_day(inside: Condition, zone: ZoneInfo) -> list[Body]:
    """How many tasks were done on each of the last days of a time zone."""
    today = now().astimezone(zone).date()
    ages = [dt.timedelta(days=ago) for ago in reversed(range(DAYS))]
    days = [today - age for age in ages]
    edges = [start_of(day, zone) for day in days]
    is_recent = TASKS.c.completed_at >= edges[0]
    counts = _count_between(TASKS.c.completed_at, edges, inside, is_recent)
    since_first = counts[1:]
    per_day = []
    for day, number in zip(days, since_first, strict=True):
        count = {"date": str(day), "count": number}
        per_day.append(count)
    return per_day


def _count_between(
    column: sa.Column[Any], edges: list[dt.datetime], *where: Condition
) -> list[int]:
    """How many tasks have a time before the first edge, before the second …, past the last."""
    before = [(column < edge, number) for number, edge in enumerate(edges)]
    last = len(edges)
    bucket = sa.case(*before, else_=last).label("bucket")
    chosen = sa.select(bucket).select_from(TASKS)
    buckets = chosen.where(*where).subquery()
    tasks = sa.func.count().label("tasks")
    counted = sa.select(buckets.c.bucket, tasks)
    counted = counted.group_by(buckets.c.bucket)
    counts = [0] * (last + 1)
    for row in read(counted):
        counts[row.bucket] = row.tasks
    return counts


def _counts(column: Any, *where: Condition) -> list[tuple[Any, int]]:
    """How many tasks have each value of a column."""
    counted = sa.select(column, NUMBER)
    counted = counted.where(*where)
    counted = counted.group_by(column)
    counted = counted.order_by(column)
    result = read(counted)
    return [tuple(row) for row in result]
