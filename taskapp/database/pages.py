"""One page of a list, and the next: keyset pages, stable while rows come and go."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import KeyedColumnElement

from taskapp.database.hot import Hot
from taskapp.database.session import Body, read

Rows = sa.Select[*tuple[Any, ...]]
MOST = sa.bindparam("most", type_=sa.Integer)


class Page(NamedTuple):
    """One page of a list; `next_key` is where the next one starts, or None at the end."""

    items: list[Body]
    next_key: list[Any] | None = None
    total: int | None = None

    def only(self, *names: str) -> Self:
        """The same page, each item cut down to these fields."""
        items = [{name: item[name] for name in names} for item in self.items]
        return self._replace(items=items)


class Created(NamedTuple):
    """A row that a request created, and what only its 201 shows of it."""

    row: sa.Row[Any]
    secrets: dict[str, Any]


class Accepted(NamedTuple):
    """What a request began, and somebody else will end: 202."""

    body: Body


class Linked(NamedTuple):
    """A row, and what else it leads to: {relation: path} (RFC 8288)."""

    row: sa.Row[Any] | Created
    links: dict[str, str]


def cut(
    select: Rows | Hot, limit: int, key: list[str], values: Body, shown: int | None = None
) -> Page:
    """Run the SELECT, ordered and of MOST rows, for one page; one row more says there is a next.

    Only the first `shown` columns are fields of items; the others are there to sort by.
    """
    values = {**values, "most": limit + 1}
    rows: Sequence[Any]
    if isinstance(select, Hot):
        names, rows = select.names, select.tuples(values)
    else:
        result = read(select, values)
        names, rows = tuple(map(str, result.keys())), result.all()
    fields = names[:shown]
    items = [dict(zip(fields, row, strict=False)) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(items)
    last = dict(zip(names, rows[limit - 1], strict=True))
    return Page(items, [last[name] for name in key])


def count(select: Rows, values: Body | None = None) -> int:
    """How many rows a SELECT has, without its order."""
    ones = select.order_by(None).with_only_columns(sa.literal(1), maintain_column_froms=True)
    total = sa.select(sa.func.count()).select_from(ones.subquery())
    return int(read(total, values).scalar_one())


def page_by(
    select: Rows,
    key: InstrumentedAttribute[Any] | KeyedColumnElement[Any],
    *,
    limit: int,
    total: bool,
    cursor: list[Any] | None = None,
) -> Page:
    """A page in the order of one unique column that the SELECT returns."""
    after = select.where(key > cursor[0]) if cursor else select
    page = cut(after.order_by(key).limit(MOST), limit, [key.key], {})
    if not total:
        return page
    return page._replace(total=count(select))
