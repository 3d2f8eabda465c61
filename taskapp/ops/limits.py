"""Rate limits for a whole service: counters that several workers share, and headers that explain.

With Redis the counters live there. Without it they live in a small SQLite file beside the
database, because counters in memory would give each worker a limit of its own.
"""

import math
import sqlite3
import time
from typing import Any

from flask import Flask, Response, g, request
from limits.storage import Storage

from config import Settings
from taskapp.extensions import limiter
from taskapp.ops.shared import Count, Shared

PREFIX = "taskapp:"  # of keys in Redis

_ADD_IN_REDIS = """
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
if count == tonumber(ARGV[1]) then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return {count, redis.call('PTTL', KEYS[1])}
"""


class Counters(Storage):
    """Counters for the `limits` library; one trip to count, and none to tell what was counted."""

    STORAGE_SCHEME = ["shared"]  # noqa: RUF012 - the registry's own form

    def __init__(self, uri: str, *, shared: Shared, **options: Any) -> None:
        super().__init__(uri, **options)
        self.shared, self.file, self.redis = shared, shared.file, shared.redis
        self.script = self.redis.register_script(_ADD_IN_REDIS)

    @property
    def base_exceptions(self) -> type[Exception]:
        return sqlite3.Error

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        hit = self.shared.ask(
            lambda: _read(self.script([PREFIX + key], [amount, expiry])),
            lambda: self.file.add(key, amount, expiry),
        )
        g.setdefault("hits", {})[key] = hit
        return hit[0]

    def get(self, key: str) -> int:
        return self._look(key)[0]

    def get_expiry(self, key: str) -> float:
        return self._look(key)[1]

    def check(self) -> bool:
        return self.file.add("check", 1, 1)[0] > 0

    def reset(self) -> None:
        raise NotImplementedError

    def clear(self, key: str) -> None:
        raise NotImplementedError

    def _look(self, key: str) -> Count:
        pipe: Any = self.redis.pipeline()
        asked = pipe.get(PREFIX + key).pttl(PREFIX + key)
        return self.shared.ask(lambda: _read(asked.execute()), lambda: self.file.look(key))


def _read(answer: Any) -> Count:
    count, milliseconds = answer
    return int(count or 0), time.time() + max(0, milliseconds) / 1000


def configure(app: Flask, settings: Settings) -> None:
    shared = Shared(settings.redis_url, settings.instance / "counters.db")
    app.extensions["shared"] = shared
    app.config["RATELIMIT_ENABLED"] = settings.ratelimit_enabled
    app.config["RATELIMIT_APPLICATION"] = settings.ratelimit_default
    app.config["RATELIMIT_STORAGE_URI"] = "shared://"
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"shared": shared}
    limiter.init_app(app)
    app.before_request(remember)
    app.after_request(explain)


def remember() -> None:
    """Keep the default limit's state: a route's own limit takes its place in the extension."""
    g.limits = [*limiter.current_limits]


def explain(response: Response) -> Response:
    """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers)."""
    policies, states, waits, hits = [], [], [1], g.get("hits", {})
    limits = {each.key: each for each in (*g.get("limits", ()), *limiter.current_limits)}
    for counted in limits.values():
        name = "default" if counted.shared else (request.endpoint or "").rpartition(".")[2]
        quota, window = counted.limit.amount, counted.limit.get_expiry()
        count, ends = hits.get(counted.key) or (quota - counted.remaining, counted.window[0])
        left = max(0, math.ceil(ends - time.time()))
        policies.append(f'"{name}";q={quota};w={window}')
        states.append(f'"{name}";r={max(0, quota - count)};t={left}')
        waits += [left] if count >= quota else []
    if policies:
        response.headers["RateLimit-Policy"] = ", ".join(policies)
        response.headers["RateLimit"] = ", ".join(states)
    if response.status_code == 429:
        response.headers.setdefault("Retry-After", str(max(waits)))
    return response
