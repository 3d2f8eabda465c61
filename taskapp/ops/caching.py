"""Two caches of bytes: in Redis, whose absence is only slowness; and in a worker's memory."""

from types import SimpleNamespace
from typing import Any

from flask_caching.backends.rediscache import RedisCache
from flask_caching.backends.simplecache import SimpleCache

from taskapp.ops.shared import shared


class InMemory(SimpleCache):
    """Forgets all when it is full: to choose, it would sort a thousand entries for each new one."""

    def _prune(self) -> None:
        if self._over_threshold():
            self._cache.clear()


class BytesInRedis(RedisCache):
    """Values are bytes already: what Redis holds is never unpickled, so it cannot run code."""

    serializer = SimpleNamespace(dumps=bytes, loads=lambda kept: kept)  # type: ignore[assignment]  # cachelib names a class where it wants a shape

    def get(self, key: str) -> Any:
        get = super().get
        return shared().ask(lambda: get(key), lambda: None)

    def set(self, key: str, value: Any, timeout: Any = None) -> Any:
        put = super().set
        return shared().ask(lambda: put(key, value, timeout), lambda: None)
