"""Read calendars: each VTODO of an iCalendar stream (RFC 5545) as the fields of a task."""

import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from typing import IO, Any, NamedTuple
from zoneinfo import ZoneInfo

from taskapp.errors import MalformedRequest
from taskapp.exchange.file_zones import HIDDEN, FileZones, UnknownZone, database_name, hide, in_utc
from taskapp.exchange.lines import lines
from taskapp.tasks.reminders import MORNING

MAX_LENGTH = 1024 * 1024  # bytes of one VTODO; the longest task takes less
MAX_LINES = 1_000  # of one VTODO, unfolded; each of its properties and alarms takes a few
OURS = re.compile("task-(?P<id>[1-9][0-9]{0,17})@taskapp")  # as our exports name a task
UID = re.compile(rb"^UID(?:;[^:\r\n]*)?:([^\r\n]*)", re.MULTILINE | re.IGNORECASE)
PARENT = re.compile(rb"^RELATED-TO((?:;[^:\r\n]*)?):([^\r\n]*)", re.MULTILINE | re.IGNORECASE)
IS_OVERRIDE = re.compile(rb"^RECURRENCE-ID[;:]", re.MULTILINE | re.IGNORECASE)
FOLD = re.compile(rb"\r?\n[ \t]")
# `CATEGORIES:` and the like say nothing; for icalendar most are mistakes.
EMPTY = re.compile(rb"^[\w-]+(?:;[^:\r\n]*)?:[ \t]*\r?\n", re.MULTILINE)
FIRST_NUMBER = 2**62  # larger than any id of a task
LONGEST_KEY = 200
END_OF_DAY = dt.time(23, 59, 59)
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


class Zones(NamedTuple):
    """The time zone of the caller, which is that of floating times, and those of the file."""

    caller: ZoneInfo
    file: FileZones


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
    zones = Zones(zone, FileZones(_components(file, b"VTIMEZONE")))
    file.seek(begin)
    for number, component in enumerate(_components(file, b"VTODO"), 1):
        try:
            todo = Todo.from_ical(_text_of(component, number))
            yield {**_item(todo, zones), **_relations(component, numbers)}
        except UnknownZone as error:
            raise MalformedRequest(f"VTODO {number}: {error}.") from None
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError):
            raise MalformedRequest(f"VTODO {number} is not valid by RFC 5545.") from None


def _text_of(component: bytes, number: int) -> str:
    if component.count(b"\n") > MAX_LINES:
        raise MalformedRequest(f"VTODO {number} has more than {MAX_LINES:,} lines.")
    try:
        return hide(EMPTY.sub(b"", component)).decode()
    except UnicodeDecodeError:
        detail = f"VTODO {number} is not text in UTF-8 (RFC 5545, section 3.1.4)."
        raise MalformedRequest(detail) from None


def _numbers(file: IO[bytes]) -> dict[bytes, int]:
    """A number for each UID of the file, by which rows name their parents."""
    numbers: dict[bytes, int] = {}
    for component in _components(file, b"VTODO"):
        uid = _uid_of(component)
        if uid:
            numbers.setdefault(uid, FIRST_NUMBER + len(numbers))
    return numbers


def _relations(text: bytes, numbers: dict[bytes, int]) -> dict[str, Any]:
    """The number of a row, and of its parent: a row of the file, or a task of ours by its id."""
    relations: dict[str, Any] = {"parent_id": None}
    uid = _uid_of(text)
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


def _uid_of(text: bytes) -> bytes:
    uid = UID.search(text)
    return uid[1] if uid else b""


def _components(file: IO[bytes], kind: bytes) -> Iterator[bytes]:
    """Each component of a kind, its long lines in one piece.

    Some programs fold in the middle of a character, so bytes are unfolded (RFC 5545, section 3.1).
    """
    kept: list[bytes] | None = None
    length = 0
    for line in lines(file, MAX_LENGTH):
        name = line.strip().upper()
        if name == b"BEGIN:" + kind:
            kept = []
            length = 0
        if kept is not None:
            kept.append(line)
            length += len(line)
            if length > MAX_LENGTH:
                raise MalformedRequest(f"A {kind.decode()} is longer than any task may be.")
        if name == b"END:" + kind and kept is not None:
            yield FOLD.sub(b"", b"".join(kept))
            kept = None
    if kept is not None:
        detail = f"The calendar ends inside a {kind.decode()}: the file is not complete."
        raise MalformedRequest(detail)


