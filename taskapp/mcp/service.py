"""What the tools do, over the same services as the API; each returns what an agent reads."""

from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.comments import service as comments
from taskapp.database.pages import MOST, bounded, cut
from taskapp.database.session import Body, Precondition, Row, now
from taskapp.errors import StaleRevision
from taskapp.extensions import db
from taskapp.ledger.access import EVENTS, USER_ID, seen_by, visible_projects
from taskapp.ledger.events import as_shown
from taskapp.projects import service as projects
from taskapp.sync import service as sync
from taskapp.tasks import service as tasks
from taskapp.tasks.due import with_days

COMMENTS_SHOWN = 50
CHANGES_SHOWN = 20


def find_tasks(caller: Caller, query: Body) -> Body:
    """Raises ProjectNotFound."""
    question = with_days(query, caller.timezone, now())
    page = tasks.list_tasks(caller, seen_by(caller), question)
    return {"items": page.items, "next_key": page.next_key}


def get_task(caller: Caller, task_id: int) -> Body:
    """The task and its newest comments. Raises TaskNotFound."""
    task = tasks.get_task(caller, task_id)
    page = comments.list_comments(caller, task_id, {"limit": COMMENTS_SHOWN, "total": False})
    return {"task": task, "comments": page.items, "more_comments": page.next_key is not None}


def create_task(caller: Caller, body: Body) -> Body:
    """Raises what the API's create raises."""
    return {"task": tasks.create_task(caller, body)}


def update_task(caller: Caller, task_id: int, revision: int, body: Body) -> Body:
    """Change the fields that are sent, if the task is still at this revision.

    Raises:
        StaleRevision: It is not; `detail` says who changed what since.
    """
    precondition = _at_revision(task_id, revision)
    return {"task": tasks.update_task(caller, task_id, body, precondition)}


def restore_task(caller: Caller, task_id: int) -> Body:
    """Raises what the API's restore raises."""
    return {"task": tasks.restore_task(caller, task_id)}


def add_comment(caller: Caller, task_id: int, text: str) -> Body:
    """Raises TaskNotFound, Forbidden."""
    return {"comment": comments.add_comment(caller, task_id, {"body": text})}


def list_projects(caller: Caller, query: Body) -> Body:
    page = projects.list_projects(caller, {**query, "total": False})
    return {"items": page.items, "next_key": page.next_key}


def what_changed(caller: Caller, query: Body) -> Body:
    """Raises CursorExpired."""
    changes = sync.list_changes(caller, query)
    return changes._asdict()


def _at_revision(task_id: int, revision: int) -> Precondition:
    def precondition(task: Row | None) -> None:
        if task is not None and task.revision != revision:
            raise StaleRevision(
                f"Task {task_id} is at revision {task.revision}, and you sent {revision}: somebody "
                "has changed it since you read it. Nothing was written. Read it again with "
                "get_task, look at what has changed, and then decide."
            )

    return precondition


_CHANGE = ("revision", "at", "user_id", "kind", "changes")
_CHANGES = sa.select(EVENTS.c.id, *(EVENTS.c[name] for name in _CHANGE))
_LATER = _CHANGES.where(
    EVENTS.c.task_id == sa.bindparam("task_id"),
    EVENTS.c.revision > sa.bindparam("after"),
    EVENTS.c.project_id.in_(visible_projects(USER_ID)),
)


def changes_since(caller: Caller, task_id: int, revision: int) -> list[Body]:
    """The newest changes of a task after a revision, oldest first, as far as the caller may see."""
    values = {"task_id": task_id, "after": revision, "user_id": caller.user_id}
    ordered = _LATER.order_by(*_newest_first(EVENTS.c)).limit(MOST)
    newest = bounded(ordered, "changes", _newest_first, db.engine.dialect.name)
    page = cut(newest, CHANGES_SHOWN, ["id"], values)
    as_shown(page.items)
    return page.only(*_CHANGE).items[::-1]


def _newest_first(columns: Any) -> list[sa.ColumnElement[Any]]:
    return [columns.id.desc()]
