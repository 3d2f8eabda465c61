"""The engines: one for writes, in transactions; for reads one or two, in AUTOCOMMIT.

What concerns PostgreSQL alone is imported late: a service on SQLite does not need the driver.
"""

from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from flask import Flask
from prometheus_client import Gauge

from config import Settings
from taskapp.database import kept, sqlite
from taskapp.database.encoding import encode
from taskapp.database.timing import OnStatement
from taskapp.extensions import db

POOL_CONNECTIONS = Gauge(
    "taskapp_database_pool_connections", "Open database connections.", multiprocess_mode="livesum"
)
# A sync worker runs one request at a time; the rest is for threads of tests and of gthread.
POOL = {"pool_size": 2, "max_overflow": 14, "pool_timeout": 5}
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
        from taskapp.database import postgresql

        options = postgresql.options(on_statement)
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
        from taskapp.database import postgresql

        connect_args = {"options": postgresql.STARTUP}
        engine = sa.create_engine(_url(database_url), connect_args=connect_args, **COMMON)
        sa.event.listen(engine, "connect", postgresql.check_encoding)
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
    kept.configure(app, db.engines["reads"])
    for engine in db.engines.values():
        sa.event.listen(engine, "connect", lambda *_: POOL_CONNECTIONS.inc())
        sa.event.listen(engine, "close", lambda *_: POOL_CONNECTIONS.dec())
    if path is None:
        from taskapp.database import postgresql

        for engine in db.engines.values():
            postgresql.listen(engine)
        return
    file = sqlite.DatabaseFile(path)
    app.extensions["taskapp.database_file"] = file
    for engine in db.engines.values():
        sqlite.listen(engine, file)
    sqlite.listen_to_writes(db.engine, file)
