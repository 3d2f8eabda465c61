"""Reads that a replica answers, where there is one: only what it holds already, so nobody can tell.

A replica is always somewhat behind. What a list shows depends on the projects that its caller sees
and on their revisions: once the replica tells the same of them as the primary has just done, it
holds all that the list needs, whatever else it still lacks.
"""

import logging
import time
from contextlib import ExitStack
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from flask import g
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from taskapp.extensions import db

QUIET = 30.0  # seconds that a replica is left alone when it failed: a dead host costs 3 s each time
ASKED = Counter("taskapp_replica_asked", "Whether the replica could answer.", ["outcome"])
_quiet_until: WeakKeyDictionary[sa.Engine, float] = WeakKeyDictionary()
log = logging.getLogger(__name__)


class Nearby(ExitStack):
    """Stands where the request's connection for reads stood, and asks the replica first.

    Whether that may answer is settled at the first read, since a remembered list has none. It
    stays so: an export may not go back in time. What fails there is asked of the primary.
    """

    def __init__(self, engine: sa.Engine, primary: sa.Connection, *question: Any) -> None:
        super().__init__()
        self.engine, self.primary, self.question = engine, self.enter_context(primary), question
        self.replica: sa.Connection | None = None

    def execute(self, statement: sa.Executable, values: Any = None) -> sa.Result[Any]:
        try:
            if self.question:
                self._settle(*self.question)
            if self.replica:
                return self.replica.execute(statement, values)
        except SQLAlchemyError as error:
            self.replica, _quiet_until[self.engine] = None, time.monotonic() + QUIET
            ASKED.labels("failed").inc()
            log.warning("replica fails, going on without it: %s", str(error).partition("\n")[0])
        return self.primary.execute(statement, values)

    def _settle(self, statement: sa.Executable, values: Any, told: list[Any]) -> None:
        self.question = ()
        replica = self.enter_context(self.engine.connect())
        reached = replica.execute(statement, values).all() == told
        ASKED.labels("reached" if reached else "behind").inc()
        self.replica = replica if reached else None


def prefer(statement: sa.Executable, values: dict[str, Any], told: list[Any]) -> None:
    """Let a replica answer the reads to come, if it says of this what the primary has told."""
    engine = db.engines.get("replica")
    if engine is not None and time.monotonic() >= _quiet_until.get(engine, 0.0):
        g.reads = Nearby(engine, g.reads, statement, values, told)
