"""What the workers share: Redis, asked with little patience, and a file of counters beside it.

A Redis that is absent, dead, hung, full or locked costs a worker a quarter of a second every few
seconds, and the whole service one line in the log a minute; requests go on without it.
"""

import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from flask import current_app

from taskapp.database.counters import CountersFile

T = TypeVar("T")
PREFIX = "taskapp:"  # of keys in Redis
PATIENCE, QUIET = 0.25, 5.0  # seconds that a hung Redis may cost; that it is then left alone
log = logging.getLogger(__name__)


class Shared:
    """Redis where there is one and it answers, else what the caller can do without it."""

    def __init__(self, redis_url: str | None, counters: Path) -> None:
        self.file, self.quiet_until = CountersFile(counters), 0.0
        self.redis = _redis(redis_url) if redis_url else None

    def ask(self, question: Callable[[Any], T], otherwise: Callable[[], T]) -> T:
        if self.redis is None or time.monotonic() < self.quiet_until:
            return otherwise()
        from redis import RedisError

        try:
            return question(self.redis)
        except RedisError as error:
            self.quiet_until = time.monotonic() + QUIET
            with suppress(sqlite3.Error):  # a full disk is somebody else's complaint
                if self.file.add("complaint", 1, 60)[0] == 1:
                    log.warning("redis fails, going on without it: %s", error)
            return otherwise()

    def state(self) -> str:
        """What a write to Redis says now: "ok", "down", or "unused" where there is none."""
        if self.redis is None:
            return "unused"
        self.quiet_until = 0.0  # do ask
        return self.ask(lambda redis: redis.set("taskapp:ok", "", ex=60) and "ok", lambda: "down")


def shared() -> Shared:
    """What this app's workers share."""
    return current_app.extensions["shared"]  # type: ignore[no-any-return]  # it holds anything


def _redis(url: str) -> Any:
    from redis import Redis  # it is large, and loaded only where there is one
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    patience = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), PATIENCE)
    return Redis.from_url(url, **patience, retry=Retry(NoBackoff(), 0))
