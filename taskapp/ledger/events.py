"""What happened in a project, in the order of its revisions: history, and tasks that come or go."""

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import Page, page_by
from taskapp.database.session import Body, read
from taskapp.ledger.access import EVENTS, visible_projects
from taskapp.ledger.models import Event

# Kinds of events by which a task comes into a project, and leaves it.
ENTERS = {"created", "moved"}
LEAVES = {"deleted", "moved-away"}
KINDS = (
    *("created", "updated", "deleted", "restored", "moved", "moved-away", "reminder"),
    *("comment-created", "comment-updated", "comment-deleted"),
    *("attachment-created", "attachment-deleted"),
    *("member-added", "member-updated", "member-removed"),
    *("project-created", "project-updated", "project-deleted", "webhook-disabled"),
)
RESTORED = "restored"  # the project, from a backup: cursors of before are void
_SHOWN = [EVENTS.c[name] for name in ("id", "revision", "at", "user_id", "kind", "changes")]


def crossings(project_id: int, after: int, until: int) -> list[tuple[int, str]]:
    """(task id, kind) of the events by which tasks came into a project or left it, in order."""
    chosen = (
        sa.select(EVENTS.c.task_id, EVENTS.c.kind)
        .where(EVENTS.c.project_id == project_id)
        .where(EVENTS.c.revision > after, EVENTS.c.revision <= until)
        .where(EVENTS.c.kind.in_(ENTERS | LEAVES | {RESTORED}))
        .order_by(EVENTS.c.revision, EVENTS.c.id)
    )
    return [tuple(row) for row in read(chosen)]


def list_events(caller: Caller, task_id: int, query: Body) -> Page:
    """A task's history, as far as the caller sees the projects it was in."""
    shown = (
        sa.select(*_SHOWN)
        .where(EVENTS.c.task_id == task_id, EVENTS.c.kind != "moved-away")
        .where(EVENTS.c.project_id.in_(visible_projects(caller.user_id)))
    )
    page = page_by(shown, Event.id, **query)
    return page.only("revision", "at", "user_id", "kind", "changes")
