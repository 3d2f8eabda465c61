"""CSV of whatever program, by columns that are named: --column title="Task Name"."""

from __future__ import annotations

import datetime as dt
import re

from taskapp_client import days
from taskapp_client.days import Due
from taskapp_client.doors.delimited import records
from taskapp_client.doors.rows import Conversion, Numbered, Row, text_of

# What a column may become; `external_id` is a key of the file's own, and `parent` another row's.
FIELDS = tuple(
    """title description status priority due labels external_id parent project created_at
    completed_at""".split()
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
# Jira writes 28/Feb/27 and 28/Feb/27 3:42 PM.
DAY_OF_JIRA, MOMENT_OF_JIRA = "%d/%b/%y", "%d/%b/%y %I:%M %p"


def convert(content: bytes, exported: dt.datetime, columns: dict[str, str]) -> Conversion:
    """Read the file; `columns` says which field of ours stands in which column of it."""
    conversion = Conversion()
    numbered = Numbered("csv")
    by_id: dict[str, Row] = {}
    parents: list[tuple[Row, str]] = []
    names = {name.casefold(): field for field, name in columns.items()}
    for cells in records(content, set(columns.values()), _delimiter(content)):
        if not any(cells.values()):
            continue
        value, unused = _by_field(cells, names)
        row = _row(value, numbered, conversion, exported)
        conversion.rows.append(row)
        by_id[value.get("external_id") or row.key] = row
        parents.append((row, value.get("parent", "")))
        for name in unused:
            conversion.left_out[f"the column {name!r}"].append(row.title)
    for row, parent_id in parents:
        row.set_parent(by_id.get(parent_id), conversion)
    return conversion


def _by_field(cells: dict[str, str], names: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """The cells by our fields, and the names of the columns that are not used, where they are."""
    value = {}
    unused = []
    for name, cell in cells.items():
        field = names.get(name.casefold())
        if field:
            value[field] = cell
        elif cell:
            unused.append(name)
    return value, unused


def _delimiter(content: bytes) -> str:
    """The one of `,` `;` and tab that the beginning of the file has most of."""
    beginning = text_of(content)[:2000]
    return max(",;\t", key=beginning.count)


def _row(
    value: dict[str, str], numbered: Numbered, conversion: Conversion, exported: dt.datetime
) -> Row:
    title = value.get("title", "")
    named = value.get("external_id", "")
    key = f"csv:{named}" if named else numbered.key(value.get("project", ""), title)
    row = Row(key=key, title=title, project=value.get("project", ""))
    row.description = value.get("description", "")
    status = value.get("status", "").casefold()
    row.status = STATUSES.get(status, "todo")
    priority = value.get("priority", "").casefold()
    row.priority = PRIORITIES.get(priority, "none")
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
    """A date as ISO 8601 or Jira writes it, with or without a time; anything else is no date."""
    iso = re.sub(r"^(\d{4}-\d\d-\d\d) (\d\d:\d\d)", r"\1T\2", text)
    try:
        return days.parse_due(iso, exported)
    except ValueError:
        return _of_jira(text)


def _of_jira(text: str) -> Due:
    try:
        moment = dt.datetime.strptime(text, MOMENT_OF_JIRA).astimezone()
        return Due(moment=moment)
    except ValueError:
        pass
    try:
        day = dt.datetime.strptime(text, DAY_OF_JIRA)  # noqa: DTZ007 - a day has no zone
        return Due(day=day.date())
    except ValueError:
        return Due()
