"""The engines: one for writes, in transactions; for reads one or two, in AUTOCOMMIT."""

import math
import time
from pathlib import Path
from select import select
from typing import Any

import orjson
import psycopg2
import sqlalchemy as sa
from flask import Flask
from prometheus_client import Gauge
from psycopg2 import extensions as driver

from config import Settings
from taskapp.database import prepared, sqlite
from taskapp.database.encoding import encode
from taskapp.database.timing import OnStatement, timed
from taskapp.errors import DatabaseUnavailable
from taskapp.extensions import db

POOL_CONNECTIONS = Gauge(
    "taskapp_database_pool_connections", "Open database connections.", multiprocess_mode="livesum"
)
# A sync worker runs one request at a time; the rest is for threads of tests and of gthread.
POOL = {"pool_size": 2, "max_overflow": 14, "pool_timeout": 5}
# Milliseconds: a statement may not hold a worker for longer, a lock may not be waited for longer.
STATEMENT_TIMEOUT, LOCK_TIMEOUT = 10_000, 5_000
# Seconds without a byte from the server: one that is alive ends a statement before that.
CONNECT_TIMEOUT, RESPONSE_TIMEOUT = 3, 12
STARTUP = "-c timezone=UTC -c client_encoding=UTF8"  # options of each connection to PostgreSQL
PING_AFTER_IDLE = 0.1  # seconds
COMMON: dict[str, Any] = {
    "json_serializer": lambda value: encode(value).decode(),
    "json_deserializer": orjson.loads,
    "hide_parameters": True,  # what people wrote does not go into a log
}


def configure(app: Flask, settings: Settings, on_statement: OnStatement) -> None:
    """Make the engines; `on_statement` is called with each statement and its seconds."""
    path = sqlite_path(settings.database_url)
    if path is not None:
        sqlite.check_file(path)
        options = sqlite.options(on_statement)
    else:
        options = _postgresql(on_statement)
    writes = {**options, **COMMON, **POOL, "url": _url(settings.database_url)}
    # Nothing of a read has to be rolled back.
    reads = {**writes, "isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}
    binds = {None: writes, "reads": reads}
    if settings.database_replica_url:  # its state is compared before each use, which is a ping, too
        binds["replica"] = {**reads, "url": settings.database_replica_url}
    app.config["SQLALCHEMY_BINDS"] = binds
    db.init_app(app)
    with app.app_context():
        _listen(app, path)


def apart(database_url: str) -> sa.Engine:
    """An engine for a command that works on another database than the app's.

    Its statements may take as long as they need.

    Raises:
        ConfigError: The file is not a SQLite database, or may not be written.
    """
    path = sqlite_path(database_url)
    if path is None:
        connect_args = {"options": STARTUP}
        engine = sa.create_engine(_url(database_url), connect_args=connect_args, **COMMON)
        sa.event.listen(engine, "connect", _check_encoding)
        return engine
    sqlite.check_file(path)
    file = sqlite.DatabaseFile(path)
    options = sqlite.options(lambda *_: None)
    engine = sa.create_engine(_url(database_url), **options, **COMMON)
    sqlite.listen(engine, file)
    sqlite.listen_to_writes(engine, file)
    return engine


def sqlite_path(database_url: str) -> Path | None:
    """The file of a SQLite database, whatever signs its path holds; PostgreSQL has none."""
    _, is_sqlite, path = database_url.partition("sqlite:///")
    return Path(path) if is_sqlite else None


def _url(database_url: str) -> sa.URL:
    path = sqlite_path(database_url)
    if path is None:
        return sa.make_url(database_url)
    return sa.URL.create("sqlite", database=str(path))


def _listen(app: Flask, path: Path | None) -> None:
    for engine in db.engines.values():
        sa.event.listen(engine, "connect", lambda *_: POOL_CONNECTIONS.inc())
        sa.event.listen(engine, "close", lambda *_: POOL_CONNECTIONS.dec())
    if path is None:
        for engine in db.engines.values():
            sa.event.listen(engine, "connect", _check_encoding)
            sa.event.listen(engine, "connect", prepared.allow)
            sa.event.listen(engine, "handle_error", prepared.drop_spoiled)
            _ping_after_idle(engine)
        return
    file = sqlite.DatabaseFile(path)
    app.extensions["taskapp.database_file"] = file
    for engine in db.engines.values():
        sqlite.listen(engine, file)
    sqlite.listen_to_writes(db.engine, file)


def _postgresql(on_statement: OnStatement) -> dict[str, Any]:
    timeouts = f"-c statement_timeout={STATEMENT_TIMEOUT} -c lock_timeout={LOCK_TIMEOUT}"
    driver.set_wait_callback(_wait)
    cursor = timed(driver.cursor, on_statement)
    startup = f"{STARTUP} {prepared.STARTUP} {timeouts}"
    connect_args = {"options": startup, "cursor_factory": cursor}
    # Many UPDATEs go in one message; the driver's own executemany waits for each.
    return {"connect_args": connect_args, "executemany_mode": "values_plus_batch"}


def _check_encoding(connection: Any, _: Any) -> None:
    """A database in another encoding fails at the first letter that it lacks."""
    encoding = connection.get_parameter_status("server_encoding")
    if encoding != "UTF8":
        raise DatabaseUnavailable(
            f"DATABASE_URL: the database is in {encoding}; create one with ENCODING 'UTF8'"
            " TEMPLATE template0, and copy the data with pg_dump and pg_restore"
        )


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
