"""PostgreSQL as this service uses it: no statement without an end, no stale connection."""

import codecs
import math
import time
from select import select
from typing import Any

import psycopg2
import sqlalchemy as sa
from psycopg2 import extensions as driver

from taskapp.database import prepared
from taskapp.database.kept import RESTED
from taskapp.database.timing import OnStatement, timed
from taskapp.errors import DatabaseUnavailable

# Milliseconds: a statement may not hold a worker for longer, a lock may not be waited for longer.
STATEMENT_TIMEOUT, LOCK_TIMEOUT = 10_000, 5_000
# Seconds without a byte from the server: one that is alive ends a statement before that.
CONNECT_TIMEOUT, RESPONSE_TIMEOUT = 3, 12
STARTUP = "-c timezone=UTC -c client_encoding=UTF8"  # options of each connection
CODEC = "taskapp_utf_8"


def _codec(name: str) -> codecs.CodecInfo | None:
    """UTF-8 by its functions in C; each name of a column is decoded, and Python's are in Python."""
    if name != CODEC:
        return None
    return codecs.CodecInfo(codecs.utf_8_encode, codecs.utf_8_decode, name=CODEC)


codecs.register(_codec)
driver.encodings["UTF8"] = CODEC


def options(on_statement: OnStatement) -> dict[str, Any]:
    timeouts = f"-c statement_timeout={STATEMENT_TIMEOUT} -c lock_timeout={LOCK_TIMEOUT}"
    driver.set_wait_callback(_wait)
    cursor = timed(driver.cursor, on_statement)
    startup = f"{STARTUP} {prepared.STARTUP} {timeouts}"
    connect_args = {"options": startup, "cursor_factory": cursor}
    # Many UPDATEs go in one message; the driver's own executemany waits for each.
    return {"connect_args": connect_args, "executemany_mode": "values_plus_batch"}


def listen(engine: sa.Engine) -> None:
    """Prepare each new connection if its encoding is right, and ping one that was idle."""
    sa.event.listen(engine, "connect", check_encoding)
    sa.event.listen(engine, "connect", prepared.allow)
    sa.event.listen(engine, "handle_error", prepared.drop_spoiled)
    _ping_after_idle(engine)


def check_encoding(connection: Any, _: Any) -> None:
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
        if idle <= RESTED:
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
