"""Two caches of bytes: in Redis, whose absence is only slowness; and in a worker's memory."""

from typing import Any

from flask_caching.backends.base import BaseCache
from flask_caching.backends.simplecache import SimpleCache

from taskapp.database.redis import PREFIX, shared


class InMemory(SimpleCache):
    """Cleared when full: choosing what to drop would sort a thousand entries for each new one."""

    def _prune(self) -> None:
        if self._over_threshold():
            self._cache.clear()


class InRedis(BaseCache):
    """Never unpickles what Redis holds, as the extension's own does: it cannot run code."""

    def get(self, key: str) -> Any:
        return shared().use(lambda redis: redis.get(PREFIX + key), lambda: None)

    def set(self, key: str, value: Any, timeout: Any = 300) -> Any:  # seconds
        name = PREFIX + key
        return shared().use(lambda redis: redis.set(name, value, ex=timeout), lambda: None)
