"""How Alembic meets the app's database: one transaction, one migration at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import context
from flask import current_app
from psycopg2.extensions import set_wait_callback

from taskapp.errors import DatabaseUnavailable
from taskapp.extensions import db
from taskapp.schema import Base

# What migrations leave to be done in pieces, once the schema is committed.
AFTER_COMMIT: list[Callable[[sa.Connection], object]] = []
INDEXES_OF_MIGRATIONS = {"ix_tasks_open_due", "ix_tasks_open_created", "ix_tasks_repeating"}
INDEXES_OF_MIGRATIONS |= {"ix_tasks_latest_due", "ix_tasks_project_words"}
LOCK = 0x7461736B  # any number, the same for all: "task"


def ours(_: Any, name: str | None, kind: str, *__: Any) -> bool:
    """Leave out what no model names: FTS5's tables, and indexes with options of one database."""
    if name in INDEXES_OF_MIGRATIONS:
        return False
    return not (kind == "table" and (name or "").startswith("task_words"))


def migrate(connection: sa.Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=ours,
        after_commit=AFTER_COMMIT,
        **current_app.extensions["migrate"].configure_args,
    )
    context.run_migrations()


def on_postgresql(connection: sa.Connection) -> None:
    with connection.begin():
        # A migration may take long, but may not make the service wait long for its locks.
        set_wait_callback(None)
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        migrate(connection)


def on_sqlite(connection: sa.Connection) -> None:
    # Rebuilding a table would delete its children through their cascades: off around the
    # migration (inside a transaction the pragma does nothing), and checked before the commit.
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        with connection.begin():
            migrate(connection)
            orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if orphans:
                raise RuntimeError(f"this migration leaves rows without parents: {orphans[:5]}")
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


engine = context.config.attributes.get("engine", db.engine)  # ops/copy_to.py migrates another one
try:
    engine_connection = engine.connect()
except DatabaseUnavailable as refusal:  # in an encoding that cannot hold what people write
    raise SystemExit(f"taskapp: {refusal.detail}") from None
with engine_connection as connection:
    {"postgresql": on_postgresql, "sqlite": on_sqlite}[connection.dialect.name](connection)
    for work in AFTER_COMMIT:
        work(connection)
