"""The cells of a CSV as programs write them: whole numbers, times, choices, lists and text."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from marshmallow import Schema

from taskapp.errors import MalformedJson
from taskapp.web import fields
from taskapp.web.body import strict_json
from taskapp.web.exports import GUARDED

# pandas writes whole numbers so where a cell of their column is empty.
WHOLE = re.compile(r"(?P<number>0|-?[1-9][0-9]{0,18})(\.0+)?")
# As pandas, PostgreSQL, Ruby and SQL Server write a time; RFC 3339 has `T` there, and the minutes.
SPACED = re.compile(
    r"(?ai)(?P<day>\d{4}-\d\d-\d\d) (?P<clock>\d\d:\d\d:\d\d(\.\d+)?)"
    r" ?(?:(?P<utc>Z|UTC)|(?P<hours>[+-]\d\d)(:?(?P<minutes>\d\d))?)"
)
RULE = re.compile("^RRULE:", re.IGNORECASE)
Read = Callable[[str], Any]


def field_name(heading: str) -> str:
    """`Due at` and `due-at` are due_at; `DueAt` is, too, to who compares them squeezed."""
    words = re.split(r"[\s_-]+", heading.strip("\ufeff \t").lower())
    return "_".join(word for word in words if word)


def squeezed(name: str) -> str:
    return name.replace("_", "")


def reader_of(schema: Schema, name: str) -> Read:
    """How to read the cells of a field; what cannot be read stays text: the schema refuses it."""
    spec = schema.fields.get(name)
    if isinstance(spec, fields.Choice):
        return partial(_choice, {squeezed(choice): choice for choice in spec.names})
    if isinstance(spec, fields.Text) and spec.allow_none:
        return _text_or_none
    for kind, read in READERS.items():
        if isinstance(spec, kind):
            return read
    return _stripped


def _int_or_text(cell: str) -> int | str | None:
    cell = cell.strip()
    whole = WHOLE.fullmatch(cell)
    if whole:
        return int(whole["number"])
    return cell or None


def _list(cell: str) -> Any:
    """A JSON array, as exports have it, or `home, garden`."""
    text = unguarded(cell).strip()
    if text.startswith("["):
        return _json_or_text(cell)
    names = [name.strip() for name in re.split("[,;]", text)]
    return [name for name in names if name]


def _repeat(cell: str) -> Any:
    """A JSON object, as exports have it, or its rule as calendars write it."""
    text = unguarded(cell).strip()
    if not text or text.startswith("{"):
        return _json_or_text(cell)
    return {"rule": RULE.sub("", text)}


def _json_or_text(cell: str) -> Any:
    if not cell.strip():
        return None
    try:
        return strict_json(unguarded(cell).encode())
    except MalformedJson:
        return cell


def _choice(names: dict[str, str], cell: str) -> str:
    """`In Progress`, `in-progress` and `InProgress` are in_progress."""
    name = field_name(unguarded(cell))
    return names.get(squeezed(name), name)


def _time(cell: str) -> str | None:
    """In RFC 3339, if it is a time with an offset."""
    text = _stripped(cell)
    spaced = SPACED.fullmatch(text or "")
    if spaced is None:
        return text
    offset = "Z"
    if spaced["hours"]:
        offset = f"{spaced['hours']}:{spaced['minutes'] or '00'}"
    return f"{spaced['day']}T{spaced['clock']}{offset}"


def _stripped(cell: str) -> str | None:
    return unguarded(cell).strip() or None


def _text_or_none(cell: str) -> str | None:
    return unguarded(cell) or None


def unguarded(cell: str) -> str:
    """Without the signs that an export puts before formulas."""
    return GUARDED.sub(r"\g<cell>\g<line>", cell)


READERS: dict[type, Read] = {
    fields.Int: _int_or_text,
    fields.List: _list,
    fields.Nested: _repeat,
    fields.Text: unguarded,
    fields.Time: _time,
}
