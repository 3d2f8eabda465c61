"""Short writes: a plain create or update in one statement of PostgreSQL, which commits by itself.

Lock, compare, advance, record are the parts of one WITH, each of which works on what the one before
returns. The lock tells the project and the role as they are once it is held, as in `revisions.py`,
so a statement that waited goes on. Where it writes nothing, or a body asks for more than the
columns of its own task, the answer is None, and the plain way does it or says why not.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.encoding import moment_of
from taskapp.database.hot import Hot, is_hot
from taskapp.database.quotas import TASKS_OF_PROJECT
from taskapp.database.session import Body, Precondition, Row, changed_fields, in_transaction, reads
from taskapp.errors import NotFound, StaleRevision
from taskapp.ledger import revisions
from taskapp.ledger.access import EDIT, EVENTS, MEMBERSHIPS, PROJECTS, USER_ID
from taskapp.tasks.access import TASK_ID, VISIBLE_TASK, visible_task
from taskapp.tasks.models import TASK, TASKS
from taskapp.tasks.rows import BLANK, computed, faults, new_values
from taskapp.tasks.writes import from_nothing
from taskapp.web import metrics

CHANGEABLE = {"title", "description", "status", "priority", "due_at", "due_on"}
SENT = CHANGEABLE | {"project_id"}
_EDITABLE = revisions.LOCKED.where(MEMBERSHIPS.c.role.in_(EDIT))
_HAS_ROOM = PROJECTS.c.task_count < sa.bindparam("most")
_WRITTEN = (TASK.id, TASK.project_id, TASK.revision)
_OF_NEW, _OF_CHANGED = ("id", "project_id", "revision"), ("revision",)  # what nobody knows before
_AT = sa.bindparam("at", type_=EVENTS.c.at.type)
# What short writes know without a parameter of its own: each costs the driver time.
_SAME: dict[str, sa.BindParameter[Any]] = {
    "created_by": USER_ID,
    "created_at": _AT,
    "updated_at": _AT,
    "reminders": sa.literal([], TASK.reminders.type),
    "labels": sa.literal([], TASK.labels.type),
}
_EVENT_NAMES = ("project_id", "revision", "task_id", "user_id", "kind", "changes", "at")


def create(caller: Caller, body: Body) -> Row | None:
    """Create a task; None leaves it to the plain way, and nothing is written."""
    if not body.keys() <= SENT or any(faults({}, body)) or not _is_possible():
        return None
    project_id = body.get("project_id")
    values = new_values({**BLANK, **body, "created_by": caller.user_id})
    values.pop("project_id", None)
    present = {name: value for name, value in values.items() if value is not None}
    statement = _create(_own(present), project_id is None)
    parameters = _parameters(caller, present, from_nothing(body))
    parameters["most"] = TASKS_OF_PROJECT.most
    if project_id is not None:
        parameters["in_id"] = project_id
    return _written(statement, parameters, values)


def update(caller: Caller, task_id: int, body: Body, precondition: Precondition) -> Row | None:
    """Change a task; None leaves it to the plain way, and nothing is written.

    The task is read without a lock, and written if it is still the same once the lock is held.
    """
    if not body.keys() <= CHANGEABLE or not _is_possible():
        return None
    try:
        before = visible_task(caller, task_id)
        precondition(before)
    except (NotFound, StaleRevision):
        return None
    changes = changed_fields(before, body)
    known = VISIBLE_TASK.values_of(before)
    if not changes or not _is_plain(known, body):
        return None
    new = {name: value for name, (_, value) in changes.items()}
    values = computed(new, known)
    parameters = _parameters(caller, values, changes)
    parameters.update(in_id=before.project_id, task_id=task_id, seen=before.revision)
    return _written(_update(_own(values)), parameters, known | values)


def _is_possible() -> bool:
    """Whether this is PostgreSQL, and no transaction has begun that this would have to be in."""
    connection = reads()
    if connection.dialect.name != "postgresql" or not is_hot(connection):
        return False
    return not in_transaction()


def _is_plain(before: Body, body: Body) -> bool:
    """Whether nothing follows from the change: no next occurrence, no other reminders."""
    if before["repeat"] is not None or before["reminders"]:
        return False
    return not any(faults(before, body))


def _parameters(caller: Caller, values: Body, changes: Body) -> Body:
    """Values of columns have another name than these: SQLAlchemy keeps those for itself.

    The moment goes as text, since the driver takes three times as long for a time.
    """
    parameters = {f"new_{name}": value for name, value in values.items() if name not in _SAME}
    at = moment_of(values["updated_at"])
    parameters.update(user_id=caller.user_id, changes=changes, at=at)
    return parameters


def _own(values: Body) -> tuple[str, ...]:
    """The columns that have a parameter of their own."""
    return tuple(sorted(values.keys() - _SAME.keys()))


def _written(statement: "ShortWrite", parameters: Body, task: Body) -> Row | None:
    """The task as it is now: but for what the statement returns, everything of it is known."""
    rows = statement.tuples(parameters)
    if not rows:
        return None
    task.update(statement.values_of(rows[0]))
    metrics.count_event(*revisions.counted(statement.kind, task["id"], parameters["changes"]))
    return VISIBLE_TASK.row(task)


class ShortWrite(Hot):
    """What writes a task, with the project's revision and the event.

    It returns what of the task nobody knows before: each column costs the driver time.
    """

    def __init__(self, kind: str, task: sa.CTE, unknown: Iterable[str], tasks: int) -> None:
        self.kind = kind
        count = PROJECTS.c.task_count + tasks
        advance = sa.update(PROJECTS).where(PROJECTS.c.id == task.c.project_id)
        advance = advance.values(revision=task.c.revision, task_count=count)
        record = sa.insert(EVENTS).from_select(_EVENT_NAMES, _event(kind, task))
        parts = (advance.cte("advanced"), record.cte("recorded"))
        returned = [task.c[name] for name in unknown]
        super().__init__(sa.select(*returned).add_cte(*parts))


def _event(kind: str, task: sa.CTE) -> sa.Select[Any]:
    changes = sa.bindparam("changes", type_=EVENTS.c.changes.type)
    of_task = (task.c.project_id, task.c.revision, task.c.id)
    return sa.select(*of_task, USER_ID, sa.literal(kind), changes, _AT)


@lru_cache(64)
def _create(names: tuple[str, ...], in_inbox: bool) -> ShortWrite:
    which = revisions.IS_INBOX if in_inbox else revisions.IS_THIS
    locked = _EDITABLE.where(which, _HAS_ROOM).cte("locked")
    new = {**_SAME, **_new(names)}
    row = sa.select(locked.c.id, locked.c.revision + 1, *new.values())
    insert = sa.insert(TASKS).from_select(["project_id", "revision", *new], row)
    return ShortWrite("created", insert.returning(*_WRITTEN).cte("task"), _OF_NEW, 1)


@lru_cache(64)
def _update(names: tuple[str, ...]) -> ShortWrite:
    locked = _EDITABLE.where(revisions.IS_THIS).cte("locked")
    is_there = sa.and_(TASK.id == TASK_ID, TASK.project_id == locked.c.id)
    is_same = TASK.revision == sa.bindparam("seen")
    change = sa.update(TASKS).where(is_there, is_same)
    new = {"revision": locked.c.revision + 1, "updated_at": _AT, **_new(names)}
    change = change.values(new)
    return ShortWrite("updated", change.returning(*_WRITTEN).cte("task"), _OF_CHANGED, 0)


def _new(names: tuple[str, ...]) -> Mapping[str, sa.BindParameter[Any]]:
    """A parameter for each column."""
    return {name: sa.bindparam(f"new_{name}", type_=TASK[name].type) for name in names}
