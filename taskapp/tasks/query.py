"""One page of the task list, as SQL.

A statement is built once for each shape of query and kept, because building one takes longer than
running it. The values that the client sent are its parameters.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam

from taskapp.database.hot import Hot
from taskapp.database.pages import MOST, Page, count, cut
from taskapp.database.session import Body, now, read
from taskapp.extensions import db
from taskapp.tasks.due import with_days
from taskapp.tasks.filters import FILTERS, IN_PROJECTS, Condition, FilterKey, filters_of, has_label
from taskapp.tasks.models import COLUMNS, SHOWN, TASK, TASK_IDS
from taskapp.tasks.search import Search, search_for

CHUNK = 500  # rows or ids in a statement; SQLite takes 32,766 values
MAX_SEPARATE_PROJECTS = 16
# What clients sort by, and the column that has its order.
SORTS: dict[str, sa.Column[Any]] = {
    "id": TASK.id,
    "title": TASK.title_key,
    "status": TASK.status,
    "priority": TASK.priority,
    "due_at": TASK.due,
    "created_at": TASK.created_at,
    "updated_at": TASK.updated_at,
}


class Sort(NamedTuple):
    """What to sort by: a key of SORTS."""

    name: str
    descending: bool

    @property
    def column(self) -> sa.Column[Any]:
        return SORTS[self.name]


@dataclass(frozen=True)
class Shape:
    """What a statement depends on, and is kept by: everything but the values of its parameters."""

    filters: tuple[FilterKey, ...]
    labels: int  # how many parameters label_0, label_1 …
    search: Search | None
    sorts: tuple[Sort, ...]
    empty: tuple[bool, ...]  # of the last row's sort values: which are NULL; () on the first page
    projects: int  # how many are read separately; 0: all at once

    def conditions(self, project: int | None = None) -> list[Condition]:
        """The conditions of the list without those of its projects and its page.

        `project` is the number of the one that is read separately.
        """
        chosen = [FILTERS[key] for key in self.filters]
        chosen += [has_label(number, project) for number in range(self.labels)]
        if self.search is not None:
            chosen += self.search.conditions()
        return chosen


def chunks(items: Sequence[Any]) -> Iterator[Any]:
    """Pieces that one statement can hold."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def page(project_ids: list[int], query: Body) -> Page:
    """One page of the tasks in these projects, cut down to the `fields` that were asked for."""
    sorts = _sorts(query.get("sort", ["-id"]))
    last_row = _sort_values(query.get("cursor") or [], sorts)
    labels = [name.casefold() for name in query.get("label", ())]
    search, terms = _search(query.get("q"))
    filters = filters_of(query)
    empty = tuple(value is None for value in last_row)
    separate = _separate_projects(len(project_ids), query, sorts)
    shape = Shape(filters, len(labels), search, sorts, empty, separate)
    values = {**query, **terms, "projects": project_ids}
    values.update(_numbered("label", labels))
    values.update(_numbered("project", project_ids))
    values.update(_numbered("last", last_row))
    key = [sort.column.key for sort in sorts]
    result = cut(_hot(shape), query["limit"], key, values, len(COLUMNS))
    if "fields" in query:
        result = result.only(*query["fields"])
    if query["total"]:
        every = SHOWN.where(IN_PROJECTS, *shape.conditions())
        result = result._replace(total=count(every, values))
    return result


def occurrences(task_ids: list[int]) -> dict[int, int]:
    """For tasks that repeat: the number of each in its series, by id."""
    numbers: dict[int, int] = {}
    numbered = sa.select(TASK.id, TASK.occurrence)
    for ids in chunks(task_ids):
        tasks = read(numbered.where(TASK.id.in_(ids)))
        for task in tasks:
            numbers[task.id] = task.occurrence
    return numbers


def count_overdue(project_ids: list[int], timezone: str) -> int:
    """How many open tasks are overdue, by the clock of a time zone."""
    values = with_days({"due": "overdue"}, timezone, now())
    is_overdue = FILTERS["due", "overdue"]
    overdue = TASK_IDS.where(IN_PROJECTS, is_overdue)
    return count(overdue, {**values, "projects": project_ids})


def _numbered(name: str, values: Iterable[Any]) -> Body:
    """A parameter for each value: name_0, name_1 …"""
    return {f"{name}_{number}": value for number, value in enumerate(values)}


def _search(text: str | None) -> tuple[Search | None, Body]:
    if text is None:
        return None, {}
    return search_for(text, db.engine.dialect.name)


