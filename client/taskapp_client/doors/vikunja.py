"""Vikunja: the export of one's own data, as the zip or as the data.json in it.

data.json is a list of projects with their tasks, as the API shows them (`ExportUserData` in
pkg/models/export.go, `Task` in pkg/models/tasks.go of go-vikunja/vikunja).
"""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from typing import Any

from taskapp_client import Json, days
from taskapp_client.days import Due
from taskapp_client.doors.html import to_text
from taskapp_client.doors.rows import LARGEST_FILE, Conversion, Row
from taskapp_client.failures import Failure

PRIORITIES = {1: "low", 2: "medium", 3: "high", 4: "urgent", 5: "urgent"}
DAY = 24 * 60 * 60
MONTHLY, FROM_DONE = 1, 2  # repeat_mode
NO_PLACE = {
    "assignees": "assignees",
    "attachments": "attachments",
    "start_date": "start dates",
    "end_date": "end dates",
    "percent_done": "per cent done",
    "hex_color": "colours",
    "is_favorite": "favourites",
    "reactions": "reactions",
}


def convert(content: bytes, exported: dt.datetime) -> Conversion:
    """Read the file; nothing in it depends on when it was exported."""
    conversion = Conversion()
    rows: dict[int, Row] = {}
    parents: dict[int, int] = {}
    for project in _projects(content):
        for task in project.get("tasks") or []:
            name = str(project.get("title") or "")
            row = _row(task, name, conversion)
            rows[task["id"]] = row
            _note_relations(task, parents, conversion)
    for task_id, row in rows.items():
        row.set_parent(rows.get(parents.get(task_id, 0)), conversion)
    conversion.rows = list(rows.values())
    return conversion


def _projects(content: bytes) -> list[Json]:
    if content[:2] == b"PK":
        content = _unzipped(content)
    try:
        projects = json.loads(content)
    except ValueError:
        projects = None
    if not isinstance(projects, list) or not all(isinstance(each, dict) for each in projects):
        raise Failure("This is no data.json of Vikunja: a list of projects with tasks.")
    return projects


def _unzipped(content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.getinfo("data.json").file_size > LARGEST_FILE:
                raise Failure("data.json in this zip is too large.")
            return archive.read("data.json")
    except (zipfile.BadZipFile, KeyError):
        raise Failure("This is no export of Vikunja: a zip with a data.json in it.") from None


def _row(task: Json, project: str, conversion: Conversion) -> Row:
    row = Row(key=f"vikunja:{task['id']}", title=str(task.get("title") or ""), project=project)
    row.description = to_text(task.get("description") or "")
    row.status = "done" if task.get("done") else "todo"
    row.priority = PRIORITIES.get(task.get("priority") or 0, "none")
    row.labels = [label["title"] for label in task.get("labels") or []]
    row.due = Due(moment=_moment(task.get("due_date")))
    row.created_at = _moment(task.get("created"))
    row.completed_at = _moment(task.get("done_at"))
    row.repeat = _repeat(task, row, conversion)
    row.reminders = _reminders(task, row, conversion)
    _keep_the_rest(task, row, conversion)
    return row


def _keep_the_rest(task: Json, row: Row, conversion: Conversion) -> None:
    for comment in task.get("comments") or []:
        _keep_comment(comment, row, conversion)
    for name, what in NO_PLACE.items():
        if _is_set(task.get(name)):
            conversion.left_out[what].append(row.title)


def _is_set(value: Any) -> bool:
    return bool(value) and not str(value).startswith("0001-01-01")


def _moment(value: str | None) -> dt.datetime | None:
    """A time; Vikunja writes the year 1 for none."""
    if not value or value.startswith("0001-"):
        return None
    return dt.datetime.fromisoformat(value)


def _repeat(task: Json, row: Row, conversion: Conversion) -> Json | None:
    mode = task.get("repeat_mode") or 0
    seconds = task.get("repeat_after") or 0
    if not seconds and mode != MONTHLY:
        return None
    rule = "FREQ=MONTHLY" if mode == MONTHLY else _rule(seconds)
    if not rule or row.due == Due():
        conversion.left_out["a repetition by hours, or without a due date"].append(row.title)
        return None
    start = "done" if mode == FROM_DONE else "due"
    return {"rule": rule, "from": start, "timezone": days.local_zone()}


def _rule(seconds: int) -> str:
    count, rest = divmod(seconds, DAY)
    if rest or not 1 <= count <= 999:
        return ""
    if count % 7 == 0:
        return f"FREQ=WEEKLY;INTERVAL={count // 7}"
    return f"FREQ=DAILY;INTERVAL={count}"


def _reminders(task: Json, row: Row, conversion: Conversion) -> list[str]:
    reminders = []
    for reminder in task.get("reminders") or []:
        moment = _moment(reminder.get("reminder"))
        period = reminder.get("relative_period") or 0
        is_relative = reminder.get("relative_to") == "due_date" and period <= 0
        if is_relative and row.due.moment:
            reminders.append(f"-PT{-period // 60}M")
        elif moment:
            reminders.append(days.as_utc(moment))
        else:
            conversion.left_out["reminders after the due date, or without one"].append(row.title)
    return reminders


def _keep_comment(comment: Json, row: Row, conversion: Conversion) -> None:
    author = comment.get("author") or {}
    name = author.get("username") or "somebody"
    when = str(comment.get("created") or "")[:10]
    text = to_text(comment.get("comment") or "")
    row.add_note(f"{name}, {when}:\n{text}")
    conversion.in_description["comments"].append(row.title)


def _note_relations(task: Json, parents: dict[int, int], conversion: Conversion) -> None:
    """Each relation stands at both of its tasks."""
    for kind, related in (task.get("related_tasks") or {}).items():
        for other in related or []:
            if kind == "subtask":
                parents.setdefault(other["id"], task["id"])
            elif kind == "parenttask":
                parents.setdefault(task["id"], other["id"])
            else:
                conversion.left_out[f"relations of the kind {kind!r}"].append(task["title"])
