"""What the workers share: Redis, asked with little patience, and a file of counters beside it.

A Redis that is absent, dead, hung, full or locked costs a worker a quarter of a second every few
seconds, and the whole service one line in the log a minute; requests go on without it.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from flask import current_app
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

T = TypeVar("T")
Count = tuple[int, float]  # how many, and until when
PATIENCE, QUIET = 0.25, 5.0  # seconds that a hung Redis may cost; that it is then left alone
REDIS_OPTIONS: dict[str, Any] = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
REDIS_OPTIONS |= {"retry": Retry(NoBackoff(), 0)}
_ADD = """
INSERT INTO counters (key, count, expires) VALUES (:key, :amount, :now + :seconds)
ON CONFLICT (key) DO UPDATE SET
  count = CASE WHEN expires <= :now THEN 0 ELSE count END + :amount,
  expires = CASE WHEN expires <= :now THEN :now + :seconds ELSE expires END
RETURNING count, expires
"""
_FORGET = "DELETE FROM counters WHERE expires <= ?"
log = logging.getLogger(__name__)


class CountersFile(threading.local):
    """Counters in a SQLite file, for all workers of one machine; losing it loses nothing else."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def connection(self) -> sqlite3.Connection:
        """One for each thread, opened after the fork."""
        connection = sqlite3.connect(self.path, timeout=1, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TABLE IF NOT EXISTS counters (key PRIMARY KEY, count, expires)")
        with suppress(sqlite3.Error):  # on a full disk there is no room to forget
            connection.execute(_FORGET, (time.time(),))
        return connection

    def add(self, key: str, amount: int, seconds: int) -> Count:
        values = {"key": key, "amount": amount, "now": time.time(), "seconds": seconds}
        count: Count = self.connection.execute(_ADD, values).fetchone()
        return count

    def look(self, key: str) -> Count:
        now, live = time.time(), "SELECT count, expires FROM counters WHERE key = ? AND expires > ?"
        return self.connection.execute(live, (key, now)).fetchone() or (0, now)

    def sweep(self) -> int:
        """Forget what has ended; returns how many."""
        return self.connection.execute(_FORGET, (time.time(),)).rowcount


class Shared:
    """Redis where there is one and it answers, else what the caller can do without it."""

    def __init__(self, redis_url: str | None, counters: Path) -> None:
        self.redis = Redis.from_url(redis_url or "redis://", **REDIS_OPTIONS)
        self.file, self.has_redis, self.quiet_until = CountersFile(counters), bool(redis_url), 0.0

    def ask(self, question: Callable[[], T], otherwise: Callable[[], T]) -> T:
        if not self.has_redis or time.monotonic() < self.quiet_until:
            return otherwise()
        try:
            return question()
        except RedisError as error:
            self.quiet_until = time.monotonic() + QUIET
            with suppress(sqlite3.Error):  # a full disk is somebody else's complaint
                if self.file.add("complaint", 1, 60)[0] == 1:
                    log.warning("redis fails, going on without it: %s", error)
            return otherwise()

    def state(self) -> str:
        """What a write to Redis says now: "ok", "down", or "unused" where there is none."""
        if not self.has_redis:
            return "unused"
        self.quiet_until = 0.0  # do ask
        takes = self.ask(lambda: bool(self.redis.set("taskapp:state", "", ex=60)), lambda: False)
        return "ok" if takes else "down"


def shared() -> Shared:
    """What this app's workers share."""
    return current_app.extensions["shared"]  # type: ignore[no-any-return]  # it holds anything
