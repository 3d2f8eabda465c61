"""todo.txt: a task a line (github.com/todotxt/todo.txt).

`@context` and `+project` become labels. The usual extensions due:, pri:, rec: and id: are read.
"""

from __future__ import annotations

import datetime as dt
import re

from taskapp_client import Json, days
from taskapp_client.days import Due
from taskapp_client.doors.rows import Conversion, Numbered, Row, text_of

DAY = r"\d{4}-\d{2}-\d{2}"
LINE = re.compile(
    rf"(?P<done>x )?(?:\((?P<priority>[A-Z])\) )?(?P<days>(?:{DAY} ){{0,2}})(?P<text>.*)"
)
TAG = re.compile(r"([A-Za-z][^\s:]*):([^\s:]+)")
LABEL = re.compile(r"[@+](\S+)")
RECURRENCE = re.compile(r"(\+?)(\d{1,3})?([dbwmy])")
FREQUENCIES = {
    "d": "DAILY",
    "b": "WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    "w": "WEEKLY",
    "m": "MONTHLY",
    "y": "YEARLY",
}
KEYS = ("id", "uid", "uuid")


def convert(content: bytes, exported: dt.datetime) -> Conversion:
    """Read the file; nothing in it depends on when it was exported."""
    conversion = Conversion()
    numbered = Numbered("todotxt")
    for line in text_of(content).splitlines():
        if line.strip():
            conversion.rows.append(_row(line.strip(), numbered, conversion))
    return conversion


def _row(line: str, numbered: Numbered, conversion: Conversion) -> Row:
    match = LINE.fullmatch(line)
    if match is None:  # the pattern takes any line; this is for the type checker
        raise ValueError(line)
    words, labels, tags = _words(match["text"])
    title = " ".join(words) or match["text"]
    named = next((tags.pop(name) for name in KEYS if name in tags), "")
    key = f"todotxt:{named}" if named else numbered.key(match["text"])
    row = Row(key=key, title=title, labels=labels)
    row.priority = _priority(match["priority"] or tags.pop("pri", ""))
    dates = match["days"].split()
    if match["done"]:
        row.status = "done"
        row.completed_at = _noon(dates[0]) if dates else None
        dates = dates[1:]
    row.created_at = _noon(dates[0]) if dates else None
    row.due = _due(tags, row, conversion)
    row.repeat = _repeat(tags, row, conversion)
    for name, value in tags.items():
        row.add_note(f"{name}:{value}")
        conversion.in_description[f"{name}:"].append(row.title)
    return row


def _words(text: str) -> tuple[list[str], list[str], dict[str, str]]:
    """The words of the title, the labels, the key:value pairs; an address stays in the title."""
    words: list[str] = []
    labels: list[str] = []
    tags: dict[str, str] = {}
    for word in text.split():
        label = LABEL.fullmatch(word)
        tag = TAG.fullmatch(word)
        if label:
            labels.append(label[1])
        elif tag and tag[1] not in tags and not tag[2].startswith("//"):
            tags[tag[1]] = tag[2]
        else:
            words.append(word)
    return words, labels, tags


def _priority(letter: str) -> str:
    if not letter:
        return "none"
    return {"A": "urgent", "B": "high", "C": "medium"}.get(letter, "low")


def _noon(day: str) -> dt.datetime | None:
    """A moment of that day; noon is the same day nearly everywhere."""
    try:
        return dt.datetime.combine(dt.date.fromisoformat(day), dt.time(12)).astimezone()
    except ValueError:
        return None


def _due(tags: dict[str, str], row: Row, conversion: Conversion) -> Due:
    value = tags.pop("due", "")
    try:
        return Due(day=dt.date.fromisoformat(value)) if value else Due()
    except ValueError:
        row.add_note(f"due:{value}")
        conversion.in_description["a due date that is none"].append(row.title)
        return Due()


def _repeat(tags: dict[str, str], row: Row, conversion: Conversion) -> Json | None:
    """rec:1w counts from when it was done, rec:+1w from when it was due."""
    value = tags.pop("rec", "")
    if not value:
        return None
    match = RECURRENCE.fullmatch(value)
    if match is None or not int(match[2] or 1) or not row.due.day:
        row.add_note(f"rec:{value}")
        conversion.in_description["a recurrence that needs a due date or is unknown"].append(
            row.title
        )
        return None
    rule = f"FREQ={FREQUENCIES[match[3]]};INTERVAL={int(match[2] or 1)}"
    start = "due" if match[1] else "done"
    return {"rule": rule, "from": start, "timezone": days.local_zone()}
