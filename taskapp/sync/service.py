"""What changed since a cursor, exactly: the tasks to show, and the ids that are out of sight.

Everything is bounded by revisions that were read in one statement, so whatever is written
meanwhile comes with the next answer.
"""

import datetime as dt
from typing import Any, NamedTuple, Self

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.session import Body, Row, now, read
from taskapp.errors import CursorExpired
from taskapp.extensions import settings
from taskapp.ledger import access, events
from taskapp.tasks.models import COLUMNS, TASKS
from taskapp.tasks.query import chunks
from taskapp.web.fields import INT64

Revisions = dict[int, int]  # {project id: its revision}


class Position(NamedTuple):
    """Everything of a project up to this task of this revision was shown."""

    revision: int
    task_id: int


BEGINNING = Position(0, 0)
Positions = dict[int, Position]  # by project id


class Cursor(NamedTuple):
    """How far a client had read, when the last answer was made."""

    at: float  # seconds since the epoch
    revisions: Revisions  # of the projects that it saw: deletions were told up to there
    unfinished: Positions  # of the projects whose tasks that answer had no room for

    @classmethod
    def load(cls, key: list[Any] | None) -> Self:
        """The cursor that `dump` made; none is that of a client which knows nothing."""
        if key is None:
            return cls(now().timestamp(), {}, {})
        at, revisions, unfinished = key
        positions: Positions = {}
        for project_id, revision, task_id in unfinished:
            positions[project_id] = Position(revision, task_id)
        return cls(at, dict(revisions), positions)

    def dump(self) -> list[Any]:
        """The cursor as JSON, whose objects have no numbers for keys."""
        unfinished = []
        for project_id, position in self.unfinished.items():
            unfinished.append([project_id, *position])
        revisions = list(self.revisions.items())
        return [self.at, revisions, unfinished]

    def position(self, project_id: int) -> Position:
        """How far the tasks of a project were shown."""
        if project_id in self.unfinished:
            return self.unfinished[project_id]
        if project_id in self.revisions:
            return _end_of(self.revisions[project_id])
        return BEGINNING

    def is_older_than(self, days: int) -> bool:
        """Whether events that it would need may be gone."""
        seconds = now().timestamp() - self.at
        return dt.timedelta(seconds=seconds).days >= days


class Changes(NamedTuple):
    """One page of changes; `next_key` is where the next one starts, also when there is no more."""

    tasks: list[Row]
    deleted: list[int]
    has_more: bool
    next_key: list[Any]


def list_changes(caller: Caller, query: Body) -> Changes:
    """One page of what changed since the cursor; without a cursor, of all that there is.

    Raises:
        CursorExpired: Events that it needs may be purged, or a backup was restored since.
    """
    cursor = Cursor.load(query.get("cursor"))
    if cursor.is_older_than(settings().changes_retention_days):
        raise CursorExpired
    seen = access.seen_by(caller, cursor.revisions)
    revisions: Revisions = {}
    for project_id, revision, _ in seen:
        revisions[project_id] = revision
    tasks, unfinished = _tasks_past(cursor, revisions, query["limit"])
    shown = {task.id for task in tasks}
    deleted = _out_of_sight(cursor.revisions, revisions) - shown
    next_cursor = Cursor(_this_hour(), revisions, unfinished)
    return Changes(tasks, sorted(deleted), bool(unfinished), next_cursor.dump())


def _this_hour() -> float:
    """When the hour began: the cursor of an idle poll, and so its ETag, stays that long."""
    return now().replace(minute=0, second=0, microsecond=0).timestamp()


def _end_of(revision: int) -> Position:
    return Position(revision, INT64)


def _tasks_past(cursor: Cursor, revisions: Revisions, limit: int) -> tuple[list[Row], Positions]:
    """Tasks past the cursor, project by project, and the positions of projects with more."""
    tasks: list[Row] = []
    unfinished: Positions = {}
    for project_id, revision in revisions.items():
        position = cursor.position(project_id)
        if position == _end_of(revision):
            continue
        if unfinished:  # no room for any of this project: it is not even looked at
            unfinished[project_id] = position
            continue
        room = limit - len(tasks)
        rows = _past(project_id, position, revision, room + 1)
        tasks += rows[:room]
        if len(rows) > room:
            last = Position(tasks[-1].revision, tasks[-1].id) if room else position
            unfinished[project_id] = last
    return tasks, unfinished


def _past(project_id: int, position: Position, until: int, limit: int) -> list[Row]:
    in_project = sa.select(*COLUMNS).where(TASKS.c.project_id == project_id)
    bounded = in_project.where(TASKS.c.revision.between(position.revision, until))
    is_past = sa.or_(TASKS.c.revision > position.revision, TASKS.c.id > position.task_id)
    past = bounded.where(is_past)
    ordered = past.order_by(TASKS.c.revision, TASKS.c.id)
    return list(read(ordered.limit(limit)))


def _out_of_sight(before: Revisions, after: Revisions) -> set[int]:
    """The ids of the tasks that the caller saw at the old revisions and not at the new ones."""
    gone: set[int] = set()
    for project_id, revision in before.items():
        if after.get(project_id) != revision:
            gone |= _left(project_id, revision, after.get(project_id))
    return gone - _in_sight(sorted(gone), after)


def _left(project_id: int, since: int, until: int | None) -> set[int]:
    """The tasks that were in a project, and are out of sight; all, if it is itself (None).

    Raises:
        CursorExpired: A backup of the project was restored since.
    """
    still_there: set[int] = set()
    if until is None:  # read before the events, so that none falls in between
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
    """Those of the tasks that the caller sees, at these revisions."""
    visible: set[int] = set()
    for ids in chunks(task_ids):
        places = sa.select(TASKS.c.id, TASKS.c.project_id, TASKS.c.revision)
        tasks = read(places.where(TASKS.c.id.in_(ids)))
        for task in tasks:
            if task.revision <= revisions.get(task.project_id, -1):
                visible.add(task.id)
    return visible
