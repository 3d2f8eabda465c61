"""Everything from this database into an empty one of either kind: from small to large, or back."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import click
import orjson
import sqlalchemy as sa
from flask import current_app

import config
from taskapp.database import engines, sequences
from taskapp.extensions import db
from taskapp.mail.access import pause_mail
from taskapp.ops.checks import schema_found, schema_wanted
from taskapp.schema import Base
from taskapp.webhooks.access import pause_webhooks

ROWS_AT_ONCE = 2000
CHECKSUM_BITS = 64
Row = dict[str, Any]


class Content(NamedTuple):
    """How many rows a table has, and a sum of their digests, which no order changes."""

    rows: int
    checksum: int


@click.argument("database_url")
def copy_to(database_url: str) -> None:
    """Copy everything into the empty database at DATABASE_URL, and compare."""
    if schema_found() != schema_wanted():
        raise ValueError("this database is not at this code's schema: run flask db upgrade first")
    target = _engine(database_url)
    try:
        _check_empty(target)
        _create_tables(target)
        copied = _copy_all(db.engine, target)
        with target.begin() as connection:  # nobody is called by accident
            pause_webhooks(connection)
            pause_mail(connection)
    finally:
        target.dispose()
    for table, content in copied.items():
        click.echo(f"{content.rows} {table.name}")
    click.echo("All rows are there and equal. Set DATABASE_URL to it, keep TASKAPP_INSTANCE.")


def _create_tables(target: sa.Engine) -> None:
    from alembic import command  # it is large, and a server migrates nothing

    migrations = current_app.extensions["migrate"].migrate.get_config()
    migrations.attributes["engine"] = target
    command.upgrade(migrations, "head")


def _copy_all(source: sa.Engine, target: sa.Engine) -> dict[sa.Table, Content]:
    """Copy all tables, all of them or none, and compare them."""
    with _snapshot(source) as reader, target.connect() as writer:
        with writer.begin():
            copied = {table: _copy(table, reader, writer) for table in Base.metadata.sorted_tables}
            _copy_parents(reader, writer)
            sequences.raise_to(writer, sequences.last_ids(reader))
        _compare(copied, writer)
    return copied


def _engine(database_url: str) -> sa.Engine:
    try:
        return engines.apart(config.database(database_url))
    except ValueError as error:
        raise ValueError(f"the argument DATABASE_URL {error}") from None


def _check_empty(target: sa.Engine) -> None:
    """Also of a database at another schema, whose tables may be fewer.

    Raises:
        ValueError: It has rows.
    """
    with target.connect() as connection:
        names = sa.inspect(connection).get_table_names()
        for table in Base.metadata.sorted_tables:
            if table.name not in names:
                continue
            rows = sa.select(sa.literal(1)).select_from(sa.table(table.name))
            if connection.scalar(rows.limit(1)) is not None:
                raise ValueError(f"the database to copy into is not empty: it has {table.name}")


def _snapshot(source: sa.Engine) -> sa.Connection:
    """SQLite's writers wait until it is closed; PostgreSQL's go on, and are not copied."""
    connection = source.connect()
    if source.dialect.name == "postgresql":
        connection = connection.execution_options(isolation_level="REPEATABLE READ")
    return connection


def _copy(table: sa.Table, reader: sa.Connection, writer: sa.Connection) -> Content:
    """Copy a table; a row that names another one of the same table gets that name afterwards."""
    content = Content(0, 0)
    no_parents: Row = dict.fromkeys(column.name for column in _parents(table))
    for rows in _pieces(table, reader):
        content = _add(content, rows)
        writer.execute(sa.insert(table), [row | no_parents for row in rows])
    return content


def _pieces(table: sa.Table, connection: sa.Connection) -> Iterator[list[Row]]:
    """All rows, some at a time, in the order of the primary key."""
    key = list(table.primary_key.columns)
    select = sa.select(table).order_by(*key).limit(ROWS_AT_ONCE)
    rows = _read(connection, select)
    while rows:
        yield rows
        last = [rows[-1][column.name] for column in key]
        after = sa.tuple_(*key) > sa.tuple_(*map(sa.literal, last))
        rows = _read(connection, select.where(after))


def _read(connection: sa.Connection, select: sa.Select[Any]) -> list[Row]:
    return [dict(row._mapping) for row in connection.execute(select)]


def _parents(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns that name a row of the same table."""
    return [key.parent for key in table.foreign_keys if key.column.table is table]


def _copy_parents(reader: sa.Connection, writer: sa.Connection) -> None:
    for table in Base.metadata.sorted_tables:
        for column in _parents(table):
            this_row = table.c.id == sa.bindparam("row_id")
            update = sa.update(table).where(this_row).values({column: sa.bindparam("parent")})
            for rows in _pieces(table, reader):
                pairs = [(row["id"], row[column.name]) for row in rows]
                named = [{"row_id": row, "parent": parent} for row, parent in pairs if parent]
                if named:
                    writer.execute(update, named)


def _add(content: Content, rows: Sequence[Row]) -> Content:
    digests = sum(_digest(row) for row in rows)
    checksum = (content.checksum + digests) % 2**CHECKSUM_BITS
    return Content(content.rows + len(rows), checksum)


def _digest(row: Row) -> int:
    text = orjson.dumps(row, default=_plain, option=orjson.OPT_SORT_KEYS)
    digest = blake2b(text, digest_size=CHECKSUM_BITS // 8)
    return int.from_bytes(digest.digest(), "big")


def _plain(value: Any) -> str:
    """What JSON has no form for: bytes, which psycopg2 gives as a memoryview."""
    return bytes(value).hex()


def _compare(copied: dict[sa.Table, Content], writer: sa.Connection) -> None:
    """Read back what was written.

    Raises:
        ValueError: It is not what was read.
    """
    for table, expected in copied.items():
        found = Content(0, 0)
        for piece in _pieces(table, writer):
            found = _add(found, piece)
        if found != expected:
            rows = f"{expected.rows} rows were read, {found.rows} are there"
            checksums = f"checksums {expected.checksum:x} and {found.checksum:x}"
            raise ValueError(f"{table.name} differs: {rows}, {checksums}; drop that database")
