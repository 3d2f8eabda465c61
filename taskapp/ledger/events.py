"""What happened in a project, in the order of its revisions: history, and tasks that come or go."""

from typing import Any, NamedTuple

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import Page, page_by
from taskapp.database.session import Body, read
from taskapp.ledger.access import EVENTS, visible_projects
from taskapp.ledger.models import Event

# Kinds of events by which a task comes into a project, and leaves it.
ENTERS = {"created", "moved", "restored"}
LEAVES = {"deleted", "moved-away"}
RESTORED = "restored"  # of no task: the project, from a backup; cursors of before are void
KINDS = (
    *("created", "updated", "deleted", "restored", "moved", "moved-away", "reminder"),
    *("comment-created", "comment-updated", "comment-deleted"),
    *("attachment-created", "attachment-deleted"),
    *("member-added", "member-updated", "member-removed"),
    *("project-created", "project-updated", "project-deleted"),
)
_SHOWN = [EVENTS.c[name] for name in ("id", "revision", "at", "user_id", "kind", "changes")]


def crossings(project_id: int, after: int, until: int) -> list[tuple[int | None, str]]:
    """(task id, kind) of the events by which tasks came into a project or left it, in order.

    Where the project was restored from a backup, one of them has no task id.
    """
    between = sa.select(EVENTS.c.task_id, EVENTS.c.kind).where(
        EVENTS.c.project_id == project_id, EVENTS.c.revision > after, EVENTS.c.revision <= until
    )
    crossing = between.where(EVENTS.c.kind.in_(ENTERS | LEAVES | {RESTORED}))
    ordered = crossing.order_by(EVENTS.c.revision, EVENTS.c.id)
    return [tuple(row) for row in read(ordered)]


class Events(NamedTuple):
    """One page of a project's events; `next_key` is where to go on, also when there is no more."""

    items: list[Body]
    has_more: bool
    next_key: list[int]


def project_events(project_id: int, after: int, limit: int) -> Events:
    """The events of a project past one of them: its ids grow in the order of its revisions."""
    chosen = (
        sa.select(*_SHOWN, EVENTS.c.task_id)
        .where(EVENTS.c.project_id == project_id, EVENTS.c.id > after)
        .order_by(EVENTS.c.id)
        .limit(limit + 1)
    )
    rows = read(chosen).all()
    items = [dict(row._mapping) for row in rows[:limit]]
    last = items[-1]["id"] if items else after
    return Events(items, len(rows) > limit, [last])


def last_deletion(task_id: int, user_id: int) -> sa.Select[Any]:
    """The newest event by which a task was deleted from a project that the user sees."""
    return (
        sa.select(EVENTS.c.project_id, EVENTS.c.revision, EVENTS.c.at, EVENTS.c.changes)
        .where(EVENTS.c.task_id == task_id, EVENTS.c.kind == "deleted")
        .where(EVENTS.c.project_id.in_(visible_projects(user_id)))
        .order_by(EVENTS.c.id.desc())
        .limit(1)
    )


def list_events(caller: Caller, task_id: int, query: Body) -> Page:
    """A task's history, as far as the caller sees the projects it was in."""
    of_task = sa.select(*_SHOWN).where(EVENTS.c.task_id == task_id, EVENTS.c.kind != "moved-away")
    visible = of_task.where(EVENTS.c.project_id.in_(visible_projects(caller.user_id)))
    page = page_by(visible, Event.id, **query)
    return page.only("revision", "at", "user_id", "kind", "changes")
