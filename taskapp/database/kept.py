"""The connection for reads that a worker keeps from one request to the next.

To take one from SQLAlchemy's pool and to hand it back costs as much as a statement.
"""

import time
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app

RESTED = 0.1  # seconds; an idle connection may be gone, one just used hardly is


class Kept:
    """One connection outside the pool, in no transaction; every other is the pool's, as ever."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.stock: list[tuple[sa.Connection, float]] = []  # one at most, and since when
        sa.event.listen(engine, "engine_disposed", lambda _: self.drop())

    def take(self) -> sa.Connection:
        try:
            connection, since = self.stock.pop()
        except IndexError:
            return self.engine.connect()
        if time.monotonic() - since <= RESTED or self._is_alive(connection):
            return connection
        _end(connection)
        return self.engine.connect()

    def put(self, connection: sa.Connection) -> None:
        """Keep it; one that was lost, or has begun a transaction, is for the pool to mend."""
        is_fit = not connection.invalidated and not connection.in_transaction()
        if is_fit and not self.stock:
            self.stock.append((connection, time.monotonic()))
        else:
            connection.close()

    def drop(self) -> None:
        while self.stock:
            connection, _ = self.stock.pop()
            _end(connection)

    def _is_alive(self, connection: sa.Connection) -> bool:
        dialect = self.engine.dialect
        if dialect.name == "sqlite":  # a file has no server that could be gone
            return True
        driver: Any = connection.connection.dbapi_connection
        try:
            return bool(dialect.do_ping(driver))
        except dialect.loaded_dbapi.Error:
            return False


def configure(app: Flask, engine: sa.Engine) -> None:
    app.extensions["taskapp.kept"] = Kept(engine)


def kept() -> Kept:
    """That of this app."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy: it costs
    of_app: Kept = app.extensions["taskapp.kept"]
    return of_app


def _end(connection: sa.Connection) -> None:
    connection.invalidate()
    connection.close()
