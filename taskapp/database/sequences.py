"""What gives rows their ids: an id that was given once is never given again."""

import sqlalchemy as sa

from taskapp.schema import Base

# SQLite has a row for each table that ever had one (sqlite.org/autoinc.html).
SQLITE_SEQUENCES = sa.table("sqlite_sequence", sa.column("name"), sa.column("seq"))


def counted_tables() -> list[sa.Table]:
    """The tables whose ids come from a sequence."""
    tables = Base.metadata.sorted_tables
    return [table for table in tables if table.autoincrement_column is not None]


def last_ids(connection: sa.Connection) -> dict[str, int]:
    """The highest id that each table has ever given, as {table: id}."""
    if connection.dialect.name == "sqlite":
        return _last_ids_of_sqlite(connection)
    return {table.name: _last_id_of_postgresql(connection, table) for table in counted_tables()}


def raise_to(connection: sa.Connection, least: dict[str, int]) -> None:
    """Let the next row of each table have a higher id than `least` says, as {table: id}."""
    given = last_ids(connection)
    for name, last in least.items():
        highest = max(last, given.get(name, 0))
        if highest == 0:
            continue
        if connection.dialect.name == "sqlite":
            _set_sqlite(connection, name, highest)
        else:
            sequence = sa.func.pg_get_serial_sequence(name, "id")
            connection.execute(sa.select(sa.func.setval(sequence, highest)))


def _last_ids_of_sqlite(connection: sa.Connection) -> dict[str, int]:
    """Also of a table that has no sequence: there, that of its newest row."""
    given: dict[str, int] = dict(connection.execute(sa.select(SQLITE_SEQUENCES)).all())
    for table in counted_tables():
        if table.name not in given:
            newest = connection.scalar(sa.select(sa.func.max(table.c.id)))
            given[table.name] = newest or 0
    return given


def _last_id_of_postgresql(connection: sa.Connection, table: sa.Table) -> int:
    last = sa.text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:name, 'id')::regclass)")
    return connection.scalar(last, {"name": table.name}) or 0


def _set_sqlite(connection: sa.Connection, name: str, highest: int) -> None:
    column = SQLITE_SEQUENCES.c
    updated = connection.execute(
        sa.update(SQLITE_SEQUENCES).where(column.name == name).values(seq=highest)
    )
    if updated.rowcount == 0 and _autoincrements(name):
        connection.execute(sa.insert(SQLITE_SEQUENCES).values(name=name, seq=highest))


def _autoincrements(name: str) -> bool:
    options = Base.metadata.tables[name].dialect_options["sqlite"]
    return bool(options["autoincrement"])
