"""SQLite as this service uses it: many readers, one writer, and no statement without an end."""

import logging
import math
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

import sqlalchemy as sa
from flask import current_app, has_request_context

from config import ConfigError
from taskapp.database import long_writes
from taskapp.database.files import Identity, create_private, identity_of
from taskapp.database.redis import shared
from taskapp.database.timing import OnStatement, timed
from taskapp.errors import DatabaseUnavailable

STATEMENT_TIMEOUT = 10.0  # seconds, of a request's statement
BUSY_TIMEOUT = 10.0  # seconds that a writer waits for the other writers
LOOK_EVERY = 5  # milliseconds that it waits before it looks who they are
STEPS_BETWEEN_LOOKS = 50_000  # of SQLite's virtual machine: about a millisecond
HEADERS = (b"", b"SQLite format 3\0")
PRAGMAS = ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL")
BEGIN = "BEGIN IMMEDIATE"
LOG_TIMEOUT = 1000  # milliseconds that the log of a replaced file may be waited for
REPLACED = "The database file was replaced or removed while the service runs: restart the service."
OPEN: WeakSet[Any] = WeakSet()  # connections of this process
log = logging.getLogger(__name__)


class DatabaseFile:
    """The file of a database, which must stay the same while the service runs.

    Writes into a file that has lost its name would be lost, and one log beside two files damages
    the second.
    """

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.identity: Identity | None = identity_of(self.path)

    def check(self) -> None:
        """Refuse to go on with another file than at the start.

        Raises:
            DatabaseUnavailable: The file was replaced or removed.
        """
        if self.is_replaced():
            if shared().file.is_first_this_minute("database file replaced"):
                log.error("the database file was replaced or removed: restart the service")
            raise DatabaseUnavailable(REPLACED)

    def is_replaced(self) -> bool:
        """Whether there is another file than at the start, or none."""
        found = identity_of(self.path)
        if self.identity is None:  # it was created later
            self.identity = found
        return found != self.identity

    def create_if_missing(self) -> None:
        """Before the first connection, which would create it for everybody to read."""
        with suppress(OSError):  # SQLite says the same in its own words
            if self.identity is None:
                create_private(self.path)

    def accept(self) -> None:
        """Go on with the file that is there now: a restore has just put it there."""
        self.identity = identity_of(self.path)


def database_file() -> DatabaseFile:
    """The file of this app's database, where that is SQLite."""
    file: DatabaseFile = current_app.extensions["taskapp.database_file"]
    return file


def check_file(path: Path) -> None:
    """Refuse a file that is not a database, or that may not be written, at the start.

    Raises:
        ConfigError: It is no such file.
    """
    if not path.exists():
        return
    try:
        with path.open("rb+") as file:
            header = file.read(16)
    except OSError as error:
        raise ConfigError(f"DATABASE_URL: {path} cannot be opened: {error.strerror}") from None
    if header not in HEADERS:
        raise ConfigError(f"DATABASE_URL: {path} is not a SQLite database")


def options(on_statement: OnStatement) -> dict[str, Any]:
    connection = _connection_class(on_statement)
    return {"connect_args": {"timeout": BUSY_TIMEOUT, "factory": connection}}


def listen(engine: sa.Engine, file: DatabaseFile) -> None:
    """Prepare each connection of an engine, and look at the file before each."""

    def before_connect(*_: Any) -> None:
        file.create_if_missing()
        file.check()

    sa.event.listen(engine, "do_connect", before_connect)
    sa.event.listen(engine, "connect", _prepare)


def listen_to_writes(engine: sa.Engine, file: DatabaseFile) -> None:
    """A transaction that may write says so at once: a deferred one fails when it must wait."""

    def begin(connection: sa.Connection) -> None:
        if file.is_replaced():
            empty_log(connection.connection)
        file.check()
        _begin_immediate(connection)

    sa.event.listen(engine, "connect", _wait_briefly)
    sa.event.listen(engine, "begin", begin)


def _begin_immediate(connection: sa.Connection) -> None:
    """On the driver's cursor, as hot statements are; an error is SQLAlchemy's all the same."""
    cursor = connection.connection.cursor()
    try:
        _wait_for_lock(cursor)
    except sqlite3.Error as error:
        connection._handle_dbapi_exception(error, BEGIN, None, cursor, None)
    finally:
        cursor.close()


def _wait_for_lock(cursor: Any) -> None:
    """Begin, after other writers; behind a long write only as long as it may hold others up."""
    ends = 0.0
    while True:
        try:
            cursor.execute(BEGIN)
        except sqlite3.OperationalError as error:
            at = time.monotonic()
            ends = ends or at + BUSY_TIMEOUT
            if not _is_busy(error) or at > ends or _is_in_the_way():
                raise
        else:
            return


def _is_busy(error: sqlite3.Error) -> bool:
    """Also while another process recovers the file: the low byte has the kind (SQLite's C API)."""
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _is_in_the_way() -> bool:
    return has_request_context() and long_writes.is_in_the_way()


def _wait_briefly(connection: Any, _: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout = {LOOK_EVERY}")


def drop_pages() -> None:
    """Free the pages that open connections hold, 2 MB each: the system has the file in memory."""
    for connection in list(OPEN):
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA shrink_memory")


def empty_log(connection: Any) -> None:
    """Move what is still in the log (WAL) of a replaced file into that file.

    The log keeps its name, and whoever opened the new file would apply it to that one.
    """
    with suppress(sqlite3.Error):
        connection.execute(f"PRAGMA busy_timeout = {LOG_TIMEOUT}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000:.0f}")


def _connection_class(on_statement: OnStatement) -> type[sqlite3.Connection]:
    timed_cursor = timed(sqlite3.Cursor, on_statement)

    class BoundedConnection(sqlite3.Connection):
        """Each statement of a request ends in time; commands may take as long as they need."""

        deadline = math.inf  # monotonic seconds

        def cursor(self, factory: Any = timed_cursor) -> Any:
            """SQLAlchemy takes one for each statement."""
            in_request = has_request_context()
            self.deadline = time.monotonic() + STATEMENT_TIMEOUT if in_request else math.inf
            return super().cursor(factory)

        def is_late(self) -> bool:
            return time.monotonic() > self.deadline

    return BoundedConnection


def _prepare(connection: Any, _: Any) -> None:
    OPEN.add(connection)
    connection.isolation_level = None  # the driver's own BEGIN is deferred: ours are not
    connection.create_function("lower", 1, str.lower)  # SQLite's own knows only A to Z
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    connection.set_progress_handler(connection.is_late, STEPS_BETWEEN_LOOKS)
