"""The task list's filters, sorts and search, as SQL.

A statement is made once for each shape of question, and kept: to make one takes longer than to
run it. What was asked for stands in its parameters, each named as the filter it belongs to.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import TSQUERY

from taskapp.database.pages import MOST, Page, count, cut
from taskapp.database.session import Body
from taskapp.extensions import db
from taskapp.schema import table
from taskapp.tasks.models import COLUMNS, SORTED_BY, TASKS, TaskLabel

WORD = re.compile(r"[^\W_]+")
MAX_WORD = 100  # code points; PostgreSQL refuses lexemes past 2 KB
AT_ONCE = 500  # rows or ids in a statement; SQLite takes 32,766 values
APART = 16  # projects of a list that are each asked for its first rows
OPEN = ("todo", "in_progress")
# Columns of the tables, because to compare a mapped attribute costs more.
TASK, LABEL = TASKS.c, table(TaskLabel).c
SORTS: dict[str, Any] = {name: TASK[name] for name in ("id", *SORTED_BY)}
FOUND = sa.text("SELECT rowid FROM task_words WHERE task_words MATCH :terms")
Condition = sa.ColumnElement[bool]
Sorts = tuple[tuple[str, bool], ...]  # columns, and whether they descend
ALL = TASK.project_id.in_(given("projects", expanding=True))
CONDITIONS: dict[str, Condition] = {
    "status": TASK.status.in_(given("status", expanding=True)),
    "priority": TASK.priority.in_(given("priority", expanding=True)),
    "assignee": TASK.assignee_id == given("assignee"),
    "assignee=me": TASK.assignee_id == given("me"),
    "assignee=none": TASK.assignee_id.is_(None),
    "parent": TASK.parent_id == given("parent"),
    "parent=none": TASK.parent_id.is_(None),
    "due=none": TASK.due_at.is_(None),
    "due=today": sa.and_(TASK.due_at >= given("at"), TASK.due_at < given("until")),
    "due=overdue": sa.and_(TASK.due_at < given("at"), TASK.status.in_(OPEN)),
    "due_before": TASK.due_at < given("due_before"),
    "due_after": TASK.due_at > given("due_after"),
    "created_before": TASK.created_at < given("created_before"),
    "created_after": TASK.created_at > given("created_after"),
    "updated_after": TASK.updated_at > given("updated_after"),
    "words in sqlite": TASK.id.in_(FOUND.columns(sa.column("rowid", sa.Integer))),
    "words in postgresql": TASK.words.op("@@")(sa.cast(given("terms"), TSQUERY)),
    "nothing": sa.false(),
}


def chunks(everything: Sequence[Any]) -> Iterator[Any]:
    """As many at once as one statement takes well."""
    return (everything[at : at + AT_ONCE] for at in range(0, len(everything), AT_ONCE))


def words(*texts: str) -> list[str]:
    """The words of a text as search compares them: runs of letters and digits, without case."""
    return [word[:MAX_WORD] for text in texts for word in WORD.findall(text.casefold())]


def page(project_ids: list[int], query: Body) -> Page:
    """One page of the tasks in these projects, cut down to the `fields` that were asked for."""
    conditions, values = _asked(query)
    sorts, key = _sorts(query.get("sort", ["-id"])), query.get("cursor") or []
    past = [
        dt.datetime.fromisoformat(value)
        if name.endswith("_at") and isinstance(value, str)
        else value
        for value, (name, _) in zip(key, sorts, strict=False)  # the first page has no key
    ]
    values |= {"projects": project_ids, **_each("project", project_ids), **_each("past", past)}
    shape = (conditions, sorts, tuple(value is None for value in past))
    statement = _statement(*shape, _apart(len(project_ids), conditions, sorts))
    found = cut(statement, query["limit"], [name for name, _ in sorts], values)
    if asked := query.get("fields"):
        found = found.only(*asked)
    if query["total"]:
        found = found._replace(total=count(_chosen(conditions).where(ALL), values))
    return found


def _each(name: str, values: Iterable[Any]) -> Body:
    """Parameters for what a question holds several of."""
    return {f"{name}_{number}": value for number, value in enumerate(values)}


def _asked(query: Body) -> tuple[tuple[str, ...], Body]:
    """The conditions that a query sets, by name, and their parameters."""
    told = (f"{name}={value}" for name, value in query.items())
    named = [special if special in CONDITIONS else special.partition("=")[0] for special in told]
    labels = _each("label", map(str.casefold, query.get("label", ())))
    names, searched = _search(query["q"]) if "q" in query else ((), {})
    own = [name for name in named if name in CONDITIONS]
    return (*own, *labels, *names), {**query, **labels, **searched}


def _search(text: str) -> tuple[tuple[str, ...], Body]:
    """Every word must be there, the last may be a beginning; signs are looked for literally."""
    signs = _each("sign", (re.sub(r"[/%_]", r"/\g<0>", p) for p in text.split() if WORD.sub("", p)))
    found, dialect = words(text), db.engine.dialect.name
    quote, both, start = ("'", " & ", ":*") if dialect == "postgresql" else ('"', " AND ", "*")
    terms = both.join(f"{quote}{word}{quote}" for word in found) + start
    names = (f"words in {dialect}",) if found else () if signs else ("nothing",)
    return (*names, *signs), {**signs, "terms": terms}


def _sorts(names: list[str]) -> Sorts:
    """(column, descending) for each name; the id makes every order total."""
    sorts = tuple((name.lstrip("-"), name.startswith("-")) for name in names)
    return sorts if "id" in dict(sorts) else (*sorts, ("id", sorts[-1][1]))


def _apart(projects: int, conditions: tuple[str, ...], sorts: Sorts) -> int:
    """How many projects to ask one by one: an index has the order of each, and few that of all."""
    postgresql = db.engine.dialect.name == "postgresql"
    at_once = (
        any(name[:5] in {"label", "words"} for name in conditions)  # their own index finds for all
        or (sorts[0][0] == "id" and (postgresql or conditions))  # so has the primary key
    )
    return 0 if projects > 1 and (at_once or projects > APART) else projects


@lru_cache(128)
def _statement(
    conditions: tuple[str, ...], sorts: Sorts, past: tuple[bool, ...], apart: int
) -> sa.Select[Any]:
    """One page; `past` says which of the last row's values are empty, where it is not the first."""
    chosen = _chosen(conditions).where(_after(sorts, past) if past else sa.true())
    if not apart:
        return _ordered(chosen.where(ALL), TASK, sorts)
    homes = [TASK.project_id == given(f"project_{number}") for number in range(apart)]
    firsts = [_ordered(chosen.where(home), TASK, sorts) for home in homes]
    if apart == 1:
        return firsts[0]
    merged = sa.union_all(*(sa.select(first.subquery()) for first in firsts)).subquery()
    return _ordered(sa.select(merged), merged.c, sorts)


