"""Seal with today's key what the previous SECRET_KEY has sealed (`database/sealing.py`).

Each column whose name begins with `sealed_` holds sealed texts, whatever its table.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import click
import sqlalchemy as sa

from taskapp.database.sealing import CannotOpen, is_current, seal, unseal
from taskapp.database.session import read, transaction
from taskapp.extensions import db
from taskapp.schema import Base

ROWS_AT_ONCE = 500
PREFIX = "sealed_"


class Sealed(NamedTuple):
    """A sealed text, and where it stands."""

    column: sa.Column[Any]
    key: tuple[Any, ...]  # the primary key of its row
    text: str


class State(NamedTuple):
    """How many texts today's key opens, the previous one, and none."""

    current: int
    previous: int
    lost: int


def reseal() -> None:
    """Seal everything with SECRET_KEY that SECRET_KEY_PREVIOUS still opens."""
    count = 0
    for sealed in old_texts():
        count += _reseal(sealed)
    lost = state().lost
    click.echo(f"{count} resealed")
    if lost:
        message = f"{lost} cannot be opened: set SECRET_KEY_PREVIOUS to the key that sealed them"
        raise ValueError(message)


def state() -> State:
    """Count what is sealed by the key that opens it."""
    current = previous = lost = 0
    for sealed in texts():
        if not _opens(sealed.text):
            lost += 1
        elif is_current(sealed.text):
            current += 1
        else:
            previous += 1
    return State(current, previous, lost)


def old_texts() -> Iterator[Sealed]:
    """What the previous key opens, and today's does not."""
    for sealed in texts():
        if not is_current(sealed.text) and _opens(sealed.text):
            yield sealed


def texts() -> Iterator[Sealed]:
    """Every sealed text of the database, some rows at a time."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if column.name.startswith(PREFIX):
                yield from _texts_of(column)


def _texts_of(column: sa.Column[Any]) -> Iterator[Sealed]:
    keys = list(column.table.primary_key.columns)
    ordered = sa.select(*keys, column).where(column.is_not(None)).order_by(*keys)
    page = ordered.limit(ROWS_AT_ONCE)
    rows = read(page).all()
    while rows:
        for row in rows:
            yield Sealed(column, tuple(row[:-1]), row[-1])
        last: list[Any] = list(rows[-1][:-1])
        after = sa.tuple_(*keys) > sa.tuple_(*map(sa.literal, last))
        rows = read(page.where(after)).all()


def _opens(text: str) -> bool:
    try:
        unseal(text)
    except CannotOpen:
        return False
    return True


def _reseal(sealed: Sealed) -> int:
    """Write the new text, unless somebody has written another one meanwhile."""
    column = sealed.column
    keys = zip(column.table.primary_key.columns, sealed.key, strict=True)
    is_row = [key == value for key, value in keys]
    update = sa.update(column.table).where(*is_row, column == sealed.text)
    values = {column.name: seal(unseal(sealed.text))}
    with transaction():
        written = db.session.execute(update.values(values).returning(column))
        return len(written.all())
