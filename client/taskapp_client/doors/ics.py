"""iCalendar (RFC 5545): the VTODOs of Nextcloud Tasks, Tasks.org, Reminders, Thunderbird."""

from __future__ import annotations

import datetime as dt
from typing import Any

from taskapp_client import Json, days
from taskapp_client.days import Due
from taskapp_client.doors.rows import Conversion, Numbered, Row
from taskapp_client.failures import Failure

MORNING = dt.timedelta(hours=9)  # when the service reminds of a day
END_OF_DAY = dt.time(23, 59, 59)
STATUSES = {"IN-PROCESS": "in_progress", "COMPLETED": "done", "CANCELLED": "cancelled"}
KEPT_AS_TEXT = {"LOCATION": "Location", "URL": "Link", "COMMENT": "Comment", "CONTACT": "Contact"}
NO_PLACE = {
    "ATTACH": "attachments",
    "ATTENDEE": "attendees",
    "GEO": "places on a map",
    "PERCENT-COMPLETE": "per cent complete",
    "RDATE": "extra dates of a repetition",
    "EXDATE": "left out dates of a repetition",
    "CLASS": "a classification",
}


def convert(content: bytes, exported: dt.datetime) -> Conversion:
    """Read the file; nothing in it depends on when it was exported."""
    from icalendar import Calendar  # as slow to load as all the rest, and only needed here

    try:
        calendars = Calendar.from_ical(content, multiple=True)
    except (ValueError, OSError) as error:  # a zone may have the name of a folder
        raise Failure(f"This is no iCalendar file that can be read: {str(error)[:100]}") from None
    conversion = Conversion()
    numbered = Numbered("ics")
    parents: dict[str, str] = {}
    by_uid: dict[str, Row] = {}
    for calendar in calendars:
        for component in calendar.subcomponents:
            if component.name == "VTODO":
                row, parent = _row(component, numbered, conversion)
                conversion.rows.append(row)
                by_uid.setdefault(str(component.get("UID", "")), row)
                parents[row.key] = parent
            elif component.name in {"VEVENT", "VJOURNAL"}:
                summary = str(component.get("SUMMARY", ""))
                conversion.left_out[f"{component.name}, which is no task"].append(summary)
    for row in conversion.rows:
        row.set_parent(by_uid.get(parents[row.key]), conversion)
    return conversion


def _row(todo: Any, numbered: Numbered, conversion: Conversion) -> tuple[Row, str]:
    """The row, and the UID of its parent or ""."""
    title = str(todo.get("SUMMARY", "")) or "(no title)"
    recurrence_id = todo.get("RECURRENCE-ID")
    uid = str(todo.get("UID", ""))
    if recurrence_id is not None:
        uid = f"{uid} {recurrence_id.to_ical().decode()}"
    row = Row(key=uid or numbered.key(title), title=title)
    row.description = "\n\n".join(_texts(todo, "DESCRIPTION"))
    row.priority = _priority(int(todo.get("PRIORITY", 0)))
    row.labels = [str(name) for name in todo.categories]
    row.status = STATUSES.get(str(todo.get("STATUS", "")).upper(), "todo")
    row.completed_at = _moment(todo, "COMPLETED")
    if row.completed_at and "STATUS" not in todo:
        row.status = "done"
    row.created_at = _moment(todo, "CREATED")
    row.due = _due(todo)
    row.repeat = _repeat(todo, row, conversion)
    row.reminders = _reminders(todo, row, conversion)
    _keep_the_rest(todo, row, conversion)
    return row, _parent(todo)


def _texts(todo: Any, name: str) -> list[str]:
    values = todo.get(name, [])
    return [str(value) for value in (values if isinstance(values, list) else [values])]


def _priority(number: int) -> str:
    """RFC 5545, 3.8.1.9: 1 is the highest, 5 medium, 9 the lowest, 0 none."""
    if not 1 <= number <= 9:
        return "none"
    if number == 1:
        return "urgent"
    return "high" if number <= 4 else "medium" if number == 5 else "low"


def _moment(todo: Any, name: str) -> dt.datetime | None:
    value = getattr(todo.get(name), "dt", None)
    return _in_zone(value) if isinstance(value, dt.datetime) else None


