"""Counters in a SQLite file, for all workers of one machine; losing it loses nothing else."""

import sqlite3
import threading
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path

Count = tuple[int, float]  # how many, and until when (seconds since the epoch)
# An end further ahead than a whole window is from before the clock was put back.
_ADD = """
INSERT INTO counters (key, count, expires) VALUES (:key, :amount, :now + :seconds)
ON CONFLICT (key) DO UPDATE SET
  count = iif(expires BETWEEN :now AND excluded.expires + 1, count, 0) + :amount,
  expires = iif(expires BETWEEN :now AND excluded.expires + 1, expires, excluded.expires)
RETURNING count, expires
"""
_LIVE = "SELECT count, expires FROM counters WHERE key = ? AND expires > ?"
_SWEEP = "DELETE FROM counters WHERE expires <= ?"


class CountersFile(threading.local):
    """Counts that end at a time; each thread has a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def connection(self) -> sqlite3.Connection:
        """Opened at its first use, which comes after the server's fork."""
        connection = sqlite3.connect(self.path, timeout=1, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TABLE IF NOT EXISTS counters (key PRIMARY KEY, count, expires)")
        with suppress(sqlite3.Error):  # a full disk has no room even to delete
            connection.execute(_SWEEP, (time.time(),))
        return connection

    def add(self, key: str, amount: int, seconds: int) -> Count:
        """Add to a counter, or begin one that ends in so many seconds; returns its new state."""
        values = {"key": key, "amount": amount, "now": time.time(), "seconds": seconds}
        count: Count = self.connection.execute(_ADD, values).fetchone()
        return count

    def get(self, key: str) -> Count:
        """The counter as it is; one that has ended, or is not there, is 0 until now."""
        now = time.time()
        return self.connection.execute(_LIVE, (key, now)).fetchone() or (0, now)

    def sweep(self) -> int:
        """Delete counters that have ended; returns how many."""
        return self.connection.execute(_SWEEP, (time.time(),)).rowcount
