"""Statements that PostgreSQL parses and plans once, on each connection that runs them.

To plan one of those that nearly every request needs takes PostgreSQL several times as long as to
run it. PREPARE and EXECUTE are SQL, because the driver speaks the simple protocol alone. The name
is made of the text, so that it means the same wherever it is known.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

KNOWN = "names of prepared statements"  # in the info of a connection that may have some
MOST = 50  # on one connection, whose process at PostgreSQL takes some 100 KB for each
# A pooler that hands out another connection for each transaction drops the start-up options: where
# this one does not arrive, what is prepared now may not be there the next time.
_MARK = "taskapp.direct"
STARTUP = f"-c {_MARK}=on"
_ARRIVED = f"SELECT current_setting('{_MARK}', true) = 'on'"
# invalid_sql_statement_name, duplicate_prepared_statement, and feature_not_supported, which says
# that a table has changed so far that the plan's rows would have other types.
SPOILED = {"26000", "42P05", "0A000"}


class Call(str):
    """The text that runs a prepared statement, and the text of that."""

    __slots__ = ("statement",)
    statement: str


class Prepared:
    """A statement by its name; its constants stand in it, its parameters are called by theirs."""

    def __init__(self, text: str, names: Sequence[str], constants: dict[str, Any]) -> None:
        from psycopg2.extensions import AsIs  # which a service on SQLite does not load

        self.text = text
        places = {name: AsIs(f"${number}") for number, name in enumerate(names, 1)}
        self.values = constants | places
        digest = blake2b(repr((text, constants)).encode(), digest_size=12).hexdigest()
        self.name = f"taskapp_{digest}"
        parameters = ", ".join(f"%({name})s" for name in names)
        self.call = Call(f"EXECUTE {self.name} ({parameters})")
        self.call.statement = text

    def text_on(self, connection: Any) -> str:
        """What runs it on this connection of the pool, which prepares it where it can."""
        known: set[str] | None = connection.info.get(KNOWN)
        if known is None:
            return self.text
        if self.name not in known:
            if len(known) == MOST:
                return self.text
            self._prepare(connection)
            known.add(self.name)
        return self.call

    def _prepare(self, connection: Any) -> None:
        with untimed(connection) as cursor:
            statement = cursor.mogrify(self.text, self.values)
            cursor.execute(b"PREPARE %b AS %b" % (self.name.encode(), statement))


def allow(connection: Any, record: Any) -> None:
    """Prepare on a new connection to the server, unless a pooler is in between."""
    with untimed(connection) as cursor:
        cursor.execute(_ARRIVED)
        (arrived,) = cursor.fetchone()
    connection.rollback()
    if arrived:
        record.info[KNOWN] = set()


def drop_spoiled(context: Any) -> None:
    """Take a connection whose prepared statements are no good for a lost one."""
    if getattr(context.original_exception, "pgcode", None) in SPOILED:
        context.is_disconnect = True


def untimed(connection: Any) -> Any:
    """A cursor for what is no statement of a request."""
    from psycopg2.extensions import cursor  # as above

    return connection.cursor(cursor_factory=cursor)
