"""Fold the text of tasks that older code has written, in pieces so short that writers go on."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from taskapp.tasks import search
from taskapp.tasks.models import TASK, TASKS

ROWS = 500  # in a transaction: some hundredths of a second
_WRITTEN_BEFORE = TASK.title_key == ""
_IS_LATER = TASK.id > sa.bindparam("after")
_TEXTS = sa.select(TASK.id, TASK.title, TASK.description)
_PIECE = _TEXTS.where(_IS_LATER).order_by(TASK.id).limit(ROWS)
# A row that was changed meanwhile is left for the next call: its text is not what was read.
_BY_ID = TASK.id == sa.bindparam("task_id")
_SAME_TITLE = TASK.title == sa.bindparam("old_title")
_SAME_DESCRIPTION = TASK.description == sa.bindparam("old_description")
_REFOLD = sa.update(TASKS).where(_BY_ID, _SAME_TITLE, _SAME_DESCRIPTION)


def refold(connection: sa.Connection, those: sa.ColumnElement[bool] = _WRITTEN_BEFORE) -> int:
    """Fold those tasks anew, all that older code has written by default; returns how many.

    Each piece is a transaction of its own, so after an interruption the next call goes on there.
    """
    total = 0
    for piece in _pieces(connection, those):
        in_ascii = [_with_key(task) for task in piece if _is_ascii(task)]
        others = [_folded(task) for task in piece if not _is_ascii(task)]
        with connection.begin():
            for rows in filter(None, (in_ascii, others)):
                connection.execute(_REFOLD, rows)
        total += len(piece)
    return total


def _pieces(connection: sa.Connection, those: sa.ColumnElement[bool]) -> Iterator[list[Any]]:
    last_id = 0
    chosen = _PIECE.where(those)
    while True:
        with connection.begin():
            piece = connection.execute(chosen, {"after": last_id}).all()
        if not piece:
            return
        yield [*piece]
        last_id = piece[-1].id


def _is_ascii(task: Any) -> bool:
    text: str = task.title + task.description
    return text.isascii()


def _with_key(task: Any) -> dict[str, Any]:
    """For a task in ASCII, whose words are right: only the key that it sorts by."""
    row = _folded(task)
    del row["words"]
    del row["folded"]
    return row


def _folded(task: Any) -> dict[str, Any]:
    return {
        "task_id": task.id,
        "old_title": task.title,
        "old_description": task.description,
        **search.index(task.title, task.description),
    }
