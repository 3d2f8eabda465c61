"""What can be done with tasks; each write is one commit, under its project's next revision."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from taskapp.errors import Conflict, Invalid, NotFound
from taskapp.extensions import Body, Expect, Row, changes, db, now, read, table
from taskapp.pages import Page
from taskapp.projects import access
from taskapp.projects.access import Caller, ProjectNotFound, Turn
from taskapp.tasks import query as task_query
from taskapp.tasks.models import Task, TaskLabel

TASKS, LABELS = table(Task), table(TaskLabel)
COLUMNS = tuple(column for column in TASKS.columns if column.name != "words")
DEFAULTS: Body = {"description": "", "status": "todo", "priority": "none", "labels": []}
Seen = list[tuple[int, int, str]]


class TaskNotFound(NotFound):
    """No task that you can see has this id."""


class AssigneeNotFound(NotFound):
    """The assignee is no member of the task's project."""


class ParentNotFound(NotFound):
    """No task that you can see has the parent's id."""


_VISIBLE = (
    sa.select(*COLUMNS)
    .where(Task.id == sa.bindparam("task_id"))
    .where(Task.project_id.in_(access.visible_to(sa.bindparam("user_id", type_=sa.BigInteger))))
)


def get_task(caller: Caller, task_id: int) -> Row:
    task = read(_VISIBLE, {"task_id": task_id, "user_id": caller.user_id}).one_or_none()
    if task is None:
        raise TaskNotFound
    return task


def list_tasks(caller: Caller, seen: Seen, query: Body) -> Page:
    project_ids = [project_id for project_id, _, _ in seen]
    if "project_id" in query:
        if query["project_id"] not in project_ids:
            raise ProjectNotFound
        project_ids = [query["project_id"]]
    chosen = query.get("fields")
    columns = [column for column in COLUMNS if not chosen or column.name in chosen]
    return task_query.page(columns, project_ids, {**query, "me": caller.user_id})


def create_task(caller: Caller, body: Body) -> Row:
    project_id = body.get("project_id") or access.inbox_of(caller.user_id)
    turn = access.take_turn(caller, project_id)
    _check_people_and_parent(caller, turn, None, body)
    values = {**DEFAULTS, **body, "project_id": project_id, "created_by": caller.user_id}
    values |= _derived(values, values, turn)
    inserted = sa.insert(TASKS).values(**values, created_at=values["updated_at"])
    task = _unique(inserted.returning(*COLUMNS)).one()
    _label(task.id, task.labels)
    access.record(turn, "created", [task.id], **{name: [None, body[name]] for name in body})
    db.session.commit()
    return task


def update_task(caller: Caller, task_id: int, body: Body, expect: Expect) -> Row:
    """Change the fields that are sent; sent as they are already, they change nothing at all."""
    task, source, target = _open(caller, task_id, body.get("project_id"))
    expect(task)
    _check_people_and_parent(caller, target, task_id, body)
    if source != target:
        body = {**_left_behind(task, target), **body}
    if "labels" in body:
        body["labels"] = _sorted_labels(body["labels"])
    changed = changes(task, body)
    if not changed:
        db.session.rollback()
        return task
    new = {name: value for name, (_, value) in changed.items()}
    new |= _derived(new, {**task._mapping, **new}, target)
    written = sa.update(TASKS).where(Task.id == task_id).values(new)
    task = _unique(written.returning(*COLUMNS)).one()
    if "labels" in changed:
        db.session.execute(sa.delete(LABELS).where(TaskLabel.task_id == task_id))
        _label(task_id, task.labels)
    if source != target:
        _move_children(task_id, source, target)
    access.record(target, "updated", [task_id], **changed)
    db.session.commit()
    return task


def delete_task(caller: Caller, task_id: int, expect: Expect) -> None:
    task, turn, _ = _open(caller, task_id)
    expect(task)
    access.record(turn, "deleted", [task_id, *_descendants(task_id)])
    db.session.execute(sa.delete(TASKS).where(Task.id == task_id))  # its children by cascade
    db.session.commit()


def bury_tasks_of(turn: Turn) -> None:
    """Leave a tombstone for every task of a project that is about to be deleted."""
    task_ids = db.session.scalars(sa.select(Task.id).where(Task.project_id == turn.project_id))
    access.record(turn, "deleted", task_ids)