def _chosen(conditions: tuple[str, ...]) -> sa.Select[Any]:
    return sa.select(*COLUMNS).where(*map(_condition, conditions))


def _condition(name: str) -> Condition:
    if name in CONDITIONS:
        return CONDITIONS[name]
    if name.startswith("label"):
        return TASK.id.in_(sa.select(LABEL.task_id).where(LABEL.key == given(name)))
    return (TASK.title + "\n" + TASK.description).icontains(given(name), escape="/")


def _ordered(chosen: sa.Select[Any], columns: Any, sorts: Sorts) -> sa.Select[Any]:
    orders = [columns[name].desc() if down else columns[name].asc() for name, down in sorts]
    last = [each.nulls_last() if each.element.key == "due_at" else each for each in orders]
    return chosen.order_by(*last).limit(MOST)


def _after(sorts: Sorts, past: tuple[bool, ...]) -> Condition:
    """The rows past the last page's last: as a row value where an index can use one."""
    columns = [TASK[name] for name, _ in sorts]
    values = [given(f"past_{number}", type_=each.type) for number, each in enumerate(columns)]
    if "due_at" not in dict(sorts) and len({down for _, down in sorts}) == 1:
        row, key = sa.tuple_(*columns), sa.tuple_(*values)
        return row < key if sorts[0][1] else row > key
    conditions, equal = list[Condition](), list[Condition]()
    for (name, down), column, value, empty in zip(sorts, columns, values, past, strict=True):
        further = column < value if down else column > value
        if name == "due_at":
            further = sa.false() if empty else sa.or_(further, column.is_(None))
        conditions.append(sa.and_(*equal, further))
        equal.append(column.is_(None) if empty else column == value)
    return sa.or_(*conditions)
