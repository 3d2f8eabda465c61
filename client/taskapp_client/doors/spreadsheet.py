"""CSV of whatever program, by columns that are named: --column title="Task Name"."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re

from taskapp_client import days
from taskapp_client.days import Due
from taskapp_client.doors.rows import Conversion, Numbered, Row, text_of
from taskapp_client.failures import Failure

# What a column may become; `external_id` is a key of the file's own.
FIELDS = (
    "title",
    "description",
    "status",
    "priority",
    "due",
    "labels",
    "external_id",
    "created_at",
    "completed_at",
    "project",
)
# Words that programs use for a status or a priority, without case.
STATUSES = {
    "done": "done", "completed": "done", "complete": "done", "closed": "done", "resolved": "done",
    "true": "done", "yes": "done", "x": "done", "1": "done", "2": "done",
    "in progress": "in_progress", "doing": "in_progress", "started": "in_progress",
    "in review": "in_progress", "active": "in_progress", "in_progress": "in_progress",
    "cancelled": "cancelled", "canceled": "cancelled", "won't do": "cancelled",
}  # fmt: skip
PRIORITIES = {
    "urgent": "urgent", "highest": "urgent", "critical": "urgent", "blocker": "urgent",
    "high": "high", "major": "high", "important": "high", "5": "high",
    "medium": "medium", "normal": "medium", "3": "medium",
    "low": "low", "lowest": "low", "minor": "low", "trivial": "low", "1": "low",
}  # fmt: skip


def convert(content: bytes, exported: dt.datetime, columns: dict[str, str]) -> Conversion:
    """Read the file; `columns` says which field of ours stands in which column of it."""
    conversion = Conversion()
    numbered = Numbered("csv")
    text = text_of(content)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    header = [(name or "").strip() for name in reader.fieldnames or []]
    chosen = {field: _column(field, name, header) for field, name in columns.items()}
    unused = [name for name in header if name and name not in chosen.values()]
    for record in reader:
        cells = _cells(record, header)
        if any(cells.values()):
            row = _row(cells, chosen, numbered, conversion, exported)
            conversion.rows.append(row)
            for name in unused:
                if cells[name]:
                    conversion.left_out[f"the column {name!r}"].append(row.title)
    return conversion


def _delimiter(text: str) -> str:
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)


def _column(field: str, name: str, header: list[str]) -> str:
    for there in header:
        if there.casefold() == name.casefold():
            return there
    raise Failure(f"There is no column {name!r} for {field}: there are {', '.join(header)}.")


def _cells(record: dict[str, str | list[str] | None], header: list[str]) -> dict[str, str]:
    values = [value if isinstance(value, str) else "" for value in record.values()]
    padded = values + [""] * len(header)
    return {name: value.strip() for name, value in zip(header, padded, strict=False)}


def _row(
    cells: dict[str, str],
    chosen: dict[str, str],
    numbered: Numbered,
    conversion: Conversion,
    exported: dt.datetime,
) -> Row:
    value = {field: cells[name] for field, name in chosen.items()}
    title = value.get("title", "")
    named = value.get("external_id", "")
    key = f"csv:{named}" if named else numbered.key(value.get("project", ""), title)
    row = Row(key=key, title=title, project=value.get("project", ""))
    row.description = value.get("description", "")
    row.status = STATUSES.get(value.get("status", "").casefold(), "todo")
    row.priority = PRIORITIES.get(value.get("priority", "").casefold(), "none")
    row.labels = re.split(r"[,;\n]", value.get("labels", ""))
    row.created_at = _due(value.get("created_at", ""), exported).moment
    row.completed_at = _due(value.get("completed_at", ""), exported).moment
    if value.get("completed_at"):
        row.status = "done"
    due = value.get("due", "")
    row.due = _due(due, exported)
    if due and row.due == Due():
        row.add_note(f"Due: {due}")
        conversion.in_description["dates that are unknown here"].append(row.title)
    return row


def _due(text: str, exported: dt.datetime) -> Due:
    """A date as ISO 8601 writes it, with or without a time; anything else is no date."""
    iso = re.sub(r"^(\d{4}-\d\d-\d\d) (\d\d:\d\d)", r"\1T\2", text)
    try:
        return days.parse_due(iso, exported)
    except ValueError:
        return Due()
