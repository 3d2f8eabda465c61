"""What can be done with tasks; each write is one commit, under its project's next revision.

Read it beside taskapp/tasks/service.py and rows.py: the rules are the same. What differs is an
`await` at each statement, the session handed from function to function, and that everything read
before an `await` may be old after it.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from lab.twin.auth.guard import Caller
from lab.twin.conditional import Expect
from lab.twin.database import Body, Row, now, table
from lab.twin.errors import Conflict, Invalid, NotFound
from lab.twin.projects import access
from lab.twin.projects.access import ProjectNotFound, Seen, Turn
from lab.twin.tasks import query as task_query
from lab.twin.tasks.models import Task, TaskLabel
from lab.twin.tasks.query import COLUMNS, Page

TASKS, LABELS = table(Task), table(TaskLabel)
DEFAULTS: Body = {"description": "", "status": "todo", "priority": "none", "labels": []}


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


async def get_task(db: AsyncConnection | AsyncSession, caller: Caller, task_id: int) -> Row:
    found = await db.execute(_VISIBLE, {"task_id": task_id, "user_id": caller.user_id})
    task = found.one_or_none()
    if task is None:
        raise TaskNotFound
    return task


async def list_tasks(db: AsyncConnection, caller: Caller, seen: Seen, query: Body) -> Page:
    project_ids = [project_id for project_id, _, _ in seen]
    if "project_id" in query:
        if query["project_id"] not in project_ids:
            raise ProjectNotFound
        project_ids = [query["project_id"]]
    return await task_query.page(db, project_ids, {**query, "me": caller.user_id})


async def create_task(db: AsyncSession, caller: Caller, body: Body) -> Row:
    project_id = body.get("project_id") or await access.inbox_of(db, caller.user_id)
    turn = await access.take_turn(db, caller, project_id)
    await _check_people_and_parent(db, caller, turn, None, body)
    values = {**DEFAULTS, **body, "project_id": project_id, "created_by": caller.user_id}
    values |= _derived(values, values, turn)
    inserted = sa.insert(TASKS).values(**values, created_at=values["updated_at"])
    task = (await _unique(db, inserted.returning(*COLUMNS))).one()
    await _label(db, task.id, task.labels)
    new = {name: [None, value] for name, value in body.items()}
    await access.record(db, turn, "created", [task.id], **new)
    await db.commit()
    return task


async def update_task(
    db: AsyncSession, caller: Caller, task_id: int, body: Body, expect: Expect
) -> Row:
    """Change the fields that are sent; sent as they are already, they change nothing at all."""
    task, source, target = await _open(db, caller, task_id, body.get("project_id"))
    expect(task)
    await _check_people_and_parent(db, caller, target, task_id, body)
    if source != target:
        body = {**await _left_behind(db, task, target), **body}
    changed = _changes(task, body)
    if not changed:
        await db.rollback()
        return task
    new = {name: value for name, (_, value) in changed.items()}
    new |= _derived(new, {**task._mapping, **new}, target)
    written = sa.update(TASKS).where(Task.id == task_id).values(new)
    task = (await _unique(db, written.returning(*COLUMNS))).one()
    if "labels" in changed:
        await db.execute(sa.delete(LABELS).where(TaskLabel.task_id == task_id))
        await _label(db, task_id, task.labels)
    if source != target:
        await _move_children(db, task_id, source, target)
    kind = "updated" if source == target else "moved"
    await access.record(db, target, kind, [task_id], **changed)
    await db.commit()
    return task


async def delete_task(db: AsyncSession, caller: Caller, task_id: int, expect: Expect) -> None:
    task, turn, _ = await _open(db, caller, task_id)
    expect(task)
    below = await _descendants(db, task_id)
    await access.record(db, turn, "deleted", [task_id, *below])
    await db.execute(sa.delete(TASKS).where(Task.id == task_id))  # its children by cascade
    await db.commit()


async def _open(
    db: AsyncSession, caller: Caller, task_id: int, target_id: int | None = None
) -> tuple[Row, Turn, Turn]:
    """The task, locked, with its project's turn and that of the project it shall be in.

    Projects are locked in the order of their ids, so that two moves cannot wait for each other;
    a task that moved away before the lock was won is looked for again.
    """
    while True:
        source_id = (await get_task(db, caller, task_id)).project_id
        both = sorted({source_id, target_id or source_id})
        turns = {each: await access.take_turn(db, caller, each) for each in both}
        here = sa.select(*COLUMNS).where(Task.id == task_id, Task.project_id == source_id)
        task = (await db.execute(here)).one_or_none()
        if task is not None:
            return task, turns[source_id], turns[target_id or source_id]
        await db.rollback()


async def _check_people_and_parent(
    db: AsyncSession, caller: Caller, turn: Turn, task_id: int | None, body: Body
) -> None:
    assignee_id, parent_id = body.get("assignee_id"), body.get("parent_id")
    if assignee_id is not None and await access.role_in(db, turn.project_id, assignee_id) is None:
        raise AssigneeNotFound(errors=[{"pointer": "/assignee_id", "detail": "No member."}])
    if parent_id is None:
        return
    visible = Task.project_id.in_(access.visible_to(caller.user_id))
    home = await db.scalar(sa.select(Task.project_id).where(Task.id == parent_id, visible))
    if home is None:
        raise ParentNotFound(errors=[{"pointer": "/parent_id", "detail": "No such task."}])
    if home != turn.project_id:
        raise Invalid.field("parent_id", "The parent must be in the same project.")
    if task_id is not None and parent_id in {task_id, *await _descendants(db, task_id)}:
        raise Invalid.field("parent_id", "A task cannot be below itself.")


async def _descendants(db: AsyncSession, task_id: int) -> list[int]:
    below = sa.select(Task.id).where(Task.parent_id == task_id).cte(recursive=True)
    below = below.union(sa.select(Task.id).join(below, Task.parent_id == below.c.id))
    return list(await db.scalars(sa.select(below.c.id)))


def _changes(row: Row, body: Body) -> dict[str, list[Any]]:
    old = row._mapping
    return {name: [old[name], new] for name, new in body.items() if old[name] != new}


def _derived(new: Body, whole: Body, turn: Turn) -> Body:
    """The columns that follow from new values, and from the whole that they make."""
    derived: Body = {"revision": turn.revision, "updated_at": now()}
    if "status" in new:
        derived["completed_at"] = derived["updated_at"] if new["status"] == "done" else None
    if "due_at" in new:
        derived["due"] = task_query.due(new["due_at"])
    if new.keys() & {"title", "description"}:
        derived["words"] = task_query.words(whole["title"], whole["description"])
    return derived


async def _unique(db: AsyncSession, statement: Any) -> sa.Result[Any]:
    try:
        result: sa.Result[Any] = await db.execute(statement)
    except IntegrityError as error:
        raise Conflict("A task of this project has this external_id already.") from error
    return result


async def _label(db: AsyncSession, task_id: int, names: list[str]) -> None:
    rows = [{"task_id": task_id, "key": name.casefold(), "name": name} for name in names]
    if rows:
        await db.execute(sa.insert(LABELS), rows)


async def _left_behind(db: AsyncSession, task: Row, target: Turn) -> Body:
    """What a moving task loses unless the client says otherwise: its parent, a foreign assignee."""
    stays = task.assignee_id and await access.role_in(db, target.project_id, task.assignee_id)
    return {"parent_id": None} | ({} if stays else {"assignee_id": None})


async def _move_children(db: AsyncSession, task_id: int, source: Turn, target: Turn) -> None:
    """Children go with their parent; assignees who are no members there are cleared."""
    below, moved = await _descendants(db, task_id), [source.project_id, target.project_id]
    assignee, members = TASKS.c.assignee_id, access.members_of(target.project_id)
    values: Body = {
        "project_id": target.project_id,
        "revision": target.revision,
        "updated_at": now(),
    }
    values["assignee_id"] = sa.case((assignee.in_(members), assignee))
    await _unique(db, sa.update(TASKS).where(TASKS.c.id.in_(below)).values(values))
    await access.record(db, source, "moved-away", [task_id, *below], project_id=moved)
    await access.record(db, target, "moved", below, project_id=moved)
