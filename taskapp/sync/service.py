"""What changed since a cursor: the tasks to show, and the ids of those no longer visible.

All of an answer is bounded by revisions that were read in one statement; what is written after
that comes with the next answer. So nothing is missed.
"""

import datetime as dt
from functools import cache
from typing import Any, NamedTuple, Self

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import MAX_TEXT, MOST, Page, Rows, bounded, cut
from taskapp.database.session import Body, now, read
from taskapp.errors import CursorExpired
from taskapp.extensions import db, settings
from taskapp.ledger import access, events
from taskapp.tasks.models import COLUMNS, TASKS
from taskapp.tasks.query import chunks
from taskapp.web.fields import INT64

Revisions = dict[int, int]  # {project id: its revision}


class Position(NamedTuple):
    """How far a project was shown: up to this task of this revision."""

    revision: int
    task_id: int


BEGINNING = Position(0, 0)
Positions = dict[int, Position]  # by project id


class Cursor(NamedTuple):
    """How far a client has read: the state at its last answer."""

    at: float  # seconds since the epoch
    revisions: Revisions  # of each visible project: deletions were reported up to there
    unfinished: Positions  # in the projects whose tasks did not fit into that answer

    @classmethod
    def load(cls, key: list[Any] | None) -> Self:
        """The cursor that `dump` returned; without one, that of a client that has read nothing."""
        if key is None:
            return cls(now().timestamp(), {}, {})
        at, revisions, unfinished = key
        positions: Positions = {}
        for project_id, revision, task_id in unfinished:
            positions[project_id] = Position(revision, task_id)
        return cls(at, dict(revisions), positions)

    def dump(self) -> list[Any]:
        """The cursor as lists, since the keys of JSON objects cannot be numbers."""
        unfinished = []
        for project_id, position in self.unfinished.items():
            unfinished.append([project_id, *position])
        revisions = list(self.revisions.items())
        return [self.at, revisions, unfinished]

    def position(self, project_id: int) -> Position:
        """How far the tasks of a project have been shown."""
        if project_id in self.unfinished:
            return self.unfinished[project_id]
        if project_id in self.revisions:
            return _end_of(self.revisions[project_id])
        return BEGINNING

    def is_older_than(self, days: int) -> bool:
        """Whether events that it needs may have been purged."""
        seconds = now().timestamp() - self.at
        return dt.timedelta(seconds=seconds).days >= days


class Changes(NamedTuple):
    """One page of changes; `next_key` is where the next page starts, even if it is empty."""

    tasks: list[Body]
    deleted: list[int]
    has_more: bool
    next_key: list[Any]


def list_changes(caller: Caller, query: Body) -> Changes:
    """One page of what changed since the cursor; without a cursor, of all visible tasks.

    Raises:
        CursorExpired: Events that it needs may be purged, or a backup was restored.
    """
    cursor = Cursor.load(query.get("cursor"))
    if cursor.is_older_than(settings().changes_retention_days):
        raise CursorExpired
    seen = access.seen_by(caller, cursor.revisions)
    revisions: Revisions = {}
    for project_id, revision, _ in seen:
        revisions[project_id] = revision
    tasks, unfinished = _tasks_past(cursor, revisions, query["limit"])
    shown = {task["id"] for task in tasks}
    deleted = _out_of_sight(cursor.revisions, revisions) - shown
    next_cursor = Cursor(_this_hour(), revisions, unfinished)
    return Changes(tasks, sorted(deleted), bool(unfinished), next_cursor.dump())


def _this_hour() -> float:
    """When this hour began, so that the cursor and the ETag of an idle poll stay for an hour."""
    return now().replace(minute=0, second=0, microsecond=0).timestamp()


def _end_of(revision: int) -> Position:
    return Position(revision, INT64)


def _tasks_past(cursor: Cursor, revisions: Revisions, limit: int) -> tuple[list[Body], Positions]:
    """Tasks after the cursor, by project, and the positions in projects that have more."""
    tasks: list[Body] = []
    unfinished: Positions = {}
    most_text = MAX_TEXT
    for project_id, revision in revisions.items():
        position = cursor.position(project_id)
        if position == _end_of(revision):
            continue
        if unfinished:  # no room for any task of this project
            unfinished[project_id] = position
            continue
        room = limit - len(tasks)
        page = _page_past(project_id, position, revision, room, most_text)
        tasks += page.items
        most_text -= sum(len(task["description"].encode()) for task in page.items)
        if page.next_key is not None:
            unfinished[project_id] = Position(*page.next_key) if page.items else position
    return tasks, unfinished


def _page_past(project_id: int, position: Position, until: int, limit: int, most_text: int) -> Page:
    values = {"project": project_id, "until": until}
    values.update(after=position.revision, after_id=position.task_id)
    statement = _past(db.engine.dialect.name)
    return cut(statement, limit, ["revision", "id"], values, len(COLUMNS), most_text=most_text)


@cache
def _past(dialect: str) -> Rows:
    after: sa.BindParameter[int] = sa.bindparam("after")
    in_project = TASKS.c.project_id == sa.bindparam("project")
    within = TASKS.c.revision.between(after, sa.bindparam("until"))
    is_past = sa.or_(TASKS.c.revision > after, TASKS.c.id > sa.bindparam("after_id"))
    past = sa.select(*COLUMNS).where(in_project, within, is_past)
    ordered = past.order_by(*_in_order(TASKS.c)).limit(MOST)
    return bounded(ordered, "description", _in_order, dialect)


def _in_order(columns: Any) -> list[sa.ColumnElement[Any]]:
    return [columns.revision, columns.id]


def _out_of_sight(before: Revisions, after: Revisions) -> set[int]:
    """The ids of the tasks that were visible at the old revisions and are not at the new ones."""
    gone: set[int] = set()
    for project_id, revision in before.items():
        if after.get(project_id) != revision:
            gone |= _left(project_id, revision, after.get(project_id))
    return gone - _in_sight(sorted(gone), after)


def _left(project_id: int, since: int, until: int | None) -> set[int]:
    """The tasks that have left a project; if it is no longer visible (`until` is None), all.

    Raises:
        CursorExpired: The project was restored from a backup.
    """
    still_there: set[int] = set()
    if until is None:  # read before the events, so that no task is missed in between
        in_project = sa.select(TASKS.c.id).where(TASKS.c.project_id == project_id)
        still_there.update(read(in_project).scalars())
    first_kinds: dict[int | None, str] = {}
    end = INT64 if until is None else until
    for task_id, kind in events.crossings(project_id, since, end):
        first_kinds.setdefault(task_id, kind)
    if None in first_kinds:
        raise CursorExpired
    left = still_there - first_kinds.keys()
    for first_task, kind in first_kinds.items():
        if first_task is not None and kind in events.LEAVES:
            left.add(first_task)
    return left


def _in_sight(task_ids: list[int], revisions: Revisions) -> set[int]:
    """Those of the tasks that are visible at these revisions."""
    visible: set[int] = set()
    for ids in chunks(task_ids):
        places = sa.select(TASKS.c.id, TASKS.c.project_id, TASKS.c.revision)
        tasks = read(places.where(TASKS.c.id.in_(ids)))
        for task in tasks:
            if task.revision <= revisions.get(task.project_id, -1):
                visible.add(task.id)
    return visible
