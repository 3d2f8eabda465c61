"""How a task is written: the rules of its fields, inside a turn of its project; no commit here."""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.session import Body, Row, changed_fields, insert_or_raise, now
from taskapp.errors import Conflict, Invalid, NotFound
from taskapp.extensions import db
from taskapp.ledger import access, revisions
from taskapp.ledger.revisions import Lock, Revision
from taskapp.schema import table
from taskapp.tasks import query as task_query
from taskapp.tasks.models import COLUMNS, TASKS, TaskLabel

LABELS = table(TaskLabel)
_INSERT = sa.insert(TASKS).returning(*COLUMNS)
_UPDATE = sa.update(TASKS).where(TASKS.c.id == sa.bindparam("task_id")).returning(*COLUMNS)
BLANK: Body = dict.fromkeys(("external_id", "due_at", "assignee_id", "parent_id"))
BLANK |= {"description": "", "status": "todo", "priority": "none", "labels": []}


class AssigneeNotFound(NotFound):
    """The assignee is no member of the task's project."""


class ExternalIdTaken(Conflict):
    """A task of this project has this external_id already."""


class ParentNotFound(NotFound):
    """No task that you can see has the parent's id."""


def insert(caller: Caller, lock: Lock, body: Body) -> Row:
    _check_people_and_parent(caller, lock.project_id, None, body)
    revision = lock.advance()
    task = insert_or_raise(_INSERT, ExternalIdTaken, new_row(revision, body)).one()
    label([(task.id, task.labels)])
    revisions.record(revision, "created", [task.id], **{name: [None, body[name]] for name in body})
    return task


def update(caller: Caller, task: Row, source: Lock, target: Lock, body: Body) -> Row:
    """Change the fields that are sent; the same row comes back when that changes nothing."""
    _check_people_and_parent(caller, target.project_id, task.id, body)
    moves = source is not target
    if moves:
        body = {**_left_behind(task, target), **body}
    if not (changed := changed_fields(task, body)):
        return task
    revision = target.advance()
    new = columns(revision, {name: value for name, (_, value) in changed.items()}, task._mapping)
    task = insert_or_raise(_UPDATE, ExternalIdTaken, {**new, "task_id": task.id}).one()
    if "labels" in changed:
        db.session.execute(sa.delete(LABELS).where(LABELS.c.task_id == task.id))
        label([(task.id, task.labels)])
    if moves:
        _move_children(task.id, source.advance(), revision)
    revisions.record(revision, "moved" if moves else "updated", [task.id], **changed)
    return task


def delete(task_id: int, lock: Lock) -> None:
    ids = [task_id, *_descendants(task_id)]
    revisions.record(lock.advance(), "deleted", ids)
    for chunk in task_query.chunks(ids[::-1]):  # lowest first: SQLite cascades 1,000 deep
        db.session.execute(sa.delete(TASKS).where(TASKS.c.id.in_(chunk)))


def new_row(revision: Revision, body: Body) -> Body:
    """The columns of a new task; the items of a demo bring times of their own."""
    ids = {"project_id": revision.project_id, "created_by": revision.user_id}
    row = columns(revision, {**BLANK, **body, **ids}, {})
    return {"created_at": row["updated_at"], **row}


def columns(revision: Revision, new: Body, old: Mapping[Any, Any]) -> Body:
    """New values, and the columns that follow from them and from what stays."""
    values = {"revision": revision.revision, "updated_at": now(), **new}
    if "status" in new:
        values.setdefault("completed_at", values["updated_at"] if new["status"] == "done" else None)
    if new.keys() & {"title", "description"}:
        whole = {**old, **new}
        values["words"] = task_query.words(whole["title"], whole["description"])
    return values


def _check_people_and_parent(
    caller: Caller, project_id: int, task_id: int | None, body: Body
) -> None:
    assignee_id, parent_id = body.get("assignee_id"), body.get("parent_id")
    if assignee_id is not None and access.role_in(project_id, assignee_id) is None:
        raise AssigneeNotFound(errors=[{"pointer": "/assignee_id", "detail": "No member."}])
    if parent_id is None:
        return
    visible = TASKS.c.project_id.in_(access.visible_projects(caller.user_id))
    home = db.session.scalar(sa.select(TASKS.c.project_id).where(TASKS.c.id == parent_id, visible))
    if home is None:
        raise ParentNotFound(errors=[{"pointer": "/parent_id", "detail": "No such task."}])
    if home != project_id:
        raise Invalid.field("parent_id", "The parent must be in the same project.")
    if task_id is not None and parent_id in {task_id, *_descendants(task_id)}:
        raise Invalid.field("parent_id", "A task cannot be below itself.")


def _descendants(task_id: int) -> list[int]:
    below = sa.select(TASKS.c.id).where(TASKS.c.parent_id == task_id).cte(recursive=True)
    below = below.union(sa.select(TASKS.c.id).join(below, TASKS.c.parent_id == below.c.id))
    return list(db.session.scalars(sa.select(below.c.id)))


def label(tasks: Iterable[tuple[int, list[str]]]) -> None:
    pairs = ((task_id, name) for task_id, names in tasks for name in names)
    labels = [{"task_id": task_id, "key": name.casefold(), "name": name} for task_id, name in pairs]
    if labels:
        db.session.execute(sa.insert(LABELS), labels)


def _left_behind(task: Row, target: Lock) -> Body:
    """What a moving task loses unless the client says otherwise: its parent, a foreign assignee."""
    stays = task.assignee_id and access.role_in(target.project_id, task.assignee_id)
    return {"parent_id": None} | ({} if stays else {"assignee_id": None})


def _move_children(task_id: int, source: Revision, target: Revision) -> None:
    """Children go with their parent; assignees who are no members there are cleared."""
    below, moved = _descendants(task_id), [source.project_id, target.project_id]
    assignee, members = TASKS.c.assignee_id, access.members_of(target.project_id)
    values: Body = {"project_id": target.project_id, "revision": target.revision}
    values |= {"updated_at": now(), "assignee_id": sa.case((assignee.in_(members), assignee))}
    insert_or_raise(sa.update(TASKS).where(TASKS.c.id.in_(below)).values(values), ExternalIdTaken)
    revisions.record(source, "moved-away", [task_id, *below], project_id=moved)
    revisions.record(target, "moved", below, project_id=moved)
