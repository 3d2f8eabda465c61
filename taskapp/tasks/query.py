"""One page of the task list: its parameters, and the ways to find it (`statements.py`)."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from taskapp.database.pages import MAX_TEXT, Page, count, cut
from taskapp.database.session import Body, now, read
from taskapp.extensions import db
from taskapp.ledger.access import AMONG_PROJECTS, PROJECTS
from taskapp.tasks.due import with_days
from taskapp.tasks.filters import FILTERS, Condition, filters_of
from taskapp.tasks.models import COLUMNS, SHOWN, TASK
from taskapp.tasks.search import Search, search_for
from taskapp.tasks.statements import Shape, Sort, hot

FEW_ROWS = 50  # whose descriptions are 13 MB at most: a page of so many is read as it is
CHUNK = 500  # rows or ids in a statement; SQLite takes 32,766 values
MAX_SEPARATE_PROJECTS = 16
# Rows to look at, for each that is wanted, before an index without their order is asked for all.
NEAREST_ROWS = 25
MAX_NEAREST_LIMIT = 200
MAX_COMMON_WORDS = 2  # that many tasks may have together
FOR_FEW = {"assignee", "parent", "external_id", "repeat"}  # filters that few tasks pass
# Filters that most tasks may pass, and the order that their index has, if that is one of SORTS.
RANGES = {
    "due_before": "due_at",
    "due_after": "due_at",
    "created_before": "created_at",
    "created_after": "created_at",
    "updated_after": "updated_at",
    "completed_before": "",
    "completed_after": "",
}

_TASK_COUNT = sa.func.coalesce(sa.func.sum(PROJECTS.c.task_count), 0)
_TASKS_OF_PROJECTS = sa.select(_TASK_COUNT).where(AMONG_PROJECTS)


def chunks(items: Sequence[Any], most: int = CHUNK) -> Iterator[Any]:
    """Pieces that one statement can hold."""
    for start in range(0, len(items), most):
        yield items[start : start + most]


def short_chunks(
    items: Sequence[Any], lengths: Sequence[int], most: int = MAX_TEXT
) -> Iterator[Any]:
    """Such pieces, whose texts memory can hold together, too: `lengths` are the bytes of each."""
    start, text = 0, 0
    for place, length in enumerate(lengths):
        is_full = place - start == CHUNK or text + length > most
        if is_full and place > start:
            yield items[start:place]
            start, text = place, 0
        text += length
    if items:
        yield items[start:]


def page(project_ids: list[int], query: Body) -> Page:
    """One page of the tasks in these projects, cut down to the `fields` that were asked for."""
    sorts = _sorts(query.get("sort", ["-id"]))
    last_row = _sort_values(query.get("cursor") or [], sorts)
    labels = [name.casefold() for name in query.get("label", ())]
    search, terms = _search(query.get("q"), project_ids)
    filters = filters_of(query)
    empty = tuple(value is None for value in last_row)
    separate = _separate_projects(len(project_ids), query, sorts)
    dialect = db.engine.dialect.name
    is_bounded = query["limit"] > FEW_ROWS
    shape = Shape(dialect, filters, len(labels), search, sorts, empty, separate, is_bounded)
    values = {**query, **terms, "projects": project_ids}
    values.update(_numbered("label", labels))
    values.update(_numbered("project", project_ids))
    values.update(_numbered("last", last_row))
    values["nearest"] = NEAREST_ROWS * (query["limit"] + 1)
    ways = _ways(shape, query, len(project_ids))
    result = _first_full(ways, values, query["limit"])
    if "fields" in query:
        result = result.only(*query["fields"])
    if query["total"]:
        result = result._replace(total=_total(shape, values))
    return result


def _total(shape: Shape, values: Body) -> int:
    """How many tasks are in the list; where nothing is asked for, their projects' rows know."""
    if not shape.conditions():
        return max(0, int(read(_TASKS_OF_PROJECTS, values).scalar_one()))
    every = SHOWN.where(*shape.everywhere())
    return count(every, values)


def _ways(shape: Shape, query: Body, projects: int) -> list[Shape]:
    """The ways to a page: if the nearest rows do not fill it, the last one finds them all."""
    if _is_by_labels(shape):
        return [replace(shape, way="by labels")]
    has_words = shape.search is not None and shape.search.pieces > 0
    last = replace(shape, way="by words") if has_words else shape
    is_small = 0 < projects <= MAX_SEPARATE_PROJECTS and query["limit"] <= MAX_NEAREST_LIMIT
    if is_small and _may_pass_most(query, shape.sorts):
        return [replace(shape, way="nearest", projects=projects), last]
    return [last]


def _is_by_labels(shape: Shape) -> bool:
    """Whether the index of labels has the page: PostgreSQL finds that out by itself."""
    has_labels_alone = shape.labels > 0 and not shape.filters and shape.search is None
    is_in_order = shape.projects > 0 and shape.sorts[0].name == "id"
    return shape.dialect == "sqlite" and has_labels_alone and is_in_order


def _may_pass_most(query: Body, sorts: tuple[Sort, ...]) -> bool:
    """Whether so many tasks may match that the first ones of an order hold a page of them."""
    if not FOR_FEW.isdisjoint(query):
        return False
    if "q" in query and len(query["q"].split()) > MAX_COMMON_WORDS:
        return False
    if "label" in query and db.engine.dialect.name == "postgresql":
        return sorts[0].name != "id"  # which is the order of its index; SQLite sorts all of that
    if "label" in query or "q" in query:
        return True
    orders = {RANGES[name] for name in RANGES.keys() & query.keys()}
    if query.get("due") == "overdue":
        orders.add("due_at")
    return bool(orders) and sorts[0].name not in orders


def _first_full(ways: list[Shape], values: Body, limit: int) -> Page:
    """The page by the first way that fills it, or by the last."""
    key = [sort.column.key for sort in ways[0].sorts]
    result = Page([])
    for shape in ways:
        result = cut(hot(shape), limit, key, values, len(COLUMNS))
        if result.next_key is not None:
            break
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


def is_overdue(timezone: str) -> tuple[Condition, Body]:
    """Whether an open task is overdue by the clock of a time zone, and the parameters of that."""
    return FILTERS["due", "overdue"], with_days({"due": "overdue"}, timezone, now())


def _numbered(name: str, values: Iterable[Any]) -> Body:
    """A parameter for each value: name_0, name_1 …"""
    return {f"{name}_{number}": value for number, value in enumerate(values)}


def _search(text: str | None, project_ids: list[int]) -> tuple[Search | None, Body]:
    if text is None:
        return None, {}
    return search_for(text, db.engine.dialect.name, project_ids)


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
    has_filters = bool(filters_of(query))
    if sorts[0].name == "id" and has_filters == (db.engine.dialect.name == "sqlite"):
        return 0  # the primary key has the order of all, and is measured to be quicker here
    return projects
