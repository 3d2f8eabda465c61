"""When a task is due, at a moment or on a day: sorted by one number, compared in a time zone.

A day is a floating date (RFC 5545, section 3.3.4): everybody sees the same date, and it begins and
ends by the clocks of whoever looks.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from taskapp.database.session import Body

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
DAY = dt.timedelta(days=1)
MICROSECONDS_OF_DAY = DAY // MICROSECOND
DAYS_OF = {"today": 1, "week": 7}
FILTERS = {"due", "due_before", "due_after"}
Fault = tuple[str, str]  # a field, and what is wrong with it


def rank(due_at: dt.datetime | None, due_on: dt.date | None) -> int | None:
    """The number that orders days and moments: microseconds since 1970, doubled.

    A day counts as 00:00 UTC of it; a moment adds one, so that the day comes first.
    """
    if due_at is not None:
        return (due_at - EPOCH) // MICROSECOND * 2 + 1
    if due_on is not None:
        days = (due_on - EPOCH.date()).days
        return days * MICROSECONDS_OF_DAY * 2
    return None


def start_of(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The first moment of a day in a zone, in UTC.

    Where the clocks skip midnight, it is the moment at which they do (RFC 5545, section 3.3.5).
    """
    return to_utc(dt.datetime.combine(day, dt.time()), zone)


def to_utc(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """The moment of a local time: the first of two; in a gap, by the offset before it."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)


def faults(before: Mapping[Any, Any], body: Body) -> Iterator[Fault]:
    """What is wrong if a task would be due both at a moment and on a day."""
    after = {"due_at": None, "due_on": None, **before, **body}
    if after["due_at"] is None or after["due_on"] is None:
        return
    field, other = "due_at", "due_on"
    if body.get("due_on"):
        field, other = other, field
    yield field, f'A task can have due_at or due_on, not both: send "{other}": null as well.'


class Edge(NamedTuple):
    """A limit for both kinds of due date: a day, and the moment that belongs to it."""

    day: dt.date
    at: dt.datetime

    def parameters(self, name: str) -> Body:
        """The parameters of a condition with this limit; see `filters.py`."""
        of_day = rank(None, self.day) or 0
        of_moment = rank(self.at, None) or 0
        parameters: Body = {f"{name}_day": self.day, f"{name}_at": self.at}
        parameters[f"{name}_low"] = min(of_day, of_moment)
        parameters[f"{name}_high"] = max(of_day, of_moment)
        return parameters


def with_days(query: Body, timezone: str, now: dt.datetime) -> Body:
    """The query, with the limits that its filters by due date compare with.

    The limits become part of the query, so an answer can be cached under it.
    """
    if query.keys().isdisjoint(FILTERS):
        return query
    zone = ZoneInfo(query.get("tz", timezone))
    moment = now.replace(microsecond=0)
    today = moment.astimezone(zone).date()
    limits: Body = {}
    if query.get("due") in DAYS_OF:
        days = DAYS_OF[query["due"]]
        end = today + DAY * days
        since = Edge(today, start_of(today, zone))
        limits.update(since.parameters("since"))
        until = Edge(end, start_of(end, zone))
        limits.update(until.parameters("until"))
    if query.get("due") == "overdue":
        until = Edge(today, moment)
        limits.update(until.parameters("until"))
    if "due_before" in query:
        before = query["due_before"]
        day = before.astimezone(zone).date()
        limits.update(Edge(day, before).parameters("due_before"))
    if "due_after" in query:
        after = query["due_after"]
        following = after.astimezone(zone).date() + DAY
        limits.update(Edge(following, after + MICROSECOND).parameters("due_after"))
    return {**query, **limits}