def _item(todo: Any, zones: Zones) -> dict[str, Any]:
    priority = int(todo.get("priority", 0))
    item: dict[str, Any] = {"priority": _priority(priority), "status": _status(todo)}
    item["title"] = _texts(todo, "summary") or "(no title)"
    item["description"] = _texts(todo, "description")
    item["labels"] = [str(name) for name in todo.categories if name.strip()]
    key = _key(todo)
    if key:
        item["external_id"] = key
    for name, field in (("created", "created_at"), ("completed", "completed_at")):
        moment = _value(todo, name, zones)
        if isinstance(moment, dt.datetime):
            item[field] = moment.isoformat()
    due = _due(todo, zones)
    return {**item, **_dates(todo, due, zones)}


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


def _value(component: Any, name: str, zones: Zones) -> Any:
    """A day, a moment in UTC or a length; a moment without a time zone is the caller's."""
    sent = component.get(name)
    return _settled(getattr(sent, "dt", None), sent, zones)


def _settled(value: Any, sent: Any, zones: Zones) -> Any:
    """A value of a property, in UTC if it is a moment."""
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        return in_utc(value, _zone_of(sent, zones))
    return value


def _zone_of(sent: Any, zones: Zones) -> dt.tzinfo:
    """The time zone that a property names; without one, that of the caller."""
    name = getattr(sent, "params", {}).get(HIDDEN)
    return zones.caller if name is None else zones.file.find(name)


def _due(todo: Any, zones: Zones) -> dt.date | None:
    due: dt.date | None = _value(todo, "due", zones)
    start = todo.get("dtstart")
    length = _value(todo, "duration", zones)
    if due is None and start is not None and length is not None:
        due = _settled(start.dt + length, start, zones)  # by the clock: a day may have 23 hours
    return due


def _dates(todo: Any, due: dt.date | None, zones: Zones) -> dict[str, Any]:
    dates: dict[str, Any] = {**NO_DATES}
    rule = todo.get("rrule")
    if due is not None:
        is_moment = isinstance(due, dt.datetime)
        dates["due_at" if is_moment else "due_on"] = due.isoformat()
        if rule is not None and not isinstance(rule, list):
            dates["repeat"] = _repeat(todo, due, rule, zones)
    reminders = [_reminder(alarm, todo, due, zones) for alarm in todo.walk("VALARM")]
    dates["reminders"] = [text for text in reminders if text][:MOST_REMINDERS]
    return dates


def _repeat(todo: Any, due: dt.date, rule: Any, zones: Zones) -> dict[str, Any]:
    """The rule, in the time zone of DUE, or of DTSTART beside a DURATION."""
    zone: dt.tzinfo = zones.caller
    if isinstance(due, dt.datetime):
        sent = todo.get("due") or todo.get("dtstart")
        is_utc = sent.dt.tzinfo is not None
        zone = dt.UTC if is_utc else _zone_of(sent, zones)
    for until in rule.get("UNTIL", []):
        rule["UNTIL"] = [_until(until, due, zone)]
    name = database_name(zone, due.year)
    return {"rule": rule.to_ical().decode(), "from": "due", "timezone": name}


def _until(until: dt.date, due: dt.date, zone: dt.tzinfo) -> dt.date:
    """UNTIL in UTC for moments and as a day for days, as the standard wants; many do otherwise."""
    if not isinstance(due, dt.datetime):
        return until.date() if isinstance(until, dt.datetime) else until
    if not isinstance(until, dt.datetime):
        until = dt.datetime.combine(until, END_OF_DAY)
    return until if until.tzinfo else in_utc(until, zone)


def _reminder(alarm: Any, todo: Any, due: dt.date | None, zones: Zones) -> str:
    """A moment, or how long before the due date; empty if it is after that, or no alarm.

    An alarm of a day counts from its midnight, and a reminder from its morning.
    """
    if _texts(alarm, "action").upper() == "NONE":  # Apple's sign for no alarm, in 1976
        return ""
    trigger = _value(alarm, "trigger", zones)
    if isinstance(trigger, dt.datetime):
        return trigger.isoformat()
    if trigger is None or due is None:
        return ""
    if alarm["trigger"].params.get("RELATED", "START").upper() == "START":
        trigger -= _after_start(todo, due, zones)
    if not isinstance(due, dt.datetime):
        trigger -= dt.timedelta(hours=MORNING.hour)
    if trigger > dt.timedelta(0):
        return ""
    from icalendar import vDuration

    length: Any = vDuration(trigger)
    text: str = length.to_ical().decode()
    return text


def _after_start(todo: Any, due: dt.date, zones: Zones) -> dt.timedelta:
    """How long after its start a task is due; nothing if one is a day and the other a moment."""
    start = _value(todo, "dtstart", zones)
    if start is None or isinstance(start, dt.datetime) != isinstance(due, dt.datetime):
        return dt.timedelta(0)
    length: dt.timedelta = due - start
    return length
