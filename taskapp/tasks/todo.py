"""A task as a calendar program reads it: a VTODO, or a VEVENT when it is due (RFC 5545, 3.6)."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Alarm, Event, Todo, vCategory, vDuration, vRecur, vText

from taskapp.database.session import Body
from taskapp.tasks.reminders import MORNING, before_due

# RFC 5545, sections 3.8.1.11 and 3.8.1.9: 1 is the highest priority, 0 is none.
STATUS = {"todo": "NEEDS-ACTION", "in_progress": "IN-PROCESS", "done": "COMPLETED"}
# RFC 5545, section 3.3.8; revisions go on from the clock after a restore, and are larger then.
LARGEST_INTEGER = 2**31 - 1
PRIORITY = {"urgent": 1, "high": 3, "medium": 5, "low": 7, "none": 0}


class Text(vText):
    r"""Text in which `C:\New` stays as it is: icalendar takes its `\N` for the end of a line."""

    def to_ical(self) -> bytes:
        parts = map(vText, self.split(r"\N"))
        return rb"\\N".join(part.to_ical() for part in parts)


def todo(task: Body, occurrence: int = 1) -> bytes:
    """A task as a VTODO, in whole seconds; one that repeats has DTSTART, equal to DUE.

    Its alarms count from DUE, which is the end of a VTODO (RFC 5545, section 3.8.6.3).
    """
    component = Todo()
    _describe(component, task)
    component.add("status", STATUS.get(task["status"], "CANCELLED"))
    component.add("priority", PRIORITY[task["priority"]])
    _add(component, {"due": _due(task), "completed": task["completed_at"]})
    if task["parent_id"]:
        component.add("related-to", _uid(task["parent_id"]))
    if _rule(task) is not None:
        component.add("dtstart", _due(task))
        component.add("rrule", vRecur.from_ical(_rest_of(task, occurrence)))
    for reminder in task["reminders"]:
        component.add_component(_alarm(task, reminder, {"RELATED": "END"}))
    return bytes(component.to_ical())


def event(task: Body, occurrence: int = 1) -> bytes:
    """A task with a due date as a VEVENT, at a moment or all day; nobody is busy for it."""
    component = Event()
    _describe(component, task)
    component.add("dtstart", _due(task))
    component.add("transp", "TRANSPARENT")
    if _rule(task) is not None:
        component.add("rrule", vRecur.from_ical(_rest_of(task, occurrence)))
    for reminder in task["reminders"]:
        component.add_component(_alarm(task, reminder, {}))
    return bytes(component.to_ical())


def zone_of(task: Body) -> str | None:
    """The time zone that a task's DTSTART names; None if it is a day, or in UTC."""
    if _rule(task) is None or task["due_at"] is None:
        return None
    name: str = task["repeat"]["timezone"]
    return name


def counts(task: Body) -> bool:
    """Whether its rule has a COUNT, so that its number in the series matters."""
    rule = _rule(task)
    return rule is not None and "COUNT=" in rule


def _describe(component: Any, task: Body) -> None:
    """Add the properties that events and to-dos have in common."""
    component.add("uid", _uid(task["id"]))
    component.add("dtstamp", task["updated_at"])
    component.add("summary", Text(task["title"]))
    component.add("created", task["created_at"])
    component.add("last-modified", task["updated_at"])
    component.add("sequence", min(task["revision"], LARGEST_INTEGER))
    if task["description"]:
        component.add("description", Text(task["description"]))
    if task["labels"]:
        labels = vCategory([])
        labels.cats = [Text(label) for label in task["labels"]]
        component.add("categories", labels)


def _add(component: Any, properties: Body) -> None:
    for name, value in properties.items():
        if value is not None:
            component.add(name, value)


def _uid(task_id: int) -> str:
    return f"task-{task_id}@taskapp"


def _due(task: Body) -> dt.date | dt.datetime | None:
    """The due day or moment; if it repeats, in its time zone, so that the local hour stays."""
    if task["due_at"] is None:
        day: dt.date | None = task["due_on"]
        return day
    due_at: dt.datetime = task["due_at"]
    name = zone_of(task)
    return due_at if name is None else due_at.astimezone(ZoneInfo(name))


def _rule(task: Body) -> str | None:
    """The rule; None if it counts from when a task is done: RFC 5545 has no such rule."""
    repeat = task["repeat"]
    if repeat is None or repeat["from"] == "done":
        return None
    if task["due_at"] is None and task["due_on"] is None:
        return None
    rule: str = repeat["rule"]
    return rule


def _rest_of(task: Body, occurrence: int) -> str:
    """The rule, with a COUNT of this occurrence and the later ones."""
    parts = []
    for part in task["repeat"]["rule"].split(";"):
        name, _, value = part.partition("=")
        if name == "COUNT":
            left = int(value) - occurrence + 1
            value = str(max(left, 1))
        parts.append(f"{name}={value}")
    return ";".join(parts)


def _alarm(task: Body, reminder: str, related: dict[str, str]) -> Alarm:
    """A reminder as an alarm; one before a day counts from 9 o'clock on it."""
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", Text(task["title"]))
    length = before_due(reminder)
    if length is None:
        alarm.add("trigger", dt.datetime.fromisoformat(reminder))
    else:
        start = dt.timedelta()
        if task["due_at"] is None:
            start = dt.timedelta(hours=MORNING.hour)
        alarm.add("trigger", vDuration(start - length), related)
    return alarm