def _in_zone(moment: dt.datetime) -> dt.datetime:
    """A floating time is the time of wherever one is: here."""
    return moment if moment.tzinfo else moment.astimezone()


def _due(todo: Any) -> Due:
    value = getattr(todo.get("DUE"), "dt", None)
    start = getattr(todo.get("DTSTART"), "dt", None)
    duration = getattr(todo.get("DURATION"), "dt", None)
    if value is None and start is not None and duration is not None:
        value = start + duration
    if isinstance(value, dt.datetime):
        return Due(moment=_in_zone(value))
    return Due(day=value) if isinstance(value, dt.date) else Due()


def _repeat(todo: Any, row: Row, conversion: Conversion) -> Json | None:
    rule = todo.get("RRULE")
    if rule is None:
        return None
    if row.due == Due() or isinstance(rule, list):
        conversion.left_out["a repetition without a due date, or several of them"].append(row.title)
        return None
    for until in rule.get("UNTIL", []):
        rule["UNTIL"] = [_until(until, row.due)]
    zone = getattr(row.due.moment and row.due.moment.tzinfo, "key", None)
    return {"rule": rule.to_ical().decode(), "from": "due", "timezone": zone or days.local_zone()}


def _until(until: dt.date, due: Due) -> dt.date:
    """UNTIL in UTC for moments and as a day for days, as the service wants; many do otherwise."""
    if due.moment is None:
        return until.date() if isinstance(until, dt.datetime) else until
    if not isinstance(until, dt.datetime):
        until = dt.datetime.combine(until, END_OF_DAY)
    if until.tzinfo is None:
        until = until.replace(tzinfo=due.moment.tzinfo)
    return until.astimezone(dt.UTC)


def _reminders(todo: Any, row: Row, conversion: Conversion) -> list[str]:
    reminders = []
    for alarm in todo.walk("VALARM"):
        if str(alarm.get("ACTION", "")).upper() == "NONE":  # Apple's sign for no alarm, in 1976
            continue
        trigger = alarm.get("TRIGGER")
        text = _trigger(trigger, todo, row) if trigger is not None else ""
        if text:
            reminders.append(text)
        else:
            conversion.left_out["a reminder after the due date, or without one"].append(row.title)
    return reminders


def _trigger(trigger: Any, todo: Any, row: Row) -> str:
    """A moment, or a duration before the due date; "" for what is neither.

    An alarm counts from the start where there is one, and on a day from midnight; a reminder counts
    from the due date, and on a day from the morning.
    """
    from icalendar import vDuration

    if isinstance(trigger.dt, dt.datetime):
        return days.as_utc(_in_zone(trigger.dt))
    if row.due == Due():
        return ""
    length = trigger.dt
    if trigger.params.get("RELATED", "START").upper() == "START":
        length -= _after_start(todo, row.due)
    if row.due.moment is None:
        length -= MORNING
    if length > dt.timedelta(0):
        return ""
    duration: Any = vDuration(length)
    return str(duration.to_ical().decode())


def _after_start(todo: Any, due: Due) -> dt.timedelta:
    """How long after its start a task is due; nothing if one is a day and the other a moment."""
    start: dt.date | None = getattr(todo.get("DTSTART"), "dt", None)
    if isinstance(start, dt.datetime):
        return due.moment - _in_zone(start) if due.moment else dt.timedelta(0)
    if start is None or due.day is None:
        return dt.timedelta(0)
    return due.day - start


def _parent(todo: Any) -> str:
    related = todo.get("RELATED-TO", [])
    for relation in related if isinstance(related, list) else [related]:
        if relation.params.get("RELTYPE", "PARENT").upper() == "PARENT":
            return str(relation)
    return ""


def _keep_the_rest(todo: Any, row: Row, conversion: Conversion) -> None:
    for name, heading in KEPT_AS_TEXT.items():
        for text in _texts(todo, name):
            row.add_note(f"{heading}: {text}")
            conversion.in_description[heading.lower()].append(row.title)
    for name, what in NO_PLACE.items():
        if name in todo:
            conversion.left_out[what].append(row.title)
