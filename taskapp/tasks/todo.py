"""A task as a calendar program reads it: a VTODO, or a VEVENT when it is due (RFC 5545, 3.6)."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Alarm, Event, Todo, vCategory, vDuration, vRecur, vText

from taskapp.database.session import Body
from taskapp.tasks.reminders import MORNING, before_due

# RFC 5545, sections 3.8.1.11 and 3.8.1.9: 1 is the highest priority, 0 is none.
STATUS = {"todo": "NEEDS-ACTION", "in_progress": "IN-PROCESS", "done": "COMPLETED"}
PRIORITY = {"urgent": 1, "high": 3, "medium": 5, "low": 7, "none": 0}


class Text(vText):
    r"""Text in which `C:\New` stays as it is: icalendar takes its `\N` for the end of a line."""

    def to_ical(self) -> bytes:
        return rb"\\N".join(vText(part).to_ical() for part in self.split(r"\N"))


def todo(task: Body, occurrence: int = 1) -> bytes:
    """A task as a VTODO; its times are whole seconds. A repeating one starts when it is due."""
    component = Todo()
    _add(component, _described(task))
    _add(
        component,
        {
            "status": STATUS.get(task["status"], "CANCELLED"),
            "priority": PRIORITY[task["priority"]],
            "due": _due(task),
            "completed": task["completed_at"],
            "related-to": _uid(task["parent_id"]) if task["parent_id"] else None,
        },
    )
    if _rule(task) is not None:
        component.add("dtstart", _due(task))
        component.add("rrule", vRecur.from_ical(_rest_of(task, occurrence)))
    return bytes(component.to_ical())


def event(task: Body, occurrence: int = 1) -> bytes:
    """A task that is due as a VEVENT: a moment, or a whole day; nobody is busy meanwhile."""
    component = Event()
    _add(component, _described(task))
    _add(component, {"dtstart": _due(task), "transp": "TRANSPARENT"})
    if _rule(task) is not None:
        component.add("rrule", vRecur.from_ical(_rest_of(task, occurrence)))
    for reminder in task["reminders"]:
        component.add_component(_alarm(task, reminder))
    return bytes(component.to_ical())


def zone_of(task: Body) -> str | None:
    """The time zone that a task's DTSTART names; None if it is a day, or in UTC."""
    if _rule(task) is None or task["due_at"] is None:
        return None
    name: str = task["repeat"]["timezone"]
    return name


def counts(task: Body) -> bool:
    """Whether its number in the series matters to a calendar."""
    rule = _rule(task)
    return rule is not None and "COUNT=" in rule


def _described(task: Body) -> Body:
    labels = vCategory([])
    labels.cats = [Text(label) for label in task["labels"]]
    return {
        "uid": _uid(task["id"]),
        "dtstamp": task["updated_at"],
        "summary": Text(task["title"]),
        "description": Text(task["description"]) or None,
        "created": task["created_at"],
        "last-modified": task["updated_at"],
        "categories": labels if labels.cats else None,
        "sequence": task["revision"],
    }


def _add(component: Any, properties: Body) -> None:
    for name, value in properties.items():
        if value is not None:
            component.add(name, value)


def _uid(task_id: int) -> str:
    return f"task-{task_id}@taskapp"


def _due(task: Body) -> dt.date | dt.datetime | None:
    """The day or the moment; in its zone where it repeats, so that it keeps its local hour."""
    if task["due_at"] is None:
        day: dt.date | None = task["due_on"]
        return day
    due_at: dt.datetime = task["due_at"]
    name = zone_of(task)
    return due_at if name is None else due_at.astimezone(ZoneInfo(name))


def _rule(task: Body) -> str | None:
    """The rule; a calendar has none that counts from when something was done."""
    is_due = task["due_at"] is not None or task["due_on"] is not None
    if not is_due or task["repeat"] is None or task["repeat"]["from"] == "done":
        return None
    rule: str = task["repeat"]["rule"]
    return rule


def _rest_of(task: Body, occurrence: int) -> str:
    """The rule, whose COUNT is of this occurrence and those after it."""
    parts = []
    for part in task["repeat"]["rule"].split(";"):
        name, _, value = part.partition("=")
        if name == "COUNT":
            value = str(max(int(value) - occurrence + 1, 1))
        parts.append(f"{name}={value}")
    return ";".join(parts)


def _alarm(task: Body, reminder: str) -> Alarm:
    """A reminder; before a day it counts from 9 o'clock."""
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", Text(task["title"]))
    length = before_due(reminder)
    if length is None:
        alarm.add("trigger", dt.datetime.fromisoformat(reminder))
    else:
        start = dt.timedelta(hours=MORNING.hour if task["due_at"] is None else 0)
        alarm.add("trigger", vDuration(start - length))
    return alarm