def _sorts(names: list[str]) -> tuple[Sort, ...]:
    """A Sort for each name; the id makes every order total."""
    sorts = []
    for name in names:
        is_descending = name.startswith("-")
        sorts.append(Sort(name.lstrip("-"), is_descending))
    if not any(sort.name == "id" for sort in sorts):
        sorts.append(Sort("id", sorts[-1].descending))
    return tuple(sorts)


def _sort_values(key: list[Any], sorts: tuple[Sort, ...]) -> list[Any]:
    """The values of the last row that a cursor holds, in the columns' types; [] on the first page.

    A client's cursor has been JSON in between; that of an export has not.
    """
    values = []
    for value, sort in zip(key, sorts, strict=False):
        if isinstance(value, str) and sort.column.key.endswith("_at"):
            values.append(dt.datetime.fromisoformat(value))
        else:
            values.append(value)
    return values


def _separate_projects(projects: int, query: Body, sorts: tuple[Sort, ...]) -> int:
    """How many projects to read one by one (an index has the order within each); 0: all at once."""
    if projects == 1:
        return 1
    if projects > MAX_SEPARATE_PROJECTS or "q" in query:
        return 0  # the index of words covers all projects
    if "label" in query:
        return projects  # the index of labels has those of each project together
    if query.get("assignee", "none") != "none":
        return projects  # so the index of assignees has them
    on_postgresql = db.engine.dialect.name == "postgresql"
    if sorts[0].name == "id" and (on_postgresql or filters_of(query)):
        return 0  # the primary key has the order of all
    return projects


@lru_cache(128)
def _hot(shape: Shape) -> Hot:
    return Hot(_statement(shape))


def _statement(shape: Shape) -> sa.Select[Any]:
    """One page of a list of this shape."""
    shown = set(COLUMNS)
    hidden = [sort.column for sort in shape.sorts if sort.column not in shown]
    chosen = SHOWN.add_columns(*hidden)
    if shape.empty:
        chosen = chosen.where(_after(shape.sorts, shape.empty))
    if not shape.projects:
        chosen = chosen.where(*shape.conditions(), IN_PROJECTS)
        return _ordered(chosen, TASK, shape.sorts)
    parts = []
    for number in range(shape.projects):
        in_project = TASK.project_id == bindparam(f"project_{number}")
        part = chosen.where(*shape.conditions(number), in_project)
        parts.append(_ordered(part, TASK, shape.sorts))
    if len(parts) == 1:
        return parts[0]
    subqueries = [sa.select(part.subquery()) for part in parts]
    merged = sa.union_all(*subqueries).subquery()
    return _ordered(sa.select(merged), merged.c, shape.sorts)


def _ordered(chosen: sa.Select[Any], columns: Any, sorts: tuple[Sort, ...]) -> sa.Select[Any]:
    for sort in sorts:
        column = columns[sort.column.key]
        order = column.desc() if sort.descending else column.asc()
        if sort.column.nullable:
            order = order.nulls_last()
        chosen = chosen.order_by(order)
    return chosen.limit(MOST)


def _after(sorts: tuple[Sort, ...], empty: tuple[bool, ...]) -> Condition:
    """The rows after the last page: compared as a row value where an index can use that."""
    columns = [sort.column for sort in sorts]
    values = []
    for number, column in enumerate(columns):
        values.append(bindparam(f"last_{number}", type_=column.type))
    directions = {sort.descending for sort in sorts}
    some_are_nullable = any(column.nullable for column in columns)
    if len(directions) == 1 and not some_are_nullable:
        whole, last = sa.tuple_(*columns), sa.tuple_(*values)
        return _past(sorts[0], whole, last)
    conditions: list[Condition] = []
    equal: list[Condition] = []
    for sort, value, is_empty in zip(sorts, values, empty, strict=True):
        further = _further(sort, value, is_empty)
        conditions.append(sa.and_(*equal, further))
        equal.append(_equal(sort, value, is_empty))
    return sa.or_(*conditions)


def _equal(sort: Sort, value: Any, is_empty: bool) -> Condition:
    if is_empty:
        return sort.column.is_(None)
    equal: Condition = sort.column == value
    return equal


def _further(sort: Sort, value: Any, is_empty: bool) -> Condition:
    """The rows after this value of one column; none are after an empty one, which sorts last."""
    if is_empty:
        return sa.false()
    further = _past(sort, sort.column, value)
    if sort.column.nullable:
        return sa.or_(further, sort.column.is_(None))
    return further


def _past(sort: Sort, column: Any, value: Any) -> Condition:
    past: Condition = column > value
    if sort.descending:
        past = column < value
    return past
