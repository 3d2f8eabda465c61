"""Read calendars: each VTODO of an iCalendar stream (RFC 5545) as the fields of a task."""

import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from typing import IO, Any
from zoneinfo import ZoneInfo

from taskapp.errors import MalformedRequest

MAX_LENGTH = 1024 * 1024  # bytes of one VTODO; the longest task takes less
BEGIN, END = b"BEGIN:VTODO", b"END:VTODO"
OURS = re.compile("task-(?P<id>[1-9][0-9]{0,17})@taskapp")  # as our exports name a task
UID = re.compile(rb"^UID(?:;[^:\r\n]*)?:([^\r\n]*)", re.MULTILINE | re.IGNORECASE)
PARENT = re.compile(rb"^RELATED-TO((?:;[^:\r\n]*)?):([^\r\n]*)", re.MULTILINE | re.IGNORECASE)
IS_OVERRIDE = re.compile(rb"^RECURRENCE-ID[;:]", re.MULTILINE | re.IGNORECASE)
FOLD = re.compile(rb"\r?\n[ \t]")
FIRST_NUMBER = 2**62  # larger than any id of a task
LONGEST_KEY = 200
MOST_REMINDERS = 5
NO_DATES: dict[str, Any] = {"due_at": None, "due_on": None, "repeat": None, "reminders": []}
STATUS = {
    "NEEDS-ACTION": "todo",
    "IN-PROCESS": "in_progress",
    "COMPLETED": "done",
    "CANCELLED": "cancelled",
}
# RFC 5545, section 3.8.1.9: 1 to 4 are high, 5 is medium, 6 to 9 are low, 0 is none.
PRIORITY = ("none", "urgent", "high", "high", "high", "medium", "low", "low", "low", "low")


def read(file: IO[bytes], zone: ZoneInfo) -> Iterator[dict[str, Any]]:
    """The tasks of a calendar, one VTODO in memory at a time; `zone` is that of floating times.

    Raises:
        MalformedRequest: It is not a calendar, or one of its VTODOs cannot be read.
    """
    from icalendar import Todo  # few requests need it, and it is large

    first = b"\n"
    while first and not first.strip():
        first = file.readline(200).removeprefix(b"\xef\xbb\xbf")
    first = first.strip().upper()
    if first != b"BEGIN:VCALENDAR":
        raise MalformedRequest(
            "The file is not a calendar: it must begin with BEGIN:VCALENDAR (RFC 5545)."
        )
    begin = file.tell()
    numbers = _numbers(file)
    file.seek(begin)
    for number, lines in enumerate(_components(file), 1):
        try:
            todo = Todo.from_ical(_text_of(lines, number))
            yield {**_item(todo, zone), **_relations(lines, numbers)}
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise MalformedRequest(f"VTODO {number} is not valid by RFC 5545.") from None


def _text_of(lines: list[bytes], number: int) -> str:
    try:
        return b"".join(lines).decode()
    except UnicodeDecodeError:
        detail = f"VTODO {number} is not text in UTF-8 (RFC 5545, section 3.1.4)."
        raise MalformedRequest(detail) from None


def _numbers(file: IO[bytes]) -> dict[bytes, int]:
    """A number for each UID of the file, by which rows name their parents."""
    numbers: dict[bytes, int] = {}
    for lines in _components(file):
        uid = _uid_of(lines)
        if uid:
            numbers.setdefault(uid, FIRST_NUMBER + len(numbers))
    return numbers


def _relations(lines: list[bytes], numbers: dict[bytes, int]) -> dict[str, Any]:
    """The number of a row, and of its parent: a row of the file, or a task of ours by its id."""
    relations: dict[str, Any] = {"parent_id": None}
    text = _unfolded(lines)
    uid = _uid_of(lines)
    if uid and not IS_OVERRIDE.search(text):
        relations["id"] = numbers[uid]
    for parameters, name in PARENT.findall(text):
        kind = parameters.upper()
        if b"RELTYPE=" in kind and b"RELTYPE=PARENT" not in kind:
            continue
        ours = OURS.fullmatch(name.decode())
        if name in numbers:
            relations["parent_id"] = numbers[name]
        elif ours:
            relations["parent_id"] = int(ours["id"])
        break
    return relations


