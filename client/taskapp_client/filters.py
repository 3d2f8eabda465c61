"""Which tasks a list is of: as options, as a query of the service, and over the offline copy."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from taskapp_client import Json, completion, days, projects
from taskapp_client.failures import NotFound
from taskapp_client.service import Service
from taskapp_client.session import Command

OPEN = ("todo", "in_progress")
STATUSES = ("todo", "in_progress", "done", "cancelled")
PRIORITIES = ("none", "low", "medium", "high", "urgent")
SORTS = ("due", "priority", "title", "created", "updated", "id")
SORT_FIELDS = {"due": "due_at", "created": "created_at", "updated": "updated_at"}


@dataclass
class Filters:
    """The options of `ls` and `export`, checked."""

    statuses: tuple[str, ...]
    due: str = ""
    project: str = ""
    labels: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    search: str = ""
    is_mine: bool = False
    sort: str = "due"

    def query(self, service: Service) -> Json:
        """The query of `GET /tasks`."""
        query: Json = {"sort": sort_query(self.sort)}
        if self.statuses:
            query["status"] = ",".join(self.statuses)
        if self.due:
            query |= {"due": self.due, "tz": days.local_zone()}
        if self.project:
            query["project_id"] = projects.find(service, self.project)["id"]
        if self.labels:
            query["label"] = ",".join(map(escaped, self.labels))
        if self.priorities:
            query["priority"] = ",".join(self.priorities)
        if self.search:
            query["q"] = self.search
        if self.is_mine:
            query["assignee"] = "me"
        return query

    def over(self, tasks: list[Json], names: dict[int, str], user_id: int) -> list[Json]:
        """The same over tasks of the offline copy."""
        kept = [task for task in tasks if self._holds(task, user_id)]
        if self.project:
            project_id = _project_id(self.project, names)
            kept = [task for task in kept if task["project_id"] == project_id]
        return sorted(kept, key=sort_key(self.sort), reverse=self.sort.startswith("-"))

    def _holds(self, task: Json, user_id: int) -> bool:
        labels = {label.casefold() for label in task["labels"]}
        text = f"{task['title']} {task['description']}".casefold()
        words = re.findall(r"\w+", self.search.casefold())
        if self.statuses and task["status"] not in self.statuses:
            return False
        if self.priorities and task["priority"] not in self.priorities:
            return False
        if self.due and not is_due(task, self.due):
            return False
        if self.is_mine and task["assignee_id"] != user_id:
            return False
        has_labels = labels.issuperset(map(str.casefold, self.labels))
        return has_labels and all(word in text for word in words)


def escaped(label: str) -> str:
    """A label in a comma list: its own commas and backslashes are escaped."""
    return label.replace("\\", "\\\\").replace(",", "\\,")


def sort_query(sort: str) -> str:
    name = sort.removeprefix("-")
    sign = "-" if sort.startswith("-") else ""
    field = SORT_FIELDS.get(name, name)
    if name == "due":
        return f"{sign}{field},-priority"
    return f"{sign}{field}"


def sort_key(sort: str) -> Callable[[Json], Any]:
    name = sort.removeprefix("-")
    if name == "due":
        return _due_key
    if name == "priority":
        return lambda task: PRIORITIES.index(task["priority"])
    field = SORT_FIELDS.get(name, name)
    return lambda task: task[field]


def _due_key(task: Json) -> tuple[bool, str, int]:
    """A day before the moments of that day; what is not due comes last."""
    value = task.get("due_on") or task.get("due_at") or ""
    return not value, value, -PRIORITIES.index(task["priority"])


def is_due(task: Json, when: str) -> bool:
    due = days.due_of(task)
    day = due.moment.date() if due.moment else due.day
    if when == "overdue":
        return days.is_over(due) and task["status"] in OPEN
    today = dt.date.today()  # noqa: DTZ011 - the day of this machine
    last = today + dt.timedelta(days=6 if when == "week" else 0)
    return day is not None and today <= day <= last


def _project_id(text: str, names: dict[int, str]) -> int:
    wanted = text.casefold()
    for project_id, name in names.items():
        if name.casefold() == wanted or str(project_id) == text:
            return project_id
    raise NotFound(f"The offline copy has no project {text!r}: there are {sorted(names.values())}.")


def filter_options(command: Command) -> Command:
    """The options that say which tasks are meant; the command gets them as `filters`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def from_options(options: Json) -> Filters:
    """Take the filter options out of a command's options."""
    statuses = tuple(options.pop("status"))
    is_all = options.pop("all_statuses")
    is_done = options.pop("done")
    if is_done:
        statuses = ("done",)
    elif not statuses and not is_all:
        statuses = OPEN
    due = ""
    for name in ("overdue", "today", "week"):
        if options.pop(name):
            due = name
    chosen = Filters(statuses=statuses, due=due, is_mine=options.pop("mine"))
    chosen.project = options.pop("project") or ""
    chosen.labels = options.pop("label")
    chosen.priorities = options.pop("priority")
    chosen.search = options.pop("search") or ""
    chosen.sort = options.pop("sort")
    return chosen


OPTIONS = (
    click.option("--today", is_flag=True, help="Due today."),
    click.option("--week", is_flag=True, help="Due today or in the six days after it."),
    click.option("--overdue", is_flag=True, help="Due before now, and not done."),
    click.option(
        "--project", help="In this project, by name or id.", shell_complete=completion.project_names
    ),
    click.option(
        "--label",
        multiple=True,
        help="With this label; several: with all of them.",
        shell_complete=completion.labels,
    ),
    click.option(
        "--priority", multiple=True, type=click.Choice(PRIORITIES), help="Of this priority."
    ),
    click.option("--search", metavar="WORDS", help="With these words in title or description."),
    click.option("--mine", is_flag=True, help="Assigned to you."),
    click.option("--status", multiple=True, type=click.Choice(STATUSES), help="In this status."),
    click.option("--done", is_flag=True, help="Only what is done."),
    click.option(
        "--all", "all_statuses", is_flag=True, help="Whatever their status; default: open."
    ),
    click.option(
        "--sort",
        type=click.Choice([*SORTS, *(f"-{name}" for name in SORTS)]),
        default="due",
        show_default=True,
        help="In this order; - for the other way.",
    ),
)
