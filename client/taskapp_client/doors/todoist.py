"""Todoist: the CSV of a project (todoist.com/help, "Import or export a project as a CSV file").

Columns: TYPE (task, section, note), CONTENT, DESCRIPTION, PRIORITY (1 is the highest), INDENT,
AUTHOR, RESPONSIBLE, DATE, DATE_LANG, TIMEZONE, DURATION, DURATION_UNIT, DEADLINE. Completed tasks
are not in it.
"""

from __future__ import annotations

import datetime as dt
import re

from taskapp_client import Json, days
from taskapp_client.days import Due
from taskapp_client.doors.delimited import records
from taskapp_client.doors.rows import Conversion, Numbered, Row

PRIORITIES = {"1": "urgent", "2": "high", "3": "medium"}
LABEL = re.compile(r"(?:^|\s)@(\S+)")
EVERY = re.compile(r"(every!?|ev!?)\s+(.*?)(?:\s+(?:at\s+)?(\d{1,2}(?::\d{2})?\s?(?:am|pm)?))?")
NUMBERED = re.compile(r"(other|\d{1,3})(?:st|nd|rd|th)?\s+(day|week|month|year)s?")
UNITS = {"day": "DAILY", "week": "WEEKLY", "month": "MONTHLY", "year": "YEARLY"}
DAY_FORMATS = ("%d %b %Y", "%b %d %Y", "%d %B %Y", "%B %d %Y", "%Y-%m-%d", "%m/%d/%Y")
CLOCK = re.compile(r"\s+(?:at\s+)?(\d{1,2}:\d{2}\s?(?:am|pm)?|\d{1,2}\s?(?:am|pm))$", re.IGNORECASE)
OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
# What is said once for a column that is not empty.
NO_PLACE = {"RESPONSIBLE": "who is responsible", "DURATION": "a duration"}


def convert(content: bytes, exported: dt.datetime) -> Conversion:
    """Read the file; words like `tomorrow` are read as on the day when it was exported."""
    conversion = Conversion()
    numbered = Numbered("todoist")
    section = ""
    path: list[Row] = []  # the task above, its parent, and so on, from the top down
    for cells in records(content, {"TYPE", "CONTENT"}):
        kind, text = cells.get("TYPE", "").lower(), cells.get("CONTENT", "")
        if kind == "section":
            section, path = text, []
        elif kind == "note" and path:
            path[-1].add_note(text)
            conversion.in_description["comments"].append(path[-1].title)
        elif kind == "task":
            depth = _depth(cells, len(path))
            path = path[:depth]
            above = [row.title for row in path]
            row = _row(cells, section, numbered.key(section, *above, text), conversion)
            _set_date(row, cells, conversion, exported)
            row.parent = path[-1] if path else None
            path.append(row)
            conversion.rows.append(row)
        elif kind == "note":
            conversion.left_out["comments on the project or a section"].append(text)
    return conversion


def _depth(cells: dict[str, str], deepest: int) -> int:
    """How many tasks are above it; an INDENT without a task above it counts as less."""
    indent = cells.get("INDENT", "")
    level = int(indent) if indent.isdecimal() else 1
    return max(0, min(level - 1, deepest))


def _row(cells: dict[str, str], section: str, key: str, conversion: Conversion) -> Row:
    text = cells.get("CONTENT", "")
    labels = LABEL.findall(text)
    title = LABEL.sub("", text).strip() or text
    row = Row(key=key, title=title, description=cells.get("DESCRIPTION", ""))
    row.labels = [section, *labels] if section else labels
    row.priority = PRIORITIES.get(cells.get("PRIORITY", ""), "none")
    for column, what in NO_PLACE.items():
        if cells.get(column):
            conversion.left_out[what].append(row.title)
    return row


def _set_date(
    row: Row, cells: dict[str, str], conversion: Conversion, exported: dt.datetime
) -> None:
    date, deadline = cells.get("DATE", ""), cells.get("DEADLINE", "")
    zone = days.zone(cells.get("TIMEZONE", "")) if cells.get("TIMEZONE") else None
    repeat = _repeat(date, cells.get("TIMEZONE", ""))
    if repeat:
        row.repeat, row.due = repeat, _in_zone(_first(date, repeat, exported), zone)
        return
    if date:
        row.due = _due(date, zone, exported)
        if row.due == Due():
            row.add_note(f"Date: {date}")
            conversion.in_description["dates in words that are unknown here"].append(row.title)
    if deadline and row.due == Due():
        row.due = _due(deadline, zone, exported)
    elif deadline:
        row.add_note(f"Deadline: {deadline}")
        conversion.in_description["a deadline beside the date"].append(row.title)


def _repeat(date: str, zone: str) -> Json | None:
    match = EVERY.fullmatch(date.lower())
    if match is None:
        return None
    rule = _rule(match[2])
    if not rule:
        return None
    start = "done" if match[1].endswith("!") else "due"
    name = zone if zone and days.zone(zone) else days.local_zone()
    return {"rule": rule, "from": start, "timezone": name}


def _rule(words: str) -> str:
    """The RRULE of `day`, `2 weeks`, `other month`, `monday, friday`, `weekday`; or ""."""
    if words in UNITS:
        return f"FREQ={UNITS[words]}"
    if words in {"weekday", "workday"}:
        return "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
    numbered = NUMBERED.fullmatch(words)
    if numbered:
        count = 2 if numbered[1] == "other" else int(numbered[1])
        return f"FREQ={UNITS[numbered[2]]};INTERVAL={count}" if count else ""
    names = re.split(r",\s*|\s+and\s+|\s+", words)
    chosen = [_weekday(name) for name in names]
    if not all(chosen):
        return ""
    return "FREQ=WEEKLY;BYDAY=" + ",".join(chosen)


def _weekday(name: str) -> str:
    if len(name) < 3:
        return ""
    for weekday in days.WEEKDAYS:
        if weekday.startswith(name):
            return weekday[:2].upper()
    return ""


def _first(date: str, repeat: Json, exported: dt.datetime) -> Due:
    """When a repetition begins that has no date in the file: at once, or on its first weekday."""
    clock = CLOCK.search(date)
    by_day = repeat["rule"].partition("BYDAY=")[2].split(",")
    day = exported.date()
    while by_day != [""] and days.WEEKDAYS[day.weekday()][:2].upper() not in by_day:
        day += dt.timedelta(days=1)
    return days.parse_due(f"{day} {clock[1]}" if clock else str(day))


def _due(text: str, zone: dt.tzinfo | None, exported: dt.datetime) -> Due:
    """A date as Todoist writes it, or no date."""
    try:
        due = days.parse_due(text, exported)
    except ValueError:
        due = _in_words(text, exported.year)
    return due if OFFSET.search(text) else _in_zone(due, zone)


def _in_zone(due: Due, zone: dt.tzinfo | None) -> Due:
    """The same time of day, in the zone that the file names."""
    if due.moment and zone:
        return Due(moment=due.moment.replace(tzinfo=zone))
    return due


def _in_words(text: str, year: int) -> Due:
    """`17 Aug 2027`, `Aug 17`, `17 Aug 2027 16:00`."""
    clock = CLOCK.search(text)
    day_text = CLOCK.sub("", text).replace(",", "").strip()
    for candidate in (day_text, f"{day_text} {year}"):
        for pattern in DAY_FORMATS:
            day = _parsed(candidate, pattern)
            if day:
                return days.parse_due(f"{day} {clock[1]}" if clock else str(day))
    return Due()


def _parsed(text: str, pattern: str) -> dt.date | None:
    try:
        return dt.datetime.strptime(text, pattern).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None
