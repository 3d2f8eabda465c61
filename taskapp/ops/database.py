"""The two engines: one for writes, in transactions; one for reads, born in AUTOCOMMIT."""

from typing import Any

import orjson
import sqlalchemy as sa
from flask import Flask

from config import Settings
from taskapp.extensions import db
from taskapp.fields import encode
from taskapp.ops.edge import time_statements

# A sync worker runs one request at a time; the rest is for threads of tests and of gthread.
POOL = {"pool_size": 2, "max_overflow": 14, "pool_timeout": 5}
# Milliseconds: a statement may not hold a worker for longer, a lock may not be waited for longer.
STATEMENT_TIMEOUT, LOCK_TIMEOUT = 20_000, 5_000
SQLITE_BUSY = 10  # seconds that a writer waits for the other writers


def configure(app: Flask, settings: Settings) -> None:
    options = _sqlite() if settings.database_url.startswith("sqlite") else _postgresql()
    options |= {
        "json_serializer": lambda value: encode(value).decode(),
        "json_deserializer": orjson.loads,
        "hide_parameters": True,  # of what people wrote, nothing goes into a log
    }
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {**options, **POOL}
    reads = {**options, **POOL, "url": settings.database_url, "isolation_level": "AUTOCOMMIT"}
    app.config["SQLALCHEMY_BINDS"] = {"reads": reads}
    db.init_app(app)
    with app.app_context():
        for engine in db.engines.values():
            time_statements(engine)
            if engine.dialect.name == "sqlite":
                sa.event.listen(engine, "connect", _prepare_sqlite)
        if db.engine.dialect.name == "sqlite":
            sa.event.listen(db.engine, "begin", _begin_immediate)


def _postgresql() -> dict[str, Any]:
    timeouts = f"-c statement_timeout={STATEMENT_TIMEOUT} -c lock_timeout={LOCK_TIMEOUT}"
    connect = {"connect_timeout": 3, "options": f"-c timezone=UTC {timeouts}"}
    return {"pool_pre_ping": True, "connect_args": connect}


def _sqlite() -> dict[str, Any]:
    return {"connect_args": {"timeout": SQLITE_BUSY}}


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN is deferred: ours are not
    for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    """A transaction that may write says so at once: a deferred one fails when it must wait."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
