"""Calendar files in: each VTODO of an iCalendar stream (RFC 5545) as the fields of a task."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import IO, Any

from taskapp.errors import MalformedRequest

MAX_LENGTH = 1024 * 1024  # bytes of one VTODO; the longest task takes less
BEGIN, END = b"BEGIN:VTODO", b"END:VTODO"
OURS = re.compile("task-(?P<id>[1-9][0-9]{0,17})@taskapp")  # as our exports name a task
STATUS = {
    "NEEDS-ACTION": "todo",
    "IN-PROCESS": "in_progress",
    "COMPLETED": "done",
    "CANCELLED": "cancelled",
}
# RFC 5545, section 3.8.1.9: 1 to 4 are high, 5 is medium, 6 to 9 are low, 0 is none.
PRIORITY = ("none", "urgent", "high", "high", "high", "medium", "low", "low", "low", "low")


def read(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The tasks of a calendar, one VTODO in memory at a time.

    Raises:
        MalformedRequest: It is no calendar, or a VTODO of it cannot be read.
    """
    from icalendar import Todo  # few requests need it, and it is large

    first = file.readline(200).lstrip(b"\xef\xbb\xbf").strip().upper()
    if first != b"BEGIN:VCALENDAR":
        raise MalformedRequest(
            "The file is no calendar: it begins with BEGIN:VCALENDAR (RFC 5545)."
        )
    for number, lines in enumerate(_components(file), 1):
        try:
            yield _item(Todo.from_ical(b"".join(lines)))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise MalformedRequest(f"VTODO {number} is not as RFC 5545 has it.") from None


def _components(file: IO[bytes]) -> Iterator[list[bytes]]:
    lines: list[bytes] | None = None
    length = 0
    for line in iter(lambda: file.readline(MAX_LENGTH), b""):
        name = line.strip().upper()
        if name == BEGIN:
            lines = []
            length = 0
        if lines is not None:
            lines.append(line)
            length += len(line)
            if length > MAX_LENGTH:
                raise MalformedRequest("A VTODO is longer than any task can be.")
        if name == END and lines is not None:
            yield lines
            lines = None
    if lines is not None:
        raise MalformedRequest("The calendar ends within a VTODO: it was cut.")


def _item(todo: Any) -> dict[str, Any]:
    status = _text(todo, "status").upper()
    priority = int(todo.get("priority", 0))
    labels = [str(name) for name in todo.categories]
    item: dict[str, Any] = {
        "title": _text(todo, "summary"),
        "description": _text(todo, "description"),
        "status": STATUS.get(status, "todo"),
        "priority": _priority(priority),
        "labels": labels,
    }
    item.update(_identity(_text(todo, "uid")))
    item.update(_times(todo))
    parent = OURS.fullmatch(_text(todo, "related-to"))
    if parent:
        item["parent_id"] = int(parent["id"])
    return item


def _text(todo: Any, name: str) -> str:
    return str(todo.get(name, ""))


def _priority(number: int) -> str:
    return PRIORITY[number] if 0 <= number < len(PRIORITY) else "none"


def _identity(uid: str) -> dict[str, Any]:
    """A number of ours is what other rows refer to; another UID makes a second import harmless."""
    ours = OURS.fullmatch(uid)
    if ours:
        return {"id": int(ours["id"])}
    return {"external_id": uid} if uid else {}


def _times(todo: Any) -> dict[str, Any]:
    times: dict[str, Any] = {}
    due = todo.get("due")
    if due is not None:
        is_moment = isinstance(due.dt, dt.datetime)
        times["due_at" if is_moment else "due_on"] = due.dt.isoformat()
    rule = todo.get("rrule")
    if rule is not None and not isinstance(rule, list):
        times["repeat"] = {"rule": rule.to_ical().decode(), "from": "due"}
    for name, field in (("created", "created_at"), ("completed", "completed_at")):
        value = todo.get(name)
        if value is not None and isinstance(value.dt, dt.datetime):
            times[field] = value.dt.isoformat()
    return times
