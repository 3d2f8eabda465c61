"""When a task is due: what people type, what the service takes, and what a table shows."""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import click

from taskapp_client import Json

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
STEP = re.compile(r"(?:\+|in )(\d{1,4}) ?(d|w|m|days?|weeks?|months?)")
CLOCK = re.compile(r"(?:^|\s+)(?:at )?(\d{1,2})(?::(\d{2}))? ?(am|pm)?$")
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
ISO_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}t\d")
EXAMPLES = "today, tomorrow, friday, +3d, 2026-12-31, tomorrow 17:00, 2026-12-31T17:00+01:00, none"


@dataclass(frozen=True)
class Due:
    """Due on a day, at a moment, or not at all: at most one of the two is set."""

    day: dt.date | None = None
    moment: dt.datetime | None = None

    def fields(self) -> Json:
        """Both fields of the service, the unset one null."""
        day = self.day.isoformat() if self.day else None
        moment = as_utc(self.moment) if self.moment else None
        return {"due_on": day, "due_at": moment}

    def set_fields(self) -> Json:
        """Only the field that is set, for a task that has neither."""
        return {name: value for name, value in self.fields().items() if value is not None}


def due_of(task: Json) -> Due:
    """When a task of the service is due; a moment in the zone of this machine."""
    if task.get("due_on"):
        return Due(day=dt.date.fromisoformat(task["due_on"]))
    if task.get("due_at"):
        return Due(moment=dt.datetime.fromisoformat(task["due_at"]).astimezone())
    return Due()


def parse_due(text: str, now: dt.datetime | None = None) -> Due:
    """Read what a person typed, by the clock of this machine.

    Raises:
        ValueError: with a sentence that says what can be written.
    """
    now = now or dt.datetime.now().astimezone()
    words = " ".join(text.lower().split())
    if words in {"", "none", "never"}:
        return Due()
    if ISO_MOMENT.match(words):
        return Due(moment=_moment(text))
    day = _day(words, now.date())
    if day:
        return Due(day=day)
    clock = CLOCK.search(words)
    if clock and (clock[2] or clock[3]):
        return _at(clock, words[: clock.start()], now, text)
    raise _not_understood(text)


def _at(clock: re.Match[str], words: str, now: dt.datetime, text: str) -> Due:
    day = _day(words, now.date()) if words else now.date()
    hour = int(clock[1])
    if clock[3]:
        hour = hour % 12 + 12 * (clock[3] == "pm")
    if day is None or hour > 23 or int(clock[2] or 0) > 59:
        raise _not_understood(text)
    moment = dt.datetime.combine(day, dt.time(hour, int(clock[2] or 0)))
    return Due(moment=moment.astimezone())


def _moment(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        raise _not_understood(text) from None


def _day(words: str, today: dt.date) -> dt.date | None:
    nearby = {"today": 0, "tomorrow": 1, "yesterday": -1}
    if words in nearby:
        return today + dt.timedelta(days=nearby[words])
    name = words.removeprefix("next ")
    for number, weekday in enumerate(WEEKDAYS):
        if len(name) >= 3 and weekday.startswith(name):
            ahead = (number - today.weekday() - 1) % 7 + 1
            return today + dt.timedelta(days=ahead)
    step = STEP.fullmatch(words)
    if step:
        return _step(today, int(step[1]), step[2][0])
    try:
        return dt.date.fromisoformat(words) if ISO_DAY.fullmatch(words) else None
    except ValueError:
        return None


def _step(today: dt.date, count: int, unit: str) -> dt.date:
    if unit != "m":
        return today + dt.timedelta(days=count * (7 if unit == "w" else 1))
    months = today.year * 12 + today.month - 1 + count
    first = dt.date(months // 12, months % 12 + 1, 1)
    last_day = (first + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)
    return first.replace(day=min(today.day, last_day.day))


def _not_understood(text: str) -> ValueError:
    return ValueError(f"{text!r} is no date that `tasks` knows. Write one of: {EXAMPLES}.")


class DueType(click.ParamType[Due, str | Due]):
    """A date on the command line."""

    name = "when"

    def convert(
        self, value: str | Due, param: click.Parameter | None, ctx: click.Context | None
    ) -> Due:
        if isinstance(value, Due):
            return value
        try:
            return parse_due(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def show(due: Due, today: dt.date | None = None) -> str:
    """A date for a table: a nearby day by its name, and the time where there is one."""
    day = due.moment.date() if due.moment else due.day
    if day is None:
        return ""
    nearby = {-1: "yesterday", 0: "today", 1: "tomorrow"}
    ahead = (day - (today or dt.date.today())).days  # noqa: DTZ011 - the day of this machine
    shown = nearby.get(ahead, day.isoformat())
    return f"{shown} {due.moment:%H:%M}" if due.moment else shown


def write(due: Due) -> str:
    """A date for the editor, such that `parse_due` reads it back."""
    if due.moment:
        return f"{due.moment:%Y-%m-%d %H:%M}"
    return due.day.isoformat() if due.day else "none"


def is_over(due: Due) -> bool:
    """Whether it was due before now: a day is over when the next one begins."""
    if due.moment:
        return due.moment < dt.datetime.now(dt.UTC)
    return due.day is not None and due.day < dt.date.today()  # noqa: DTZ011 - as above


def as_utc(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def local_zone() -> str:
    """The IANA name of this machine's time zone, or UTC where it has none."""
    name = os.environ.get("TZ", "").lstrip(":")
    link = Path("/etc/localtime")
    if not name and link.is_symlink():
        name = str(link.resolve()).partition("zoneinfo/")[2]
    return name if name in available_timezones() else "UTC"


def zone(name: str) -> dt.tzinfo | None:
    """A time zone by its IANA name, or None where it is unknown: then this machine's counts."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None
