"""The statement of one page of the task list, for each shape of query.

It is built once for a shape and kept, because building one takes longer than running it. The values
that the client sent are its parameters.
"""

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Literal, NamedTuple, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import bindparam

from taskapp.database.hot import Hot
from taskapp.database.pages import MOST, bounded, bounded_rows
from taskapp.tasks.filters import (
    FILTERS,
    IN_PROJECTS,
    SHOWS_PROJECT,
    Condition,
    FilterKey,
    has_label,
    labelled,
    shows_label,
)
from taskapp.tasks.models import COLUMNS, LABELS, SHOWN, TASK
from taskapp.tasks.search import Search

NEAREST = bindparam("nearest", type_=sa.Integer)
Limit = sa.BindParameter[int]
Rows = sa.Select[Any] | sa.CompoundSelect[Any]
AnyRows = TypeVar("AnyRows", sa.Select[Any], sa.CompoundSelect[Any])
Way = Literal["in order", "nearest", "by words", "by labels"]
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

    dialect: str
    filters: tuple[FilterKey, ...]
    labels: int  # how many parameters label_0, label_1 …
    search: Search | None
    sorts: tuple[Sort, ...]
    empty: tuple[bool, ...]  # of the last row's sort values: which are NULL; () on the first page
    projects: int  # how many are read separately; 0: all at once
    is_bounded: bool  # whether the page ends early where its texts are long
    way: Way = "in order"

    def conditions(self, project: int | None = None) -> list[Condition]:
        """The conditions of the list without those of its projects and its page.

        `project` is the number of the one that is read separately.
        """
        chosen = [FILTERS[key] for key in self.filters]
        is_near = self.way == "nearest"
        if not is_near:  # `_is_near` asks for labels itself
            chosen += [has_label(number, project) for number in range(self.labels)]
        if self.search is not None:
            chosen += self.search.conditions(by_index=not is_near)
        return chosen

    def is_merged_by_index(self) -> bool:
        """Whether SQLite reads no more of each project than it returns.

        Its indexes have each project in order; without a page of each, it compares their next rows.
        """
        has_more = self.filters or self.labels or self.search or self.is_bounded
        directions = {sort.descending for sort in self.sorts}
        is_indexed = len(directions) == 1 and self.sorts[1:] in {(), (Sort("id", *directions),)}
        return self.dialect == "sqlite" and is_indexed and not has_more

    def everywhere(self) -> list[Condition]:
        """The conditions, with that of all projects of the list."""
        if self.search is not None and self.search.pieces:  # words are of the projects already
            return [*self.conditions(), SHOWS_PROJECT]
        return [*self.conditions(), IN_PROJECTS]


@lru_cache(128)
def hot(shape: Shape) -> Hot:
    statement = _statement(shape)
    if not shape.is_bounded:
        return Hot(statement, keeps_plan=False)
    order = partial(_order, sorts=shape.sorts)
    page = cast("sa.Select[Any]", statement)  # it is never merged by index
    statement = bounded(page, "description", order, shape.dialect)
    return Hot(statement, keeps_plan=False, take=bounded_rows)


def _statement(shape: Shape) -> Rows:
    """One page of a list of this shape."""
    shown = set(COLUMNS)
    hidden = [sort.column for sort in shape.sorts if sort.column not in shown]
    chosen = SHOWN.add_columns(*hidden)
    if shape.way == "nearest":
        chosen = chosen.where(_is_near(shape), *shape.conditions())
        return _ordered(chosen, TASK, shape.sorts)
    if shape.way == "by words":
        return _by_words(shape, chosen)
    if shape.way == "by labels":
        chosen = chosen.where(TASK.id.in_(_ids_by_labels(shape)), SHOWS_PROJECT)
        return _ordered(chosen, TASK, shape.sorts)
    return _in_order(shape, chosen)


def _is_near(shape: Shape) -> Condition:
    """The task is one of the next rows in the order of the list, whatever its filters."""
    unfiltered = replace(shape, filters=(), labels=0, search=None)
    columns = dict.fromkeys([TASK.id, *(sort.column for sort in shape.sorts)])
    rows = _in_order(unfiltered, sa.select(*columns), NEAREST).subquery()
    # Labels have an index: a row without them need not be read.
    has_labels = [shows_label(number, rows.c.id) for number in range(shape.labels)]
    ids = sa.select(rows.c.id).where(*has_labels)
    if has_labels and not shape.filters and shape.search is None:
        ids = _ordered(ids, rows.c, shape.sorts)
    if shape.dialect == "postgresql":  # of an array, its planner knows that it is short
        return TASK.id == sa.any_(sa.func.array(ids.scalar_subquery()))
    return TASK.id.in_(ids)


def _ids_by_labels(shape: Shape) -> sa.CompoundSelect[int]:
    """A page of ids that have all the labels, of each project.

    The index of labels has them in order, and SQLite merges those of several labels as it reads.
    """
    by_id = shape.sorts[0]
    pages = []
    for project in range(shape.projects):
        each = []
        for number in range(shape.labels):
            ids = labelled(number, project)
            if shape.empty:
                ids = ids.where(_past(by_id, LABELS.c.task_id, bindparam("last_0")))
            each.append(ids)
        of_all = sa.intersect(*each)
        task_id = of_all.selected_columns.task_id
        order = task_id.desc() if by_id.descending else task_id.asc()
        page = of_all.order_by(order).limit(MOST)
        pages.append(sa.select(page.subquery()))
    return sa.union_all(*pages)


def _by_words(shape: Shape, chosen: sa.Select[Any]) -> sa.Select[Any]:
    """All that has the words, then in order: no planner knows how rare they are together."""
    if shape.empty:
        chosen = chosen.where(_after(shape.sorts, shape.empty))
    chosen = chosen.where(*shape.everywhere())
    matching = chosen.offset(0).subquery()  # it is a fence: the order is not looked for inside
    return _ordered(sa.select(matching), matching.c, shape.sorts)


def _in_order(shape: Shape, chosen: sa.Select[Any], most: Limit = MOST) -> Rows:
    if shape.empty:
        chosen = chosen.where(_after(shape.sorts, shape.empty))
    if not shape.projects:
        chosen = chosen.where(*shape.everywhere())
        return _ordered(chosen, TASK, shape.sorts, most)
    parts = []
    for number in range(shape.projects):
        in_project = TASK.project_id == bindparam(f"project_{number}")
        parts.append(chosen.where(*shape.conditions(number), in_project))
    if len(parts) > 1 and shape.is_merged_by_index():
        merging = sa.union_all(*parts)
        return _ordered(merging, merging.selected_columns, shape.sorts, most)
    pages = [_ordered(part, TASK, shape.sorts, most) for part in parts]
    if len(pages) == 1:
        return pages[0]
    subqueries = [sa.select(page.subquery()) for page in pages]
    merged = sa.union_all(*subqueries).subquery()
    return _ordered(sa.select(merged), merged.c, shape.sorts, most)


def _ordered(chosen: AnyRows, columns: Any, sorts: tuple[Sort, ...], most: Limit = MOST) -> AnyRows:
    return chosen.order_by(*_order(columns, sorts)).limit(most)


def _order(columns: Any, sorts: tuple[Sort, ...]) -> list[sa.ColumnElement[Any]]:
    order = []
    for sort in sorts:
        column = columns[sort.column.key]
        direction = column.desc() if sort.descending else column.asc()
        order.append(direction.nulls_last() if sort.column.nullable else direction)
    return order


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
