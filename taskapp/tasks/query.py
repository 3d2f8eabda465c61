"""The task list's filters, sorts and search, as SQL."""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSQUERY

from taskapp.extensions import db, table
from taskapp.pages import Page, count, cut
from taskapp.tasks.models import COLUMNS, SORTED_BY, TASKS, TaskLabel

WORD = re.compile(r"[^\W_]+")
MAX_WORD = 100  # code points; PostgreSQL refuses lexemes past 2 KB
AT_ONCE = 500  # rows or ids in a statement; SQLite takes 32,766 values
OPEN = ("todo", "in_progress")
# Columns of the tables, because to compare a mapped attribute costs more; and a SELECT made once.
TASK, LABEL, SHOWN = TASKS.c, table(TaskLabel).c, sa.select(*COLUMNS)
SORTS: dict[str, Any] = {name: TASK[name] for name in ("id", *SORTED_BY)}
TIMES = {"due_at", "created_at", "updated_at"}
Filter = Callable[[Any, dict[str, Any]], sa.ColumnElement[bool]]


def chunks(everything: Sequence[Any]) -> Iterator[Any]:
    """As many at once as one statement takes well."""
    return (everything[at : at + AT_ONCE] for at in range(0, len(everything), AT_ONCE))


def words(*texts: str) -> list[str]:
    """The words of a text as search compares them: runs of letters and digits, without case."""
    return [word[:MAX_WORD] for text in texts for word in WORD.findall(text.casefold())]


def _label(names: list[str], _: Any) -> sa.ColumnElement[bool]:
    tagged = sa.select(LABEL.task_id)
    keys = [name.casefold() for name in names]
    return sa.and_(*(TASK.id.in_(tagged.where(LABEL.key == key)) for key in keys))


def _assignee(value: str | int, query: dict[str, Any]) -> sa.ColumnElement[bool]:
    if value == "none":
        return TASK.assignee_id.is_(None)
    return TASK.assignee_id == (query["me"] if value == "me" else value)


def _due(value: str, query: dict[str, Any]) -> sa.ColumnElement[bool]:
    if value == "none":
        return TASK.due_at.is_(None)
    at: dt.datetime = query["at"]
    if value == "today":
        return sa.and_(TASK.due_at >= at, TASK.due_at < at + dt.timedelta(days=1))
    return sa.and_(TASK.due_at < at, TASK.status.in_(OPEN))


def _search(text: str, _: Any) -> sa.ColumnElement[bool]:
    """Every word must be there, the last may be a beginning; signs are looked for literally."""
    parts = [part for part in text.split() if WORD.sub("", part)]
    signs = [(TASK.title + "\n" + TASK.description).icontains(p, autoescape=True) for p in parts]
    found = words(text)
    return sa.and_(*([_indexed(found)] if found else []), *signs) if found or signs else sa.false()


def _indexed(found: list[str]) -> sa.ColumnElement[bool]:
    if db.engine.dialect.name == "postgresql":
        terms = " & ".join(f"'{word}'" for word in found) + ":*"
        return TASK.words.op("@@")(sa.cast(terms, TSQUERY))
    terms = " AND ".join(f'"{word}"' for word in found) + "*"
    rows = sa.text("SELECT rowid FROM task_words WHERE task_words MATCH :terms")
    return TASK.id.in_(rows.bindparams(terms=terms).columns(sa.column("rowid", sa.Integer)))


FILTERS: dict[str, Filter] = {
    "status": lambda names, _: TASK.status.in_(names),
    "priority": lambda names, _: TASK.priority.in_(names),
    "label": _label,
    "assignee": _assignee,
    "parent": lambda value, _: TASK.parent_id == (None if value == "none" else value),
    "due": _due,
    "due_before": lambda at, _: TASK.due_at < at,
    "due_after": lambda at, _: TASK.due_at > at,
    "created_before": lambda at, _: TASK.created_at < at,
    "created_after": lambda at, _: TASK.created_at > at,
    "updated_after": lambda at, _: TASK.updated_at > at,
    "q": _search,
}


def page(project_ids: list[int], query: dict[str, Any]) -> Page:
    """One page of the tasks in these projects, cut down to the `fields` that were asked for."""
    conditions = [make(query[name], query) for name, make in FILTERS.items() if name in query]
    inside: sa.ColumnElement[bool] = TASK.project_id.in_(project_ids)
    if len(project_ids) == 1:  # lets an index give the order, too
        inside = TASK.project_id == project_ids[0]
    chosen = SHOWN.where(inside, *conditions)
    sorts = _sorts(query.get("sort", ["-id"]))
    after = chosen.where(_after(sorts, query["cursor"])) if query.get("cursor") else chosen
    ordered = after.order_by(*(_order(*sort) for sort in sorts))
    found = cut(ordered, query["limit"], lambda row: [getattr(row, name) for name, _ in sorts])
    if asked := query.get("fields"):
        found = found.only(*asked)
    return found._replace(total=count(chosen)) if query["total"] else found


def _sorts(names: list[str]) -> list[tuple[str, bool]]:
    """(column, descending) for each name; the id makes every order total."""
    sorts = [(name.lstrip("-"), name.startswith("-")) for name in names]
    return sorts if any(name == "id" for name, _ in sorts) else [*sorts, ("id", True)]


def _order(name: str, descending: bool) -> sa.ColumnElement[Any]:
    column: sa.ColumnElement[Any] = SORTS[name]
    ordered = column.desc() if descending else column.asc()
    return ordered.nulls_last() if name == "due_at" else ordered


def _after(sorts: list[tuple[str, bool]], key: list[Any]) -> sa.ColumnElement[bool]:
    """The rows past a key: past its first column, or equal there and past the rest."""
    (name, descending), value = sorts[0], key[0]
    if name in TIMES and isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    past = _past(SORTS[name], descending, value, nullable=name == "due_at")
    if len(sorts) == 1 or name == "id":
        return past
    equal = SORTS[name].is_not_distinct_from(value)
    return sa.or_(past, sa.and_(equal, _after(sorts[1:], key[1:])))


def _past(column: Any, descending: bool, value: Any, *, nullable: bool) -> sa.ColumnElement[bool]:
    if value is None:
        return sa.false()  # empty values are last, and equal to each other
    further: sa.ColumnElement[bool] = column < value if descending else column > value
    return sa.or_(further, column.is_(None)) if nullable else further
