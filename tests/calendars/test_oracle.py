"""recurring-ical-events, which expands calendars, shows each task when it is due next"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import hypothesis
import pytest
from hypothesis import strategies as st
from icalendar import Calendar

from taskapp.tasks.calendar import HEAD, TAIL
from taskapp.tasks.recurrence import MAX_PERIODS, Rule, first_after, parse
from taskapp.tasks.repeats import next_due
from taskapp.tasks.todo import event, todo, zone_of
from taskapp.tasks.zones import vtimezone
from tests.conftest import Client, Json, add
from tests.tasks.test_repeat import RULES, finish, follower, rule_of

pytestmark = pytest.mark.calendar
STEPS = 12
YEARS = dt.timedelta(days=3653)
DAY = dt.timedelta(days=1)
CREATED = dt.datetime(2023, 1, 1, tzinfo=dt.UTC)
Due = dt.date | dt.datetime


@cache
def zones_that_change() -> list[str]:
    """The zones whose clocks were put forward or back within a year."""
    days = [dt.datetime(2026, month, 1, tzinfo=dt.UTC) for month in range(1, 13)]

    def changes(name: str) -> bool:
        zone = ZoneInfo(name)
        return len({day.astimezone(zone).utcoffset() for day in days}) > 1

    return sorted(name for name in available_timezones() if "/" in name and changes(name))


@st.composite
def tasks(draw: st.DrawFn) -> Json:
    """A task that repeats, due on a day or at a local time, up to ten years from now."""
    text = draw(RULES)
    rule = rule_of(text)
    day = draw(st.dates(dt.date(2023, 1, 1), dt.date(2028, 12, 31)))
    start = first_after(rule, day)  # one of the rule, as RFC 5545, 3.8.5.3, wants DTSTART to be
    hypothesis.assume(start is not None and start.year < 2030)
    assert start is not None
    zone = draw(st.sampled_from(zones_that_change()))
    due = draw(st.none() | st.times().map(lambda time: time.replace(microsecond=0, fold=0)))
    ends = draw(st.sampled_from(["", "COUNT", "UNTIL"]))
    if ends == "COUNT":
        text += f";COUNT={draw(st.integers(1, STEPS))}"
    last = start + dt.timedelta(days=draw(st.integers(0, 3653)))
    if ends == "UNTIL":
        text += f";UNTIL={last:%Y%m%d}" + ("" if due is None else "T120000Z")
    return task_of(text, start, due, zone)


def task_of(rule: str, day: dt.date, time: dt.time | None, zone: str) -> Json:
    due_at = None
    if time is not None:
        wall = dt.datetime.combine(day, time, ZoneInfo(zone))
        due_at = wall.astimezone(dt.UTC)
    return {
        "id": 1,
        "title": "Water the fern",
        "description": "",
        "status": "todo",
        "priority": "none",
        "labels": [],
        "parent_id": None,
        "reminders": [],
        "revision": 1,
        "created_at": CREATED,
        "updated_at": CREATED,
        "completed_at": None,
        "repeat": {"rule": rule, "from": "due", "timezone": zone},
        "due_at": due_at,
        "due_on": day if due_at is None else None,
    }


def ours(task: Json) -> Iterator[Due]:
    """When the tasks after this one are due, each computed from the one before."""
    wall = None
    for occurrence in itertools.count(1):
        due = next_due(task, dt.datetime.now(dt.UTC), occurrence, wall)
        if due is None:
            return
        wall = due.due_wall
        task = {**task, "due_at": due.due_at, "due_on": due.due_on}
        following = due.due_at or due.due_on
        assert following is not None
        yield following


def theirs(task: Json, kind: str, until: dt.date) -> list[Due]:
    """When a calendar program shows what comes after the first, up to a day."""
    render = todo if kind == "VTODO" else event
    zone = zone_of(task)
    named = b"" if zone is None else vtimezone(zone, 2026)
    calendar = Calendar.from_ical(HEAD + named + render(task) + TAIL)
    start = first_day(task) - DAY
    shown = expand(calendar, kind, start, until + 2 * DAY)
    dues = sorted(in_utc(each) for each in shown)
    return [due for due in dues[1:] if day_of(due) <= until]


def expand(calendar: Any, kind: str, start: dt.date, end: dt.date) -> list[Any]:
    # The suite reads this module, too, in an environment without the package.
    import recurring_ical_events

    return list(recurring_ical_events.of(calendar, components=[kind]).between(start, end))


def in_utc(component: Any) -> Due:
    start: Due = component["DTSTART"].dt
    if isinstance(start, dt.datetime):
        return start.astimezone(dt.UTC)
    return start


def day_of(due: Due) -> dt.date:
    return due.date() if isinstance(due, dt.datetime) else due


def first_day(task: Json) -> dt.date:
    return day_of(task["due_at"] or task["due_on"])


def is_comparable(rule: Rule) -> bool:
    """dateutil, which it asks, wants both of `MO,1TU` at once, and begins a week at DTSTART."""
    numbers = {bool(day.number) for day in rule.by_day}
    return len(numbers) < 2 and not (rule.by_set_pos and rule.frequency == "WEEKLY")


@hypothesis.settings(max_examples=200)
@hypothesis.given(tasks(), st.sampled_from(["VTODO", "VEVENT"]))
def test_the_next_ones_are_those_that_a_calendar_shows(task: Json, kind: str) -> None:
    rule = parse(task["repeat"]["rule"])
    hypothesis.assume(is_comparable(rule))
    end = first_day(task) + YEARS
    in_time = itertools.takewhile(lambda due: day_of(due) <= end, ours(task))
    following = list(itertools.islice(in_time, STEPS))
    last = day_of(following[-1]) if following else first_day(task)
    if len(following) == STEPS:
        end = last
    elif rule.frequency == "DAILY":  # ours looks no further
        end = min(end, last + DAY * (rule.interval * MAX_PERIODS - 1))

    assert theirs(task, kind, end) == following


def test_the_feed_is_what_a_calendar_program_expands(alice: Client) -> None:
    made = {"name": "phone", "scopes": ["feed"]}
    token = alice.post("/api/v1/auth/tokens", json=made).get_json()["token"]
    url = f"/api/v1/feeds/{token}.ics"
    weekly = {"rule": "FREQ=WEEKLY;COUNT=4", "from": "due", "timezone": "America/New_York"}
    assert shown(alice, url) == []
    task = add(alice, "Fern", due_at="2030-03-03T14:00:00Z", repeat=weekly)
    add(alice, "Moss", due_on="2030-03-16")

    assert shown(alice, url) == [
        "Fern 2030-03-03 09:00:00-05:00",
        "Fern 2030-03-10 09:00:00-04:00",
        "Moss 2030-03-16",
        "Fern 2030-03-17 09:00:00-04:00",
        "Fern 2030-03-24 09:00:00-04:00",
    ]
    following = follower(alice, finish(alice, task))
    assert following["due_at"] == "2030-03-10T13:00:00.000000Z"
    assert len(shown(alice, url)) == 4  # what is done is gone, and COUNT counts what is left


def shown(client: Client, url: str) -> list[str]:
    """What a calendar program shows of March 2030."""
    calendar = Calendar.from_ical(client.get(url).data)
    events = expand(calendar, "VEVENT", dt.date(2030, 3, 1), dt.date(2030, 4, 1))
    events.sort(key=lambda each: str(each["DTSTART"].dt))
    return [f"{each['SUMMARY']} {each['DTSTART'].dt}" for each in events]
