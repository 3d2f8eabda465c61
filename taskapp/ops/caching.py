"""A cache in Redis that holds bytes and nothing else, and whose absence is only slowness."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from flask_caching.backends.rediscache import RedisCache

from taskapp.ops.shared import shared


class BytesInRedis(RedisCache):
    """Values are bytes already: what Redis holds is never unpickled, so it cannot run code."""

    serializer = SimpleNamespace(dumps=bytes, loads=lambda kept: kept)  # type: ignore[assignment]  # cachelib names a class where it wants a shape

    def get(self, key: str) -> Any:
        return shared().ask(lambda: super(BytesInRedis, self).get(key), lambda: None)

    def set(self, key: str, value: Any, timeout: int | timedelta | None = None) -> Any:
        return shared().ask(
            lambda: super(BytesInRedis, self).set(key, value, timeout), lambda: None
        )
