"""One page of a list, and the next: keyset pages, stable while rows come and go."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from taskapp.extensions import read

Rows = sa.Select[*tuple[Any, ...]]


class Page(NamedTuple):
    """One page of a list; `next_key` is where the next one starts, or None at the end."""

    items: list[Any]
    next_key: list[Any] | None = None
    total: int | None = None

    def only(self, *names: str) -> Self:
        """The same page, each item cut down to these fields."""
        items = [{name: getattr(row, name) for name in names} for row in self.items]
        return self._replace(items=items)


class Created(NamedTuple):
    """A row that a request made, and what only its 201 shows of it."""

    row: sa.Row[Any]
    secrets: dict[str, Any]


def cut(select: Rows, limit: int, key_of: Callable[[Any], list[Any]]) -> Page:
    """Run the ordered SELECT for one page; one row more than asked for says there is a next."""
    rows = read(select.limit(limit + 1)).all()
    return Page(list(rows[:limit]), key_of(rows[limit - 1]) if len(rows) > limit else None)


def count(select: Rows) -> int:
    ones = select.order_by(None).with_only_columns(sa.literal(1), maintain_column_froms=True)
    return int(read(sa.select(sa.func.count()).select_from(ones.subquery())).scalar_one())


def page_by(
    select: Rows,
    key: InstrumentedAttribute[Any],
    *,
    limit: int,
    total: bool,
    cursor: list[Any] | None = None,
) -> Page:
    """A page in the order of one unique column that the SELECT returns."""
    after = select.where(key > cursor[0]) if cursor else select
    page = cut(after.order_by(key), limit, lambda row: [getattr(row, key.key)])
    return page._replace(total=count(select)) if total else page
