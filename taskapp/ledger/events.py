"""What happened in a project, in the order of its revisions; which tasks came and left."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import page_by
from taskapp.database.session import Body, read
from taskapp.ledger.access import EVENTS, visible_projects
from taskapp.ledger.models import Event

# Kinds of events by which a task comes into a project, and leaves it.
ENTERS = {"created", "moved", "restored"}
LEAVES = {"deleted", "moved-away"}
RESTORED = "restored"  # of no task: the project, from a backup; cursors of before are void
TRIMMED = "history-trimmed"  # stands where older changes of a task were
KINDS = (
    *("created", "updated", "deleted", "restored", "moved", "moved-away", "reminder"),
    TRIMMED,
    *("comment-created", "comment-updated", "comment-deleted"),
    *("attachment-created", "attachment-deleted"),
    *("member-added", "member-updated", "member-removed"),
    *("project-created", "project-updated", "project-deleted", "webhook-disabled"),
)
# What a `deleted` event keeps for a restore besides what clients see of a task: it names others of
# its series, wherever they are.
SERIES = ("series_id", "occurrence", "next_id", "due_wall")
_SHOWN_NAMES = ("id", "revision", "at", "user_id", "kind", "changes")
_SHOWN = [EVENTS.c[name] for name in _SHOWN_NAMES]
_CROSSES = EVENTS.c.kind.in_(ENTERS | LEAVES | {RESTORED})
_IS_DELETION = EVENTS.c.kind == "deleted"
_IS_SHOWN_OF_TASK = EVENTS.c.kind.not_in(["moved-away", TRIMMED])
_IS_TRIMMED = EVENTS.c.kind == TRIMMED
_IN_ORDER = (EVENTS.c.revision, EVENTS.c.id)
_DELETION = (EVENTS.c.project_id, EVENTS.c.revision, EVENTS.c.at, EVENTS.c.changes)


def as_shown(items: Sequence[Body]) -> None:
    """Cut the `changes` of events down to what clients may see."""
    for item in items:
        hidden = item["changes"].keys() & SERIES
        if hidden:
            changes = item["changes"].items()
            item["changes"] = {name: values for name, values in changes if name not in hidden}


def crossings(project_id: int, after: int, until: int) -> list[tuple[int | None, str]]:
    """(task id, kind) of the events by which tasks came into a project or left it, in order.

    If the project was restored from a backup, one of them has no task id.
    """
    of_project = EVENTS.c.project_id == project_id
    is_later = EVENTS.c.revision > after
    is_in_time = EVENTS.c.revision <= until
    crossing = sa.select(EVENTS.c.task_id, EVENTS.c.kind)
    crossing = crossing.where(of_project, _CROSSES, is_later, is_in_time)
    crossing = crossing.order_by(*_IN_ORDER)
    result = read(crossing)
    return [tuple(row) for row in result]


class Events(NamedTuple):
    """One page of a project's events; `next_key` is where the next starts, even if it is empty."""

    items: list[Body]
    has_more: bool
    next_key: list[int]


def project_events(project_id: int, after: int, limit: int) -> Events:
    """The events of a project after the one with this id; ids grow in the order of revisions."""
    of_project = sa.select(*_SHOWN, EVENTS.c.task_id).where(EVENTS.c.project_id == project_id)
    page = page_by(of_project, Event.id, limit=limit, total=False, cursor=[after], text="changes")
    as_shown(page.items)
    last = page.items[-1]["id"] if page.items else after
    return Events(page.items, page.next_key is not None, [last])


def last_deletion(task_id: int, user_id: int) -> sa.Select[Any]:
    """The newest event by which a task was deleted, if the user sees the project that it was in.

    An earlier one, in a project that the task left since, is of no use to who sees only that.
    """
    of_task = EVENTS.c.task_id == task_id
    newest = sa.select(sa.func.max(EVENTS.c.id)).where(of_task, _IS_DELETION)
    is_newest = EVENTS.c.id == newest.scalar_subquery()
    visible = visible_projects(user_id)
    is_visible = EVENTS.c.project_id.in_(visible)
    return sa.select(*_DELETION).where(is_newest, is_visible)


class History(NamedTuple):
    """One page of a task's history; it is `complete` unless `purge` has deleted older changes."""

    items: list[Body]
    next_key: list[Any] | None
    total: int | None
    complete: bool


def list_events(caller: Caller, task_id: int, query: Body) -> History:
    """A task's history, as far as the caller sees the projects it was in."""
    of_task = EVENTS.c.task_id == task_id
    visible = visible_projects(caller.user_id)
    is_visible = EVENTS.c.project_id.in_(visible)
    of_caller = sa.select(*_SHOWN).where(of_task, is_visible)
    shown = of_caller.where(_IS_SHOWN_OF_TASK)
    page = page_by(shown, Event.id, **query, text="changes")
    as_shown(page.items)
    page = page.only("revision", "at", "user_id", "kind", "changes")
    trimmed = of_caller.where(_IS_TRIMMED).limit(1)
    complete = read(trimmed).first() is None
    return History(*page, complete)
