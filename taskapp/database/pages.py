"""One page of a list, and the next: keyset pages, stable while rows come and go.

A page of many rows ends early where their texts are long, so that memory bounds it, too.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import KeyedColumnElement
from sqlalchemy.sql.functions import FunctionElement

from taskapp.database.hot import Hot
from taskapp.database.session import Body, read
from taskapp.extensions import db
from taskapp.schema import BigInt

Rows = sa.Select[*tuple[Any, ...]]
Order = Callable[[Any], Sequence[sa.ColumnElement[Any]]]  # of these columns
MOST = sa.bindparam("most", type_=sa.Integer)
# Bytes of long texts: a page ends before its rows have more. No row has as many by itself.
MAX_TEXT = 4 * 1024 * 1024
_MOST_TEXT = sa.bindparam("most_text", type_=BigInt)
_LENGTH = "length of the text"


class Octets(FunctionElement[int]):
    """How many bytes a text has; PostgreSQL knows it without reading a long one."""

    type = sa.Integer()
    inherit_cache = True


@compiles(Octets)
def _octet_length(element: Octets, compiler: Any, **options: Any) -> str:
    return f"octet_length(CAST({compiler.process(element.clauses, **options)} AS TEXT))"


@compiles(Octets, "sqlite")
def _length_of_blob(element: Octets, compiler: Any, **options: Any) -> str:
    """Before 3.43 SQLite has no octet_length."""
    return f"length(CAST({compiler.process(element.clauses, **options)} AS BLOB))"


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


def cut(  # noqa: PLR0913 - a page has so many bounds
    select: Rows | Hot,
    limit: int,
    key: list[str],
    values: Body,
    shown: int | None = None,
    *,
    most_text: int = MAX_TEXT,
) -> Page:
    """Run the SELECT, ordered and of MOST rows, for one page; one row more says there is a next.

    Only the first `shown` columns are fields of items; the others are there to sort by. Of a
    `bounded` SELECT the page has `most_text` bytes of text at most.
    """
    values = {**values, "most": limit + 1, "most_text": most_text}
    rows: Sequence[Any]
    if isinstance(select, Hot):
        names, rows = select.names, select.tuples(values)
    else:
        with read(select, values) as result:
            names = tuple(map(str, result.keys()))
            rows = bounded_rows(result, most_text) if names[-1] == _LENGTH else result.all()
    if names[-1] == _LENGTH:
        limit = min(limit, _whole_rows(rows, most_text))
        shown = shown or len(names) - 1
    fields = names[:shown]
    items = [dict(zip(fields, row, strict=False)) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(items)
    last = dict(zip(names, rows[limit - 1], strict=True))
    return Page(items, [last[name] for name in key])


def bounded(page: Rows, text: str, order: Order, dialect: str) -> Rows:
    """The same page, read by `bounded_rows` no further than its texts are not too long.

    `text` is the column that may be long. SQLite hands out row by row, and who reads may stop;
    PostgreSQL's driver takes an answer whole, so the statement itself has to end there.
    """
    if dialect == "sqlite":
        return page.add_columns(Octets(page.selected_columns[text]).label(_LENGTH))
    rows = page.subquery()
    running = sa.func.sum(Octets(rows.c[text])).over(order_by=order(rows.c), rows=(None, 0))
    summed = sa.select(rows, running.label("running")).subquery().c
    length = Octets(summed[text])
    shown = [summed[name] for name in rows.c.keys()]  # noqa: SIM118 - columns are no mapping
    within = sa.select(*shown, length.label(_LENGTH)).where(summed.running - length <= _MOST_TEXT)
    return within.order_by(*order(summed))


def bounded_rows(rows: Iterable[Any], most: int = MAX_TEXT) -> list[Any]:
    """The rows of a `bounded` page; the one with which they are too long shows there is more."""
    taken = []
    texts = 0
    for row in rows:
        taken.append(row)
        texts += row[-1]
        if texts > most:
            break
    return taken


def _whole_rows(rows: Sequence[Any], most: int) -> int:
    """How many of the rows that `bounded_rows` has read belong to the page."""
    texts: int = sum(row[-1] for row in rows)
    return len(rows) - 1 if texts > most else len(rows)


def count(select: Rows, values: Body | None = None) -> int:
    """How many rows a SELECT has, without its order."""
    ones = select.order_by(None).with_only_columns(sa.literal(1), maintain_column_froms=True)
    total = sa.select(sa.func.count()).select_from(ones.subquery())
    return int(read(total, values).scalar_one())


def page_by(  # noqa: PLR0913 - as above
    select: Rows,
    key: InstrumentedAttribute[Any] | KeyedColumnElement[Any],
    *,
    limit: int,
    total: bool,
    cursor: list[Any] | None = None,
    text: str | None = None,
) -> Page:
    """A page in the order of one unique column that the SELECT returns.

    `text` is the column that may be so long that the page has to end early.
    """
    after = select.where(key > cursor[0]) if cursor else select
    after = after.order_by(key).limit(MOST)
    if text is not None:
        dialect = db.engine.dialect.name
        after = bounded(after, text, lambda columns: [columns[key.key]], dialect)
    page = cut(after, limit, [key.key], {})
    if not total:
        return page
    return page._replace(total=count(select))
