"""Reads that a replica answers, where there is one: only what it has already received.

A replica is always somewhat behind. What a list shows depends on the projects that its caller sees
and on their revisions: once the replica returns the same ones as the primary has just done, it
holds all that the list needs, whatever else it still lacks.
"""

import logging
import time
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from flask import g
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from taskapp.extensions import db

RETRY_REPLICA_AFTER = 30.0  # seconds: a dead host costs 3 s each time
LOOKUPS = Counter("taskapp_replica_asked", "Reads offered to the replica, by outcome.", ["outcome"])
_retry_at: WeakKeyDictionary[sa.Engine, float] = WeakKeyDictionary()
log = logging.getLogger(__name__)


class ReplicaFirst:
    """The request's connection for reads, which tries the replica before the primary.

    The replica may answer if it returns the same rows as the primary for `statement`. That is
    compared at the first read, since a cached list has none, and holds for the whole request: an
    export may not go back in time. A read that fails on the replica is run on the primary.
    """

    def __init__(
        self,
        engine: sa.Engine,
        primary: sa.Connection,
        statement: sa.Executable,
        values: dict[str, Any],
        expected: list[Any],
    ) -> None:
        self.engine = engine
        self.primary = primary
        self.statement = statement
        self.values = values
        self.expected = expected
        self.compared = False
        self.connection: sa.Connection | None = None
        self.replica: sa.Connection | None = None  # once it has caught up

    def execute(self, statement: sa.Executable, values: Any = None) -> sa.Result[Any]:
        try:
            if not self.compared:
                self._compare()
            if self.replica is not None:
                return self.replica.execute(statement, values)
        except SQLAlchemyError as error:
            self._give_up(error)
        return self.primary.execute(statement, values)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.primary.close()

    def _compare(self) -> None:
        self.compared = True
        self.connection = self.engine.connect()
        rows = self.connection.execute(self.statement, self.values).all()
        caught_up = rows == self.expected
        LOOKUPS.labels("reached" if caught_up else "behind").inc()
        if caught_up:
            self.replica = self.connection

    def _give_up(self, error: SQLAlchemyError) -> None:
        self.replica = None
        _retry_at[self.engine] = time.monotonic() + RETRY_REPLICA_AFTER
        LOOKUPS.labels("failed").inc()
        reason = str(error).partition("\n")[0]
        log.warning("replica unavailable, continuing without it: %s", reason)


def prefer(statement: sa.Executable, values: dict[str, Any], expected: list[Any]) -> None:
    """Let a replica answer the reads to come, if it returns `expected` for this statement, too."""
    engine = db.engines.get("replica")
    if engine is None or time.monotonic() < _retry_at.get(engine, 0.0):
        return
    g.reads = ReplicaFirst(engine, g.reads, statement, values, expected)
