"""Find tasks that would be below themselves, for many new parents at once."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from taskapp.extensions import db
from taskapp.tasks.models import TASK
from taskapp.tasks.query import chunks


def find(parents: dict[int, int]) -> set[int]:
    """The tasks of a circle that new parents would close; empty if there is none.

    `parents` are the new ones, by task id; their ancestors are read from the database.
    """
    above = set(parents.values()) - parents.keys()
    for chunk in chunks(list(above)):
        parents.update(_ancestry(chunk))
    checked: set[int] = set()
    for start in parents:
        path: set[int] = set()
        task_id = start
        while task_id in parents and task_id not in checked:
            if task_id in path:
                return _around(parents, task_id)
            path.add(task_id)
            task_id = parents[task_id]
        checked |= path
    return set()


def _ancestry(task_ids: Sequence[int]) -> dict[int, int]:
    """The parents of these tasks, and of those above them, by task id."""
    has_parent = TASK.parent_id.is_not(None)
    edges = sa.select(TASK.id, TASK.parent_id).where(has_parent)
    first = edges.where(TASK.id.in_(task_ids))
    reached = first.cte(recursive=True)
    next_above = edges.join(reached, TASK.id == reached.c.parent_id)
    reached = reached.union(next_above)  # each once, so that circles end
    return {row.id: row.parent_id for row in db.session.execute(sa.select(reached))}


def _around(parents: Mapping[int, int], start: int) -> set[int]:
    circle = {start}
    task_id = parents[start]
    while task_id != start:
        circle.add(task_id)
        task_id = parents[task_id]
    return circle
