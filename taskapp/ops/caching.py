"""A cache in Redis that holds bytes and nothing else, and whose absence is only slowness."""

import time
from datetime import timedelta
from typing import Any

from flask_caching.backends.rediscache import RedisCache
from redis import RedisError

QUIET = 5.0  # seconds to leave a Redis alone that did not answer


class _Bytes:
    """Values are bytes already: what Redis holds is never unpickled, so it cannot run code."""

    @staticmethod
    def dumps(value: bytes) -> bytes:
        return value

    @staticmethod
    def loads(value: bytes | None) -> bytes | None:
        return value


class BytesInRedis(RedisCache):
    serializer = _Bytes()  # type: ignore[assignment]  # cachelib names a class where it wants a shape
    down_until = 0.0

    def get(self, key: str) -> Any:
        return self._try(super().get, key)

    def set(self, key: str, value: Any, timeout: int | timedelta | None = None) -> Any:
        return self._try(super().set, key, value, timeout)

    def _try(self, call: Any, *args: Any) -> Any:
        if time.monotonic() < self.down_until:
            return None
        try:
            return call(*args)
        except RedisError:
            self.down_until = time.monotonic() + QUIET
            return None
