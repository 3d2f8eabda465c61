"""The task list's filters, sorts and search, as SQL: the twin of query.py.

Building a statement waits for nothing, so this file is taskapp's but for its last function.
"""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.asyncio import AsyncConnection

from lab.twin.database import Body, table
from lab.twin.tasks.models import Task, TaskLabel

WORD = re.compile(r"[^\W_]+")
MAX_WORD = 100  # code points; PostgreSQL refuses lexemes past 2 KB
OPEN = ("todo", "in_progress")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
HIDDEN = {"due", "words"}
COLUMNS = tuple(column for column in table(Task).columns if column.name not in HIDDEN)
SORTS: dict[str, Any] = {
    "id": Task.id,
    "title": Task.title,
    "status": Task.status,
    "priority": Task.priority,
    "due_at": Task.due,
    "created_at": Task.created_at,
    "updated_at": Task.updated_at,
}
TIMES = {"created_at", "updated_at"}
Filter = Callable[[Any, Body], sa.ColumnElement[bool]]


class Page(NamedTuple):
    """One page of a list; `next_key` is where the next one starts, or None at the end."""

    items: list[Any]
    next_key: list[Any] | None
    total: int | None


def words(*texts: str) -> list[str]:
    """The words of a text as search compares them: runs of letters and digits, without case."""
    return [word[:MAX_WORD] for text in texts for word in WORD.findall(text.casefold())]


def due(due_at: dt.datetime | None) -> int | None:
    """What a moment sorts by: microseconds, doubled, and one, so that a day comes first."""
    if due_at is None:
        return None
    return (due_at - EPOCH) // dt.timedelta(microseconds=1) * 2 + 1


def _label(names: str, _: Body) -> sa.ColumnElement[bool]:
    keys = (name.casefold() for name in names.split(","))
    tagged = (sa.select(TaskLabel.task_id).where(TaskLabel.key == key) for key in keys)
    return sa.and_(*(Task.id.in_(ids) for ids in tagged))


def _assignee(value: str, query: Body) -> sa.ColumnElement[bool]:
    if value == "none":
        return Task.assignee_id.is_(None)
    return Task.assignee_id == (query["me"] if value == "me" else int(value))


def _due(value: str, query: Body) -> sa.ColumnElement[bool]:
    if value == "none":
        return Task.due_at.is_(None)
    at: dt.datetime = query["at"]
    if value == "today":
        return sa.and_(Task.due_at >= at, Task.due_at < at + dt.timedelta(days=1))
    return sa.and_(Task.due_at < at, Task.status.in_(OPEN))


# Literally the expression that the service's migrations index.
IN_PROJECT: sa.ColumnElement[str] = sa.literal_column(
    "replace(' ' || tasks.words::text, ' ''', ' ''' || tasks.project_id || 'x')::tsvector"
)


def _search(text: str, query: Body) -> sa.ColumnElement[bool]:
    """Every word must be there, the last may be a beginning; signs are looked for literally."""
    parts = [part for part in text.split() if WORD.sub("", part)]
    signs = [(Task.title + "\n" + Task.description).icontains(p, autoescape=True) for p in parts]
    found = words(text)
    indexed = [_indexed(found, query)] if found else []
    return sa.and_(*indexed, *signs) if found or signs else sa.false()


def _indexed(found: list[str], query: Body) -> sa.ColumnElement[bool]:
    """Both databases index the words of each project: `12xwater` is "water" in project 12."""
    if query["dialect"] == "postgresql":
        terms = " | ".join(
            "(" + " & ".join(f"'{project}x{word}'" for word in found) + ":*)"
            for project in query["project_ids"]
        )
        return IN_PROJECT.op("@@")(sa.cast(terms, TSQUERY))
    terms = " OR ".join(
        "(" + " AND ".join(f'"{project}x{word}"' for word in found) + "*)"
        for project in query["project_ids"]
    )
    rows = sa.text("SELECT rowid FROM task_words WHERE task_words MATCH :terms")
    return Task.id.in_(rows.bindparams(terms=terms).columns(sa.column("rowid", sa.Integer)))


FILTERS: dict[str, Filter] = {
    "status": lambda names, _: Task.status.in_(names.split(",")),
    "priority": lambda names, _: Task.priority.in_(names.split(",")),
    "label": _label,
    "assignee": _assignee,
    "parent": lambda value, _: Task.parent_id == (None if value == "none" else int(value)),
    "due": _due,
    "due_before": lambda at, _: Task.due_at < at,
    "due_after": lambda at, _: Task.due_at > at,
    "created_before": lambda at, _: Task.created_at < at,
    "created_after": lambda at, _: Task.created_at > at,
    "updated_after": lambda at, _: Task.updated_at > at,
    "q": _search,
}


def _sorts(text: str) -> list[tuple[str, bool]]:
    """(column, descending) for each name; the id makes every order total."""
    sorts = [(name.lstrip("-"), name.startswith("-")) for name in text.split(",")]
    return sorts if any(name == "id" for name, _ in sorts) else [*sorts, ("id", True)]


def _order(name: str, descending: bool) -> sa.ColumnElement[Any]:
    column: sa.ColumnElement[Any] = SORTS[name]
    ordered = column.desc() if descending else column.asc()
    return ordered.nulls_last() if name == "due_at" else ordered


def _after(sorts: list[tuple[str, bool]], key: list[Any]) -> sa.ColumnElement[bool]:
    """The rows past a key: past its first column, or equal there and past the rest."""
    (name, descending), value = sorts[0], key[0]
    if name in TIMES and value is not None:
        value = dt.datetime.fromisoformat(value)
    past = _past(SORTS[name], descending, value, nullable=name == "due_at")
    if len(sorts) == 1 or name == "id":
        return past
    return sa.or_(
        past, sa.and_(SORTS[name].is_not_distinct_from(value), _after(sorts[1:], key[1:]))
    )


def _past(column: Any, descending: bool, value: Any, *, nullable: bool) -> sa.ColumnElement[bool]:
    if value is None:
        return sa.false()  # empty values are last, and equal to each other
    further: sa.ColumnElement[bool] = column < value if descending else column > value
    return sa.or_(further, column.is_(None)) if nullable else further


async def page(db: AsyncConnection, project_ids: list[int], query: Body) -> Page:
    """One page of the tasks in these projects; one row more than asked for says there is a next."""
    query = {**query, "dialect": db.dialect.name, "project_ids": project_ids}
    conditions = [make(query[name], query) for name, make in FILTERS.items() if name in query]
    inside: sa.ColumnElement[bool] = Task.project_id.in_(project_ids)
    if len(project_ids) == 1:  # lets an index give the order, too
        inside = Task.project_id == project_ids[0]
    chosen = sa.select(*COLUMNS, Task.due).where(inside, *conditions)
    sorts = _sorts(query.get("sort", "-id"))
    after = chosen.where(_after(sorts, query["cursor"])) if query.get("cursor") else chosen
    limit = query["limit"]
    ordered = after.order_by(*(_order(*sort) for sort in sorts)).limit(limit + 1)
    rows = (await db.execute(ordered)).all()
    key = None
    if len(rows) > limit:
        last = rows[limit - 1]
        key = [getattr(last, SORTS[name].key) for name, _ in sorts]
    total = None
    if query["total"]:
        ones = chosen.with_only_columns(sa.literal(1), maintain_column_froms=True)
        counted = sa.select(sa.func.count()).select_from(ones.subquery())
        total = (await db.execute(counted)).scalar_one()
    return Page(list(rows[:limit]), key, total)
