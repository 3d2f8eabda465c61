"""Up to which event a reader of all projects can go: no earlier one can still appear.

Event ids grow in the order of commits within a project, under its lock; over all projects a
transaction that began earlier may commit a smaller id later. Whoever leaves an event has a
transaction id before the event has its id, because it locks the project first. So once every
transaction that was running when an event was seen has ended, no smaller event can appear.
SQLite has one writer at a time.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from taskapp.database.session import read
from taskapp.extensions import db
from taskapp.ledger.access import EVENTS

_NEWEST = sa.func.coalesce(sa.func.max(EVENTS.c.id), 0)
_ON_SQLITE = sa.select(_NEWEST)
_ON_POSTGRESQL = sa.select(
    _NEWEST.label("newest"),
    sa.literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::bigint").label("oldest_xid"),
    sa.literal_column("pg_snapshot_xmax(pg_current_snapshot())::text::bigint").label("next_xid"),
)


@dataclass
class Horizon:
    """The newest settled event, and the one that settles when some transactions have ended."""

    settled: int = 0
    waiting_for: int = 0  # the transaction id that none of them has reached
    seen: int = 0

    def advance(self) -> int:
        """Look again; returns the id of the newest event that is settled."""
        if db.engine.dialect.name == "sqlite":
            self.settled = read(_ON_SQLITE).scalar_one()
            return self.settled
        now = read(_ON_POSTGRESQL).one()
        if now.oldest_xid == now.next_xid:  # nobody is writing
            self.settled = now.newest
        elif now.oldest_xid >= self.waiting_for:
            self.settled = max(self.settled, self.seen)
            self.seen, self.waiting_for = now.newest, now.next_xid
        return self.settled
