"""Counters in a SQLite file, for all workers of one machine; losing it loses nothing else.

Counting never fails. While the file cannot be used each worker counts for itself, in memory, and
each count as if every other worker had counted as much, so that no limit grows meanwhile; a damaged
file is thrown away, and a new one begun at once.
"""

import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from taskapp.database.files import create_private, identity_of

Count = tuple[int, float]  # how many, and until when (seconds since the epoch)
RETRY_FILE_AFTER = 5.0  # seconds
# The last is what a file without its table gives.
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
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

    def __init__(self, path: Path, workers: int = 1) -> None:
        self.path = str(path)
        self.workers = workers
        self.identity: tuple[int, int] | None = None
        self.retry_at = 0.0  # monotonic seconds

    @cached_property
    def connection(self) -> sqlite3.Connection:
        """Opened at its first use, which comes after the server's fork.

        One worker at a time: SQLite waits for nobody while it turns a new file into WAL.
        """
        with self._alone():
            if _is_empty(self.path):  # others may have it open, and count in the log of what it was
                self._unlink()
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
        share = self._share()
        return {key: (count * share, ends) for key, count, ends in rows}

    def get(self, key: str) -> Count:
        """The counter as it is; one that has ended, or is not there, is 0 until now."""
        now = time.time()
        for count, ends in self._execute(_LIVE, {"key": key, "now": now}):
            return count * self._share(), ends
        return 0, now

    def sweep(self) -> int:
        """Delete counters that have ended; returns how many."""
        return len(self._execute(_SWEEP, {"now": time.time()}))

    def is_first_this_minute(self, key: str) -> bool:
        """For what all workers together say at most once a minute."""
        count, _ = self.add(key, 1, 60)
        return count == self._share()

    def state(self) -> str:
        """What a write to the file says now: "ok" or "down"."""
        self.retry_at = 0.0
        self.add("check", 1, 1)
        return "ok" if self.retry_at == 0.0 else "down"

    def _share(self) -> int:
        """What one count stands for: it was in memory if the file waits for a retry."""
        return self.workers if time.monotonic() < self.retry_at else 1

    def _execute(self, statement: str, values: dict[str, Any]) -> list[Any]:
        if time.monotonic() >= self.retry_at:
            try:
                return self._execute_in_file(statement, values)
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)
        return self.memory.execute(statement, values).fetchall()

    def _execute_in_file(self, statement: str, values: dict[str, Any]) -> list[Any]:
        if self.identity is not None and identity_of(self.path) != self.identity:
            self._close()
        try:
            return self.connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            if not _is_damage(error):
                raise
            self._close()
            self._throw_away(error)
        return self.connection.execute(statement, values).fetchall()

    def _throw_away(self, error: sqlite3.Error) -> None:
        """Unlink a damaged file, unless another worker has begun a new one, whose inode may be
        the same.
        """
        with self._alone():
            if _is_sound(self.path):
                return
            self._unlink()
        log.warning("counters file damaged, throwing it away: %s", error)

    def _unlink(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self.path}{suffix}").unlink()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other worker opens the file or throws it away meanwhile."""
        folder = os.open(Path(self.path).parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _give_up(self, error: Exception) -> None:
        self.retry_at = time.monotonic() + RETRY_FILE_AFTER
        self._close()
        self.memory.execute(_SWEEP, {"now": time.time()})
        if self.is_first_this_minute("counters warning"):
            log.warning("counters file unavailable, each worker counts for itself: %s", error)

    def _close(self) -> None:
        self.identity = None
        connection = vars(self).pop("connection", None)
        if connection is not None:
            connection.close()


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in DAMAGED  # the rest of it says more about the same


def _is_empty(path: str) -> bool:
    try:
        return Path(path).stat().st_size == 0
    except OSError:
        return False


def _is_sound(path: str) -> bool:
    if _is_empty(path):
        return False
    try:
        with closing(sqlite3.connect(path, timeout=1)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()
            connection.execute("SELECT 1 FROM counters LIMIT 1")
    except sqlite3.Error as error:
        return not _is_damage(error)
    return bool(found == ("ok",))
