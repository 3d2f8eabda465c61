"""The engines: one for writes, in transactions; for reads one or two, in AUTOCOMMIT."""

import math
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from select import select
from typing import Any

import orjson
import psycopg2
import sqlalchemy as sa
from flask import Flask
from prometheus_client import Gauge
from psycopg2 import extensions as driver

from config import ConfigError, Settings
from taskapp.database.encoding import encode
from taskapp.extensions import db

OnStatement = Callable[[Any, float], None]
POOL_CONNECTIONS = Gauge(
    "taskapp_database_pool_connections", "Open database connections.", multiprocess_mode="livesum"
)
# A sync worker runs one request at a time; the rest is for threads of tests and of gthread.
POOL = {"pool_size": 2, "max_overflow": 14, "pool_timeout": 5}
# Milliseconds: a statement may not hold a worker for longer, a lock may not be waited for longer.
STATEMENT_TIMEOUT, LOCK_TIMEOUT = 10_000, 5_000
# Seconds without a byte from the server: one that is alive ends a statement before that.
CONNECT_TIMEOUT, RESPONSE_TIMEOUT = 3, 12
PING_AFTER_IDLE = 0.1  # seconds
SQLITE_BUSY_TIMEOUT = 10  # seconds that a writer waits for the other writers


def configure(app: Flask, settings: Settings, on_statement: OnStatement) -> None:
    """Make the engines; `on_statement` is called with each statement and its seconds."""
    _, sqlite, path = settings.database_url.partition("sqlite:///")
    options = _sqlite(Path(path), on_statement) if sqlite else _postgresql(on_statement)
    options |= {
        "json_serializer": lambda value: encode(value).decode(),
        "json_deserializer": orjson.loads,
        "hide_parameters": True,  # what people wrote does not go into a log
    }
    writes = {**options, **POOL, "url": settings.database_url}
    # Nothing of a read has to be rolled back.
    reads = {**writes, "isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}
    binds = {None: writes, "reads": reads}
    if settings.database_replica_url:  # its state is compared before each use, which is a ping, too
        binds["replica"] = {**reads, "url": settings.database_replica_url}
    app.config["SQLALCHEMY_BINDS"] = binds
    db.init_app(app)
    with app.app_context():
        for engine in db.engines.values():
            sa.event.listen(engine, "connect", lambda *_: POOL_CONNECTIONS.inc())
            sa.event.listen(engine, "close", lambda *_: POOL_CONNECTIONS.dec())
            if sqlite:
                sa.event.listen(engine, "connect", _prepare_sqlite)
            else:
                _ping_after_idle(engine)
        if sqlite:
            sa.event.listen(db.engine, "begin", _begin_immediate)


def _postgresql(on_statement: OnStatement) -> dict[str, Any]:
    timeouts = f"-c statement_timeout={STATEMENT_TIMEOUT} -c lock_timeout={LOCK_TIMEOUT}"
    driver.set_wait_callback(_wait)
    options = f"-c timezone=UTC {timeouts}"
    cursor = _timed(driver.cursor, on_statement)
    return {"connect_args": {"options": options, "cursor_factory": cursor}}


def _timed(cursor: Any, on_statement: OnStatement) -> Any:
    """A driver's cursor that reports each statement's time: the engine's events cost far more."""

    class Timed(cursor):  # type: ignore[misc]  # one of two
        def execute(self, statement: Any, *values: Any) -> Any:
            return self._time(super().execute, statement, *values)

        def executemany(self, statement: Any, *values: Any) -> Any:
            return self._time(super().executemany, statement, *values)

        def _time(self, run: Callable[..., Any], statement: Any, *values: Any) -> Any:
            began = time.perf_counter()
            try:
                return run(statement, *values)
            finally:
                on_statement(statement, time.perf_counter() - began)

    return Timed


def _timed_sqlite(on_statement: OnStatement) -> type[sqlite3.Connection]:
    timed = _timed(sqlite3.Cursor, on_statement)

    class TimedSqlite(sqlite3.Connection):
        def cursor(self, factory: Any = timed) -> Any:
            return super().cursor(factory)

    return TimedSqlite


def _ping_after_idle(engine: sa.Engine) -> None:
    """An idle connection may be gone; one just used hardly is, and a ping costs a round trip."""

    def note_use(_: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    def ping(connection: Any, record: Any, _: Any) -> None:
        idle = time.monotonic() - record.info.get("used", math.inf)
        if idle <= PING_AFTER_IDLE:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg2.Error:
            raise sa.exc.InvalidatePoolError from None

    sa.event.listen(engine, "checkin", note_use)
    sa.event.listen(engine, "checkout", ping)


def _wait(connection: Any) -> None:
    """Wait for PostgreSQL, but not for ever: a frozen one keeps connections and sends nothing."""
    connecting = connection.status == driver.STATUS_SETUP
    timeout = CONNECT_TIMEOUT if connecting else RESPONSE_TIMEOUT
    while True:
        state = connection.poll()
        if state == driver.POLL_OK:
            return
        readers = [connection] if state == driver.POLL_READ else []
        writers = [connection] if state == driver.POLL_WRITE else []
        if not any(select(readers, writers, [], timeout)):
            raise psycopg2.OperationalError("the server does not answer")


def _sqlite(path: Path, on_statement: OnStatement) -> dict[str, Any]:
    """Refuses a file that is not a database, or that may not be written, at the start."""
    if path.exists():
        try:
            with path.open("rb+") as file:
                head = file.read(16)
        except OSError as error:
            raise ConfigError(f"DATABASE_URL: {path} cannot be opened: {error.strerror}") from None
        if head not in (b"", b"SQLite format 3\0"):
            raise ConfigError(f"DATABASE_URL: {path} is not a SQLite database")
    connection = _timed_sqlite(on_statement)
    return {"connect_args": {"timeout": SQLITE_BUSY_TIMEOUT, "factory": connection}}


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN is deferred: ours are not
    connection.create_function("lower", 1, str.lower)  # SQLite's own knows only A to Z
    for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    """A transaction that may write says so at once: a deferred one fails when it must wait."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
