"""A task as a text for an editor, and back: only lines that were changed count as changes."""

from __future__ import annotations

import re

from taskapp_client import Json, days
from taskapp_client.filters import PRIORITIES, STATUSES

RULE_LINE = "--- description: everything below this line ---"
HEADER = """\
# Change what you like, save and close. Lines that begin with # do not count.
# To change nothing, leave the file as it is.
"""
REPEAT = re.compile(r"(\S+)(?: from (due|done))?(?: in (\S+))?")
REPEAT_WORDS = {
    "daily": "FREQ=DAILY",
    "weekdays": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    "weekly": "FREQ=WEEKLY",
    "monthly": "FREQ=MONTHLY",
    "yearly": "FREQ=YEARLY",
}
CHOICES = {"status": STATUSES, "priority": PRIORITIES}
HINTS = {
    "status": ", ".join(STATUSES),
    "priority": ", ".join(PRIORITIES),
    "due": "2026-12-31, 2026-12-31 17:00, tomorrow, friday, +3d, none",
    "labels": "with commas between them",
    "repeat": "daily, weekdays, weekly, monthly, yearly, an RRULE [from due|done] [in Zone]; none",
    "reminders": "-PT1H for an hour before it is due; with commas between them",
}


def write(task: Json, project: str) -> str:
    """The text of a task."""
    lines = [HEADER]
    for name, value in _texts(task, project).items():
        if name in HINTS:
            lines.append(f"# {HINTS[name]}")
        lines.append(f"{name}: {value}".rstrip())
    lines += ["", RULE_LINE]
    if task["description"]:
        lines.append(task["description"])
    return "\n".join(lines) + "\n"


def _texts(task: Json, project: str) -> dict[str, str]:
    texts = {"title": task["title"], "project": project}
    texts["status"] = task["status"]
    texts["priority"] = task["priority"]
    texts["due"] = days.write(days.due_of(task))
    texts["labels"] = write_list(task["labels"])
    texts["assignee"] = str(task["assignee_id"] or "none")
    texts["parent"] = str(task["parent_id"] or "none")
    if "repeat" in task:
        texts["repeat"] = _write_repeat(task["repeat"])
    if "reminders" in task:
        texts["reminders"] = write_list(task["reminders"])
    return texts


def changes(text: str, task: Json, project: str) -> Json:
    """What was changed in the text: fields of the service, but `project` and `assignee` as typed.

    Raises:
        ValueError: with a sentence about what cannot be read.
    """
    head, _, description = text.replace("\r\n", "\n").partition(f"{RULE_LINE}\n")
    if RULE_LINE not in text:
        raise ValueError(f"The line {RULE_LINE!r} is missing.")
    before = _texts(task, project)
    changed: Json = {}
    for name, value in _lines(head, before).items():
        if value != " ".join(before[name].split()):
            changed |= _field(name, value, task)
    description = description.removesuffix("\n")  # the line break that ends the file
    if description != task["description"]:
        changed["description"] = description
    return changed


def _lines(head: str, known: dict[str, str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for line in head.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or name not in known:
            raise ValueError(f"{line!r} is no field: there are {', '.join(known)}.")
        if name in values:
            raise ValueError(f"{name!r} stands there twice.")
        values[name] = " ".join(value.split())
    return values


def _field(name: str, value: str, task: Json) -> Json:
    if name == "due":
        return due_change(days.parse_due(value), task)
    if name == "parent":
        return {"parent_id": _number(name, value)}
    if name == "repeat":
        return {"repeat": read_repeat(value)}
    if name in {"labels", "reminders"}:
        return {name: read_list(value)}
    if name in CHOICES:
        return {name: _choice(name, value, CHOICES[name])}
    return {name: value}


def due_change(due: days.Due, task: Json) -> Json:
    """The fields that make a task due then: the other of the two is cleared where it is set."""
    wanted = due.fields()
    return {name: value for name, value in wanted.items() if value or task.get(name)}


def _number(name: str, value: str) -> int | None:
    if value == "none":
        return None
    if not value.isdecimal():
        raise ValueError(f"{name} is the id of a task, or none; not {value!r}.")
    return int(value)


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{name} is one of {', '.join(choices)}; not {value!r}.")
    return value


def write_list(values: list[str]) -> str:
    """Values with commas between them; their own commas and backslashes are escaped."""
    escaped = [value.replace("\\", "\\\\").replace(",", "\\,") for value in values]
    return ", ".join(escaped)


def read_list(text: str) -> list[str]:
    parts = re.findall(r"(?:\\.|[^,\\])+", text)
    values = [re.sub(r"\\(.)", r"\1", part).strip() for part in parts]
    return [value for value in values if value]


def _write_repeat(repeat: Json | None) -> str:
    if not repeat:
        return "none"
    return f"{repeat['rule']} from {repeat['from']} in {repeat['timezone']}"


def read_repeat(text: str) -> Json | None:
    """How a task repeats: `weekly`, `FREQ=MONTHLY;BYDAY=-1FR from done in Europe/Berlin`, `none`.

    Raises:
        ValueError: it is neither.
    """
    if text in {"", "none"}:
        return None
    match = REPEAT.fullmatch(text)
    rule = REPEAT_WORDS.get(match[1].lower(), match[1].upper()) if match else ""
    if match is None or "FREQ=" not in rule:
        raise ValueError(f"{text!r} is no repetition: write {HINTS['repeat']}.")
    rule = rule.removeprefix("RRULE:")
    return {"rule": rule, "from": match[2] or "due", "timezone": match[3] or days.local_zone()}
