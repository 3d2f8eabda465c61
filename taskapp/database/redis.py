"""What the workers share: Redis, with short timeouts, and a file of counters beside it.

A Redis that is absent, dead, hung, full or locked costs a worker a quarter of a second every few
seconds, and the whole service one line in the log a minute; requests go on without it.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from flask import current_app

from taskapp.database.counter_table import CounterTable
from taskapp.database.counters import CountersFile

T = TypeVar("T")
PREFIX = "taskapp:"  # of keys in Redis
REDIS_TIMEOUT = 0.25  # seconds
RETRY_REDIS_AFTER = 5.0  # seconds
log = logging.getLogger(__name__)


class Shared:
    """Redis where there is one and it answers, else what the caller can do without it."""

    def __init__(
        self, redis_url: str | None, counters: Path, workers: int, *, fast: bool = True
    ) -> None:
        self.file = CountersFile(counters, workers)
        self.table = CounterTable(counters.with_suffix(".table"), self.file) if fast else self.file
        self.redis = _connect(redis_url) if redis_url else None
        self.retry_at = 0.0  # monotonic seconds

    def use(self, command: Callable[[Any], T], fallback: Callable[[], T]) -> T:
        """Run a command on Redis, or the fallback where Redis is absent or failed just now."""
        if self.redis is None or time.monotonic() < self.retry_at:
            return fallback()
        from redis import RedisError

        try:
            return command(self.redis)
        except RedisError as error:
            self.retry_at = time.monotonic() + RETRY_REDIS_AFTER
            self._warn(error)
            return fallback()

    def state(self) -> str:
        """What a write to Redis says now: "ok", "down", or "unused" where there is none."""
        if self.redis is None:
            return "unused"
        self.retry_at = 0.0
        return self.use(_check, lambda: "down")

    def _warn(self, error: Exception) -> None:
        """Once a minute, whichever worker comes first."""
        if self.file.is_first_this_minute("redis warning"):
            log.warning("Redis unavailable, continuing without it: %s", error)


def shared() -> Shared:
    """What this app's workers share."""
    return current_app.extensions["shared"]  # type: ignore[no-any-return]  # it holds anything


def _check(redis: Any) -> str:
    redis.set(f"{PREFIX}check", "", ex=60)
    return "ok"


def _connect(url: str) -> Any:
    from redis import Redis  # it is large, and loaded only where there is one
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT,
        socket_connect_timeout=REDIS_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