def _uid_of(lines: list[bytes]) -> bytes:
    uid = UID.search(_unfolded(lines))
    return uid[1] if uid else b""


def _unfolded(lines: list[bytes]) -> bytes:
    """Long lines in one piece (RFC 5545, section 3.1)."""
    return FOLD.sub(b"", b"".join(lines))


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
                raise MalformedRequest("A VTODO is longer than any task may be.")
        if name == END and lines is not None:
            yield lines
            lines = None
    if lines is not None:
        raise MalformedRequest("The calendar ends inside a VTODO: the file is not complete.")


def _item(todo: Any, zone: ZoneInfo) -> dict[str, Any]:
    priority = int(todo.get("priority", 0))
    item: dict[str, Any] = {"priority": _priority(priority), "status": _status(todo)}
    item["title"] = _texts(todo, "summary") or "(no title)"
    item["description"] = _texts(todo, "description")
    item["labels"] = [str(name) for name in todo.categories]
    key = _key(todo)
    if key:
        item["external_id"] = key
    for name, field in (("created", "created_at"), ("completed", "completed_at")):
        moment = _value(todo, name, zone)
        if isinstance(moment, dt.datetime):
            item[field] = moment.isoformat()
    due = _due(todo, zone)
    return {**item, **NO_DATES} if due is None else {**item, **_dates(todo, due, zone)}


def _texts(todo: Any, name: str) -> str:
    """A text, or several with a blank line between."""
    values = todo.get(name, "")
    if not isinstance(values, list):
        return str(values)
    return "\n\n".join(str(value) for value in values)


def _status(todo: Any) -> str:
    """The status by STATUS; without it, what has COMPLETED is done."""
    if "status" not in todo and "completed" in todo:
        return "done"
    return STATUS.get(_texts(todo, "status").upper(), "todo")


def _priority(number: int) -> str:
    return PRIORITY[number] if 0 <= number < len(PRIORITY) else "none"


def _key(todo: Any) -> str:
    """The external_id: its UID, and its RECURRENCE-ID, so that a second import changes nothing."""
    key = _texts(todo, "uid")
    override = todo.get("recurrence-id")
    if override is not None:
        key = f"{key} {override.to_ical().decode()}"
    if len(key) <= LONGEST_KEY:
        return key
    digest = hashlib.blake2b(key.encode(), digest_size=12)  # as `tasks import --from ics` does
    return f"long:{digest.hexdigest()}"


def _value(todo: Any, name: str, zone: ZoneInfo) -> Any:
    """A day or a moment; one without a time zone is read in this one."""
    value = getattr(todo.get(name), "dt", None)
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        return value.replace(tzinfo=zone)
    return value


def _due(todo: Any, zone: ZoneInfo) -> dt.date | None:
    due: dt.date | None = _value(todo, "due", zone)
    start = _value(todo, "dtstart", zone)
    length = _value(todo, "duration", zone)
    if due is None and start is not None and length is not None:
        due = start + length
    return due


def _dates(todo: Any, due: dt.date, zone: ZoneInfo) -> dict[str, Any]:
    is_moment = isinstance(due, dt.datetime)
    dates: dict[str, Any] = {**NO_DATES}
    dates["due_at" if is_moment else "due_on"] = due.isoformat()
    rule = todo.get("rrule")
    if rule is not None and not isinstance(rule, list):
        own_zone = getattr(getattr(due, "tzinfo", None), "key", zone.key)
        text = rule.to_ical().decode()
        dates["repeat"] = {"rule": text, "from": "due", "timezone": own_zone}
    reminders = [_reminder(alarm, zone) for alarm in todo.walk("VALARM")]
    dates["reminders"] = [text for text in reminders if text][:MOST_REMINDERS]
    return dates


def _reminder(alarm: Any, zone: ZoneInfo) -> str:
    """A moment, or how long before the due date; empty if it is after that."""
    trigger = _value(alarm, "trigger", zone)
    if isinstance(trigger, dt.datetime):
        return trigger.isoformat()
    if trigger is None or trigger > dt.timedelta(0):
        return ""
    text: str = alarm["trigger"].to_ical().decode()
    return text
