"""Tasks that repeat: when the next one is due, with daylight saving taken into account.

`repeat` is {"rule", "from": "due" or "done", "timezone"}. A rule is expanded on local days,
and the time of day is added afterwards (RFC 5545, section 3.3.5, and erratum 4271).
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from taskapp.database.session import Body, now
from taskapp.tasks.due import Fault, to_utc
from taskapp.tasks.recurrence import InvalidRule, Rule, Steps, TooManySteps, first_after, parse

# The fields that the next task takes from the one before.
SAME = (
    *("title", "description", "priority", "labels", "assignee_id", "parent_id"),
    *("repeat", "reminders"),
)
NEEDS_DUE = 'To repeat from its due date a task needs due_at or due_on; or send "from": "done".'
TOO_RARE = "This rule matches no date within 2,000 periods or 100 years."


class Due(NamedTuple):
    """When the next task is due: at a moment or on a day."""

    due_at: dt.datetime | None
    due_on: dt.date | None
    due_wall: str | None  # the local time that the clocks skipped: the series goes on from it


def faults(before: Mapping[Any, Any], body: Body, steps: Steps | None = None) -> Iterator[Fault]:
    """What is wrong with the `repeat` that a body would give a task that was `before`."""
    if not body.keys() & {"repeat", "due_at", "due_on"}:
        return
    task = {"due_at": None, "due_on": None, "repeat": None, **before, **body}
    if task["repeat"] is None:
        return
    try:
        rule = parse(task["repeat"]["rule"])
    except InvalidRule as error:
        yield "repeat/rule", str(error)
        return
    is_due = task["due_at"] is not None or task["due_on"] is not None
    if not is_due and task["repeat"]["from"] == "due":
        yield "repeat", NEEDS_DUE
        return
    until_is_moment = isinstance(rule.until, dt.datetime)
    if rule.until is not None and until_is_moment != (task["due_at"] is not None):
        yield "repeat/rule", "UNTIL must be a time in UTC with due_at, and a date without it."
    elif not _finds_a_date(rule, task, steps):
        yield "repeat/rule", TOO_RARE


def next_due(
    task: Mapping[Any, Any], done_at: dt.datetime, occurrence: int, due_wall: str | None
) -> Due | None:
    """When the task after this one is due; None at the end of the series.

    `occurrence` is the number of this task in its series; `due_wall` is what its own Due had.
    """
    rule = parse(task["repeat"]["rule"])
    if rule.count is not None and occurrence >= rule.count:
        return None
    zone = ZoneInfo(task["repeat"]["timezone"])
    wall = _local_due(task, zone, due_wall)
    start = done_at.astimezone(zone).date()
    if task["repeat"]["from"] == "due":
        start = task["due_on"] if wall is None else wall.date()
    day = first_after(rule, start)
    if day is None:
        return None
    due = _on(day)
    if wall is not None:
        due = _at(day, wall.time(), zone)
    return None if _is_past(due, rule.until) else due


def _finds_a_date(rule: Rule, task: Mapping[Any, Any], steps: Steps | None) -> bool:
    zone = ZoneInfo(task["repeat"]["timezone"])
    moment = task["due_at"] or now()
    start = task["due_on"] or moment.astimezone(zone).date()
    try:
        return first_after(rule, start, steps) is not None
    except TooManySteps:
        return False


def _local_due(task: Mapping[Any, Any], zone: ZoneInfo, due_wall: str | None) -> dt.datetime | None:
    """The local time at which a task is due; None if it is due on a day, or not at all."""
    due_at: dt.datetime | None = task["due_at"]
    if due_at is None:
        return None
    if due_wall is not None:
        wall = dt.datetime.fromisoformat(due_wall)
        if to_utc(wall, zone) == due_at:  # it was not moved since
            return wall
    return due_at.astimezone(zone).replace(tzinfo=None, fold=0)


def _on(day: dt.date) -> Due:
    return Due(None, day, None)


def _at(day: dt.date, time: dt.time, zone: ZoneInfo) -> Due:
    wall = dt.datetime.combine(day, time)
    due_at = to_utc(wall, zone)
    is_skipped = due_at.astimezone(zone).replace(tzinfo=None) != wall
    return Due(due_at, None, wall.isoformat() if is_skipped else None)


def _is_past(due: Due, until: dt.date | dt.datetime | None) -> bool:
    """Whether this is after the end of the series; UNTIL is its last day or moment."""
    if until is None:
        return False
    if isinstance(until, dt.datetime):
        return due.due_at is not None and due.due_at > until
    return due.due_on is not None and due.due_on > until
