"""Counters in a SQLite file, for all workers of one machine; losing it loses nothing else.

Counting never fails. While the file cannot be used each worker counts for itself, in memory; a
damaged file is thrown away.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from taskapp.database.files import create_private, identity_of

Count = tuple[int, float]  # how many, and until when (seconds since the epoch)
RETRY_FILE_AFTER = 5.0  # seconds
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# An end further ahead than a whole window is from before the clock was put back.
_ADD = """
INSERT INTO counters (key, count, expires) VALUES {rows}
ON CONFLICT (key) DO UPDATE SET
  count = iif(expires BETWEEN :now AND excluded.expires + 1, count, 0) + excluded.count,
  expires = iif(expires BETWEEN :now AND excluded.expires + 1, expires, excluded.expires)
RETURNING key, count, expires
"""
_LIVE = "SELECT count, expires FROM counters WHERE key = :key AND expires > :now"
_SWEEP = "DELETE FROM counters WHERE expires <= :now RETURNING 1"
_CREATE = "CREATE TABLE IF NOT EXISTS counters (key PRIMARY KEY, count, expires)"
log = logging.getLogger(__name__)


@cache
def _add_statement(size: int) -> str:
    rows = [f"(:key_{each}, :amount, :now + :seconds_{each})" for each in range(size)]
    return _ADD.format(rows=", ".join(rows))


class CountersFile(threading.local):
    """Counts that end at a time; each thread has a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.identity: tuple[int, int] | None = None
        self.retry_at = 0.0  # monotonic seconds

    @cached_property
    def connection(self) -> sqlite3.Connection:
        """Opened at its first use, which comes after the server's fork."""
        create_private(self.path)
        self.identity = identity_of(self.path)
        connection = sqlite3.connect(self.path, timeout=1, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(_CREATE)
        except sqlite3.Error:
            connection.close()
            raise
        with suppress(sqlite3.Error):  # a full disk has no room even to delete
            connection.execute(_SWEEP, {"now": time.time()})
        return connection

    @cached_property
    def memory(self) -> sqlite3.Connection:
        """The counters of this worker alone, while there is no file."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.execute(_CREATE)
        return connection

    def add(self, key: str, amount: int, seconds: int) -> Count:
        """Add to a counter, or begin one that ends in so many seconds; returns its new state."""
        return self.add_all([(key, seconds)], amount)[key]

    def add_all(self, keys: Sequence[tuple[str, int]], amount: int = 1) -> dict[str, Count]:
        """Add to several counters at once, each with the seconds after which it ends."""
        values: dict[str, Any] = {"now": time.time(), "amount": amount}
        for number, (key, seconds) in enumerate(keys):
            values[f"key_{number}"] = key
            values[f"seconds_{number}"] = seconds
        rows = self._execute(_add_statement(len(keys)), values)
        return {key: (count, ends) for key, count, ends in rows}

    def get(self, key: str) -> Count:
        """The counter as it is; one that has ended, or is not there, is 0 until now."""
        now = time.time()
        for count, ends in self._execute(_LIVE, {"key": key, "now": now}):
            return count, ends
        return 0, now

    def sweep(self) -> int:
        """Delete counters that have ended; returns how many."""
        return len(self._execute(_SWEEP, {"now": time.time()}))

    def is_first_this_minute(self, key: str) -> bool:
        """For what all workers together say at most once a minute."""
        count, _ = self.add(key, 1, 60)
        return count == 1

    def state(self) -> str:
        """What a write to the file says now: "ok" or "down"."""
        self.retry_at = 0.0
        self.add("check", 1, 1)
        return "ok" if self.retry_at == 0.0 else "down"

    def _execute(self, statement: str, values: dict[str, Any]) -> list[Any]:
        if time.monotonic() >= self.retry_at:
            try:
                self._reopen_if_replaced()
                return self.connection.execute(statement, values).fetchall()
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)
        return self.memory.execute(statement, values).fetchall()

    def _reopen_if_replaced(self) -> None:
        if self.identity is not None and identity_of(self.path) != self.identity:
            self._close()

    def _give_up(self, error: Exception) -> None:
        self.retry_at = time.monotonic() + RETRY_FILE_AFTER
        damaged = getattr(error, "sqlite_errorcode", None) in DAMAGED
        if damaged and identity_of(self.path) == self.identity:
            for suffix in ("", "-wal", "-shm"):
                with suppress(OSError):
                    Path(f"{self.path}{suffix}").unlink()
        self._close()
        self.memory.execute(_SWEEP, {"now": time.time()})
        if self.is_first_this_minute("counters warning"):
            action = "throwing it away" if damaged else "each worker counts for itself"
            log.warning("counters file unavailable, %s: %s", action, error)

    def _close(self) -> None:
        self.identity = None
        connection = vars(self).pop("connection", None)
        if connection is not None:
            connection.close()
