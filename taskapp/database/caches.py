"""Two caches of bytes: in Redis, whose absence is only slowness; and in a worker's memory."""

from typing import Any

from flask_caching.backends.base import BaseCache
from flask_caching.backends.simplecache import SimpleCache

from taskapp.database.redis import PREFIX, shared


class InMemory(SimpleCache):
    """Forgets all when it is full: to choose, it would sort a thousand entries for each new one."""

    def _prune(self) -> None:
        if self._over_threshold():
            self._cache.clear()


class InRedis(BaseCache):
    """What Redis holds is never unpickled, as it is by the extension's own: it cannot run code."""

    def get(self, key: str) -> Any:
        return shared().ask(lambda redis: redis.get(PREFIX + key), lambda: None)

    def set(self, key: str, value: Any, timeout: Any = 300) -> Any:  # seconds
        return shared().ask(lambda redis: redis.set(PREFIX + key, value, ex=timeout), lambda: None)