def unassign(turn: Turn, user_id: int) -> None:
    """Clear a leaving member from the project's tasks."""
    cleared = db.session.scalars(
        sa.update(TASKS)
        .where(Task.project_id == turn.project_id, Task.assignee_id == user_id)
        .values(assignee_id=None, revision=turn.revision, updated_at=now())
        .returning(TASKS.c.id)
    )
    access.record(turn, "updated", cleared.all(), assignee_id=[user_id, None])


def _open(caller: Caller, task_id: int, target_id: int | None = None) -> tuple[Row, Turn, Turn]:
    """The task, locked, with its project's turn and that of the project it shall be in.

    Projects are locked in the order of their ids, so that two moves cannot wait for each other;
    a task that moved away before the lock was won is looked for again.
    """
    while True:
        source_id = get_task(caller, task_id).project_id
        both = sorted({source_id, target_id or source_id})
        turns = {project_id: access.take_turn(caller, project_id) for project_id in both}
        here = sa.select(*COLUMNS).where(Task.id == task_id, Task.project_id == source_id)
        task = db.session.execute(here).one_or_none()
        if task is not None:
            return task, turns[source_id], turns[target_id or source_id]
        db.session.rollback()


def _check_people_and_parent(caller: Caller, turn: Turn, task_id: int | None, body: Body) -> None:
    assignee_id, parent_id = body.get("assignee_id"), body.get("parent_id")
    if assignee_id is not None and access.role_in(turn.project_id, assignee_id) is None:
        raise AssigneeNotFound(errors=[{"pointer": "/assignee_id", "detail": "No member."}])
    if parent_id is None:
        return
    visible = Task.project_id.in_(access.visible_to(caller.user_id))
    home = db.session.scalar(sa.select(Task.project_id).where(Task.id == parent_id, visible))
    if home is None:
        raise ParentNotFound(errors=[{"pointer": "/parent_id", "detail": "No such task."}])
    if home != turn.project_id:
        raise Invalid.field("parent_id", "The parent must be in the same project.")
    if task_id is not None and parent_id in {task_id, *_descendants(task_id)}:
        raise Invalid.field("parent_id", "A task cannot be below itself.")


def _descendants(task_id: int) -> list[int]:
    below = sa.select(Task.id).where(Task.parent_id == task_id).cte(recursive=True)
    below = below.union(sa.select(Task.id).join(below, Task.parent_id == below.c.id))
    return list(db.session.scalars(sa.select(below.c.id)))


def _derived(new: Body, whole: Body, turn: Turn) -> Body:
    """The columns that follow from new values, and from the whole that they make."""
    derived: Body = {"revision": turn.revision, "updated_at": now()}
    if "labels" in new:
        derived["labels"] = _sorted_labels(new["labels"])
    if "status" in new:
        derived["completed_at"] = derived["updated_at"] if new["status"] == "done" else None
    if new.keys() & {"title", "description"}:
        derived["words"] = task_query.words(whole["title"], whole["description"])
    return derived


def _unique(statement: Any) -> sa.Result[Any]:
    try:
        return db.session.execute(statement)
    except IntegrityError as error:
        raise Conflict("A task of this project has this external_id already.") from error


def _sorted_labels(names: Iterable[str]) -> list[str]:
    """Compared without case: the first spelling of each stays."""
    by_key: dict[str, str] = {}
    for name in names:
        by_key.setdefault(name.casefold(), name)
    return [by_key[key] for key in sorted(by_key)]


def _label(task_id: int, names: list[str]) -> None:
    rows = [{"task_id": task_id, "key": name.casefold(), "name": name} for name in names]
    if rows:
        db.session.execute(sa.insert(LABELS), rows)


def _left_behind(task: Row, target: Turn) -> Body:
    """What a moving task loses unless the client says otherwise: its parent, a foreign assignee."""
    stays = task.assignee_id and access.role_in(target.project_id, task.assignee_id)
    return {"parent_id": None} | ({} if stays else {"assignee_id": None})


def _move_children(task_id: int, source: Turn, target: Turn) -> None:
    """Children go with their parent; assignees who are no members there are cleared."""
    below, moved = _descendants(task_id), [source.project_id, target.project_id]
    assignee, members = TASKS.c.assignee_id, access.members_of(target.project_id)
    values: Body = {
        "project_id": target.project_id,
        "revision": target.revision,
        "updated_at": now(),
    }
    values["assignee_id"] = sa.case((assignee.in_(members), assignee))
    _unique(sa.update(TASKS).where(TASKS.c.id.in_(below)).values(values))
    access.record(source, "moved", [task_id, *below], project_id=moved)
    access.record(target, "moved", below, project_id=moved)
