"""Tables and lines for a terminal, whatever people wrote into their tasks."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Sequence

import click

from taskapp_client import Json, days

MARKS = {"todo": "[ ]", "in_progress": "[~]", "done": "[x]", "cancelled": "[-]"}
COLOURS = {"urgent": "red", "high": "yellow"}
HEAD = ("ID", "", "DUE", "PRIORITY", "TITLE", "LABELS", "PROJECT")
TITLE = HEAD.index("TITLE")
NARROWEST_TITLE = 20
GAP = "  "
# They reorder what stands around them, so a title could look like another one.
BIDI_CONTROLS = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """A text without what a terminal would carry out instead of showing it."""
    return "".join("\ufffd" if _is_control(sign) else sign for sign in text)


def _is_control(sign: str) -> bool:
    if sign in "\n\t":
        return False
    return unicodedata.category(sign) == "Cc" or sign in BIDI_CONTROLS


def width(text: str) -> int:
    """Columns that a text takes in a terminal (UAX 11)."""
    return sum(_columns(sign) for sign in text)


def _columns(sign: str) -> int:
    if unicodedata.combining(sign) or unicodedata.category(sign) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def fit(text: str, columns: int) -> str:
    """The text in exactly so many columns: cut with an ellipsis, or filled with spaces."""
    text = plain(text).replace("\n", " ").replace("\t", " ")
    if width(text) > columns:
        while width(text) > columns - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (columns - width(text))


def task_table(tasks: Sequence[Json], projects: dict[int, str]) -> list[str]:
    """Lines of a table of tasks, as wide as the terminal."""
    rows = [_cells(task, projects) for task in tasks]
    columns = zip(HEAD, *rows, strict=True)
    widths = [max(map(width, column)) for column in columns]
    others = sum(widths) - widths[TITLE]
    gaps = len(GAP) * (len(HEAD) - 1)
    room = shutil.get_terminal_size((100, 25)).columns - others - gaps
    widths[TITLE] = max(min(widths[TITLE], room), NARROWEST_TITLE)
    lines = [click.style(_line(HEAD, widths), bold=True)]
    for task, row in zip(tasks, rows, strict=True):
        lines.append(_coloured(task, _line(row, widths)))
    return lines


def _cells(task: Json, projects: dict[int, str]) -> list[str]:
    project_id = task["project_id"]
    due = days.show(days.due_of(task))
    priority = task["priority"].replace("none", "")
    labels = ", ".join(task["labels"])
    project = projects.get(project_id, str(project_id))
    mark = MARKS[task["status"]]
    return [
        str(task["id"]),
        mark,
        due,
        priority,
        plain(task["title"]),
        plain(labels),
        plain(project),
    ]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    fitted = [fit(cell, columns) for cell, columns in zip(cells, widths, strict=True)]
    return GAP.join(fitted).rstrip()


def _coloured(task: Json, line: str) -> str:
    if task["status"] in {"done", "cancelled"}:
        return click.style(line, dim=True)
    if days.is_over(days.due_of(task)):
        return click.style(line, fg="red")
    return click.style(line, fg=COLOURS.get(task["priority"]))


def details(task: Json, project: str) -> list[str]:
    """One task, field by field; empty fields are left out."""
    rows = {"project": project, "status": task["status"], "priority": task["priority"]}
    rows["due"] = days.show(days.due_of(task))
    rows["labels"] = ", ".join(task["labels"])
    repeat = task.get("repeat") or {}
    rows["repeat"] = repeat.get("rule")
    rows["reminders"] = ", ".join(task.get("reminders") or [])
    rows["assignee"] = task["assignee_id"]
    rows["parent"] = task["parent_id"]
    rows["key"] = task["external_id"]
    rows["completed"] = _moment(task["completed_at"])
    rows["updated"] = _moment(task["updated_at"])
    lines = [click.style(f"{task['id']}  {plain(task['title'])}", bold=True)]
    for name, value in rows.items():
        if value:
            lines.append(f"  {name:<10}{plain(str(value))}")
    if task["description"]:
        lines += ["", plain(task["description"])]
    return lines


def _moment(value: str | None) -> str:
    return days.show(days.due_of({"due_at": value}))


def both_sides(theirs: Json, yours: Json) -> list[str]:
    """A conflict, field by field."""
    lines = []
    for name, value in yours.items():
        lines.append(click.style(name, bold=True))
        lines.append(f"  theirs: {_value(theirs.get(name))}")
        lines.append(f"  yours:  {_value(value)}")
    return lines


def _value(value: object) -> str:
    if isinstance(value, list):
        return plain(", ".join(str(item) for item in value))
    return "none" if value is None else plain(str(value))
