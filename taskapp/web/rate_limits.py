"""Rate limits for a whole service: counters that several workers share, and headers that explain.

With Redis the counters live there. Without it they live in a small SQLite file beside the
database, because counters in memory would give each worker a limit of its own.
"""

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g
from limits import RateLimitItem, parse
from limits.storage import Storage

from config import Settings
from taskapp.database.counters import Count
from taskapp.database.redis import PREFIX, Shared
from taskapp.errors import RateLimited
from taskapp.extensions import limiter
from taskapp.web.current import Current, rate_limit_key

UNLIMITED = {None, "health", "docs"}  # blueprints; None has what is no route, and static files
_ADD_IN_REDIS = """
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
if count == tonumber(ARGV[1]) then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return {count, redis.call('PTTL', KEYS[1])}
"""


class Counters(Storage):
    """Counters for the `limits` library: one round trip to count, and none for the headers."""

    STORAGE_SCHEME = ["shared"]  # noqa: RUF012 - the registry's own form

    def __init__(self, uri: str, *, shared: Shared, **options: Any) -> None:
        super().__init__(uri, **options)
        self.shared, self.file = shared, shared.file

    @property
    def base_exceptions(self) -> type[Exception]:
        return sqlite3.Error

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        def add_in_redis(redis: Any) -> Count:
            return _read(redis.eval(_ADD_IN_REDIS, 1, PREFIX + key, amount, expiry))

        count = self.shared.use(add_in_redis, lambda: self.file.add(key, amount, expiry))
        if "current" in g:
            g.current.counts[key] = count
        return count[0]

    def get(self, key: str) -> int:
        return self._get(key)[0]

    def get_expiry(self, key: str) -> float:
        return self._get(key)[1]

    def check(self) -> bool:
        return self.file.state() == "ok"

    def reset(self) -> None:
        raise NotImplementedError

    def clear(self, key: str) -> None:
        raise NotImplementedError

    def _get(self, key: str) -> Count:
        def get_from_redis(redis: Any) -> Count:
            pipeline = redis.pipeline()
            pipeline.get(PREFIX + key)
            pipeline.pttl(PREFIX + key)
            return _read(pipeline.execute())

        return self.shared.use(get_from_redis, lambda: self.file.get(key))


def _read(answer: Any) -> Count:
    count, milliseconds = answer
    ends = time.time() + max(0, milliseconds) / 1000
    return int(count or 0), ends


def configure(app: Flask, settings: Settings) -> None:
    """Bind the limiter to the app; `count` and `explain` are its hooks."""
    shared = Shared(settings.redis_url, settings.instance / "counters.db")
    app.extensions["shared"] = shared
    app.config["RATELIMIT_ENABLED"] = settings.ratelimit_enabled
    app.config["RATELIMIT_STORAGE_URI"] = "shared://"
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"shared": shared}
    # The extension adds its hooks only to apps that it does not know yet: ours do the same for
    # less, and with the headers of the draft (alisaifee/flask-limiter#489 asks for a setting).
    app.extensions["limiter"] = {limiter}
    limiter.init_app(app)


def counter(rate: str) -> Callable[[Current], None]:
    """A hook that counts each request against the default limit; a view's own is counted there."""
    default = parse(rate)

    def count(current: Current) -> None:
        if current.request.blueprint in UNLIMITED or not limiter.enabled:
            return
        if not limiter.limiter.hit(default, rate_limit_key()):
            raise RateLimited

    return count


@dataclass
class Limit:
    """A limit that this request met, and how far it is used."""

    name: str
    rate: RateLimitItem
    count: int
    ends: float  # seconds since the epoch

    @property
    def policy(self) -> str:
        return f'"{self.name}";q={self.rate.amount};w={self.rate.get_expiry()}'

    @property
    def state(self) -> str:
        return f'"{self.name}";r={self.left};t={self.seconds}'

    @property
    def left(self) -> int:
        return max(0, self.rate.amount - self.count)

    @property
    def seconds(self) -> int:
        return max(0, math.ceil(self.ends - time.time()))


def explainer(rate: str) -> Callable[[Current, Response], None]:
    """A hook for RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers)."""
    default = parse(rate)

    def explain(current: Current, response: Response) -> None:
        if not current.counts:  # not limited, or a full disk has left it uncounted
            return
        limits = list(_met(current, default))
        policies = [limit.policy for limit in limits]
        states = [limit.state for limit in limits]
        response.headers.add("RateLimit-Policy", ", ".join(policies))
        response.headers.add("RateLimit", ", ".join(states))
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            waits = [limit.seconds for limit in limits if limit.left == 0]
            response.headers.setdefault("Retry-After", str(max(waits, default=1) or 1))

    return explain


def _met(current: Current, default: RateLimitItem) -> Iterator[Limit]:
    """The default limit, then those of the view itself."""
    counts = current.counts
    key = default.key_for(rate_limit_key())
    if key in counts:
        yield Limit("default", default, *counts[key])
    if counts.keys() - {key}:
        for own in limiter.current_limits:
            if own.key in counts:
                name = str(current.request.endpoint).rpartition(".")[2]
                yield Limit(name, own.limit, *counts[own.key])
