"""The columns of a task: the fields that clients send, and what is computed from them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from taskapp.database.session import Body, now
from taskapp.errors import Invalid
from taskapp.extensions import db
from taskapp.ledger.revisions import Revision
from taskapp.tasks import due, reminders, repeats, search
from taskapp.tasks.due import Fault
from taskapp.tasks.models import LABELS
from taskapp.tasks.recurrence import Steps

# Fields that depend on each other.
DATES = {"due_at", "due_on", "repeat", "reminders"}
BLANK: Body = {
    "external_id": None,
    "description": "",
    "status": "todo",
    "priority": "none",
    "due_at": None,
    "due_on": None,
    "repeat": None,
    "reminders": [],
    "assignee_id": None,
    "parent_id": None,
    "labels": [],
}


def new_row(revision: Revision, body: Body) -> Body:
    """The columns of a new task; an import and the demo bring times of their own."""
    task = {**BLANK, **body, "created_by": revision.user_id}
    row = new_values(task)
    if task["reminders"]:
        row.update(reminders.columns(task, {}, []))
    return {**row, "project_id": revision.project_id, "revision": revision.revision}


def new_values(task: Body) -> Body:
    """The columns of a new task that has all its fields, but for its project and its revision."""
    values = computed(task, {})
    return {"created_at": values["updated_at"], **values}


def with_time_zone(body: Body, timezone: str) -> Body:
    """The body, with the caller's time zone in its `repeat` if that names none."""
    repeat = body.get("repeat")
    if repeat is None or "timezone" in repeat:
        return body
    return {**body, "repeat": {**repeat, "timezone": timezone}}


def refuse_faults(before: Mapping[Any, Any], body: Body) -> None:
    """Refuse fields that a task cannot have together.

    Raises:
        Invalid: `errors` lists each.
    """
    reasons = []
    for name, detail in faults(before, body):
        reasons.append({"pointer": f"/{name}", "detail": detail})
    if reasons:
        raise Invalid(errors=reasons)


def faults(before: Mapping[Any, Any], body: Body, steps: Steps | None = None) -> Iterator[Fault]:
    """What would be wrong with a task once this body has changed it."""
    if body.keys().isdisjoint(DATES):
        return
    found = list(due.faults(before, body))
    yield from found
    if not found:
        yield from repeats.faults(before, body, steps)
        yield from reminders.faults(before, body)


def columns(revision: Revision, new: Body, old: Mapping[Any, Any]) -> Body:
    """The new values, the revision, and what is computed from the values and the old ones."""
    return {"revision": revision.revision, **computed(new, old)}


def computed(new: Body, old: Mapping[Any, Any]) -> Body:
    """The new values, and the columns that are computed from them and from the old ones."""
    values = {"updated_at": now(), **new}
    if "status" in new:
        is_done = new["status"] == "done"
        values.setdefault("completed_at", values["updated_at"] if is_done else None)
    if "title" in new or "description" in new:
        whole = {**old, **new}
        values.update(search.index(whole["title"], whole["description"]))
    if "due_at" in new or "due_on" in new:
        whole = {**old, **new}
        values["due"] = due.rank(whole["due_at"], whole["due_on"])
    return values


def insert_labels(tasks: Iterable[tuple[int, list[str]]]) -> None:
    rows = []
    for task_id, names in tasks:
        for name in names:
            row = {"task_id": task_id, "key": name.casefold(), "name": name}
            rows.append(row)
    if rows:
        db.session.execute(sa.insert(LABELS), rows)


def replace_labels(tasks: Sequence[tuple[int, list[str]]]) -> None:
    ids = [task_id for task_id, _ in tasks]
    former = LABELS.c.task_id.in_(ids)
    db.session.execute(sa.delete(LABELS).where(former))
    insert_labels(tasks)
