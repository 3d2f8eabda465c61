"""What changed since a cursor, exactly: the tasks to show, and the ids that are out of sight.

A cursor holds the revision of each project that the caller saw when the last answer was made, up
to which deletions were told, and how far the tasks of those projects were shown that an answer had
no room for. Everything is bounded by revisions that were read in one statement, so whatever is
written meanwhile comes with the next answer.
"""

import datetime as dt
from typing import Any, NamedTuple

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.session import Body, Row, now, read
from taskapp.errors import CursorExpired
from taskapp.extensions import settings
from taskapp.ledger import access, events
from taskapp.tasks.models import COLUMNS, Task
from taskapp.tasks.query import chunks
from taskapp.web.fields import INT64

Position = list[int]  # [revision, task id]: everything up to there was shown


class Changes(NamedTuple):
    """One page of changes; `next_key` is where the next one starts, also when there is no more."""

    tasks: list[Row]
    deleted: list[int]
    has_more: bool
    next_key: list[Any]


def list_changes(caller: Caller, query: Body) -> Changes:
    at, saw, shown = query.get("cursor") or (now().timestamp(), [], [])
    if dt.timedelta(seconds=now().timestamp() - at).days >= settings().changes_retention_days:
        raise CursorExpired
    seen = access.seen_by(caller, [project_id for project_id, _ in saw])
    sees = {project_id: revision for project_id, revision, _ in seen}
    before = {project_id: [revision, INT64] for project_id, revision in saw}
    before |= {project_id: position for project_id, *position in shown}
    positions = {project_id: before.get(project_id, [0, 0]) for project_id in sees}
    tasks, has_more = _show(sees, positions, query["limit"])
    deleted = _out_of_sight(dict(saw), sees) - {task.id for task in tasks}
    unfinished = [[p, *at] for p, at in positions.items() if at != [sees[p], INT64]]
    key = [now().timestamp(), list(sees.items()), unfinished]
    return Changes(tasks, sorted(deleted), has_more, key)


def _show(
    sees: dict[int, int], positions: dict[int, Position], room: int
) -> tuple[list[Row], bool]:
    """The tasks past these positions, project by project, and whether there are more.

    Moves the positions on.
    """
    tasks: list[Row] = []
    for project_id, revision in sees.items():
        if positions[project_id] != [revision, INT64]:
            found = _past(project_id, positions[project_id], revision, room + 1)
            tasks += found[:room]
            if len(found) > room:
                if room:
                    positions[project_id] = [tasks[-1].revision, tasks[-1].id]
                return tasks, True
            positions[project_id] = [revision, INT64]
            room -= len(found)
    return tasks, False


def _past(project_id: int, position: Position, until: int, limit: int) -> list[Row]:
    revision, task_id = position
    past = sa.or_(Task.revision > revision, Task.id > task_id)
    bounds = (Task.project_id == project_id, Task.revision.between(revision, until), past)
    chosen = sa.select(*COLUMNS).where(*bounds).order_by(Task.revision, Task.id)
    return list(read(chosen.limit(limit)))


def _out_of_sight(saw: dict[int, int], sees: dict[int, int]) -> set[int]:
    """The ids of the tasks that the caller saw at the old revisions and not at the new ones."""
    gone: set[int] = set()
    for project_id, revision in saw.items():
        if sees.get(project_id) == revision:
            continue
        here: set[int] = set()
        if project_id not in sees:  # read before the events, so that none falls in between
            here = set(read(sa.select(Task.id).where(Task.project_id == project_id)).scalars())
        crossings = events.crossings(project_id, revision, sees.get(project_id, INT64))
        first = dict(reversed(crossings))  # of each task the earliest
        if events.RESTORED in first.values():
            raise CursorExpired
        left = {task_id for task_id, kind in first.items() if kind in events.LEAVES}
        gone |= left | here - first.keys()
    return gone - _in_sight(sorted(gone), sees)


def _in_sight(task_ids: list[int], sees: dict[int, int]) -> set[int]:
    places = sa.select(Task.id, Task.project_id, Task.revision)
    found = (row for ids in chunks(task_ids) for row in read(places.where(Task.id.in_(ids))))
    return {task.id for task in found if task.revision <= sees.get(task.project_id, -1)}
