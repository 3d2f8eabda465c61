"""What tasks add up to: who changed what, and numbers for a dashboard."""

import datetime as dt
from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from taskapp.caller import ADMIN, Caller
from taskapp.database.session import Body, now, read
from taskapp.ledger import access, events
from taskapp.ledger.access import MEMBERSHIPS
from taskapp.reports.ranges import AGES, count_ranges
from taskapp.tasks.access import TaskNotFound, visible_task, was_deleted
from taskapp.tasks.due import start_of
from taskapp.tasks.models import PRIORITIES, STATUSES, TASKS

DAYS = 30
NUMBER = sa.func.count().label("number")
Condition = sa.ColumnElement[bool]
_IS_THEIRS = TASKS.c.assignee_id == MEMBERSHIPS.c.user_id
_IS_THERE = TASKS.c.project_id == MEMBERSHIPS.c.project_id
_THEIR_TASKS = sa.select(NUMBER).select_from(TASKS).where(_IS_THEIRS, _IS_THERE)
_OF_MEMBER = _THEIR_TASKS.scalar_subquery().label("number")


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
    counts = count_ranges(project_ids, timezone)
    stats: Body = {}
    stats["status"] = {name: counts["status", name] for name in STATUSES}
    stats["priority"] = {name: counts["priority", name] for name in PRIORITIES}
    tasks = sum(stats["status"].values())
    stats["assignee"] = _count_assignees(project_ids, tasks)
    before_today, today = counts["due", "before today"], counts["due", "today"]
    stats["overdue"] = before_today + today
    stats["open_by_age"] = []
    for days in (*AGES, None):
        age = {"under_days": days, "count": counts["open", days]}
        stats["open_by_age"].append(age)
    stats["done_per_day"] = _done_per_day(inside, zone)
    return stats


def _count_assignees(project_ids: list[int], tasks: int) -> list[Body]:
    """How many of the tasks each member has, who has any, and last how many nobody has."""
    members = sa.select(MEMBERSHIPS.c.user_id, _OF_MEMBER)
    is_inside = MEMBERSHIPS.c.project_id.in_(project_ids)
    members = members.where(is_inside)
    counts: Counter[int] = Counter()
    for member in read(members):
        counts[member.user_id] += member.number
    rows: list[Body] = []
    for user_id, number in sorted(counts.items()):
        if number:
            row = {"user_id": user_id, "count": number}
            rows.append(row)
    unassigned = tasks - counts.total()
    if unassigned > 0:  # it is less while a project counts fewer tasks than there are
        nobody = {"user_id": None, "count": unassigned}
        rows.append(nobody)
    return rows


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
