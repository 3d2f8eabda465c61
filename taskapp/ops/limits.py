"""Rate limits for a whole service: counters that several workers share, and headers that explain.

With Redis the counters live there. Without it they live in a small SQLite file beside the
database, because counters in memory would give each worker a limit of its own.
"""

import math
import sqlite3
import time
from contextlib import suppress
from functools import partial
from typing import Any

from flask import Flask, Response, g
from limits import RateLimitItem, parse
from limits.storage import Storage

from config import Settings
from taskapp.errors import RateLimited
from taskapp.extensions import counted_by, here, limiter
from taskapp.ops.shared import PREFIX, Count, Shared

UNLIMITED = {None, "health", "docs"}  # blueprints; None has what is no route, and static files

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
        self.shared, self.file = shared, shared.file

    @property
    def base_exceptions(self) -> type[Exception]:
        return sqlite3.Error

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        hit = self.shared.ask(
            lambda redis: _read(redis.eval(_ADD_IN_REDIS, 1, PREFIX + key, amount, expiry)),
            lambda: self.file.add(key, amount, expiry),
        )
        g.setdefault("hits", {})[key] = hit
        return hit[0]

    def get(self, key: str) -> int:
        return self._look(key)[0]

    def get_expiry(self, key: str) -> float:
        return self._look(key)[1]

    def check(self) -> bool:
        with suppress(sqlite3.Error):  # a disk that is full still, or again
            return self.file.add("check", 1, 1)[0] > 0
        return False

    def reset(self) -> None:
        raise NotImplementedError

    def clear(self, key: str) -> None:
        raise NotImplementedError

    def _look(self, key: str) -> Count:
        name = PREFIX + key
        return self.shared.ask(
            lambda redis: _read(redis.pipeline().get(name).pttl(name).execute()),
            lambda: self.file.look(key),
        )


def _read(answer: Any) -> Count:
    count, milliseconds = answer
    return int(count or 0), time.time() + max(0, milliseconds) / 1000


def configure(app: Flask, settings: Settings) -> None:
    shared = Shared(settings.redis_url, settings.instance / "counters.db")
    app.extensions["shared"] = shared
    app.config["RATELIMIT_ENABLED"] = settings.ratelimit_enabled
    app.config["RATELIMIT_STORAGE_URI"] = "shared://"
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"shared": shared}
    # The extension adds its hooks to apps that it does not know yet. Ours do the same for less, and
    # with the headers of the draft.
    app.extensions["limiter"] = {limiter}
    limiter.init_app(app)
    if limiter.enabled:
        app.before_request(partial(count, parse(settings.ratelimit_default)))
        app.after_request(explain)


def count(default: RateLimitItem) -> None:
    """Count the request against the default limit; a view's own is counted when it is called."""
    asked, mine = here()
    if asked.blueprint in UNLIMITED:
        return
    whom, mine.hits = counted_by(), {}
    mine.default = default, default.key_for(whom)
    with suppress(sqlite3.Error):  # a full disk refuses nobody
        if not limiter.limiter.hit(default, whom):
            raise RateLimited


def explain(response: Response) -> Response:
    """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers)."""
    asked, mine = here()
    if not mine.get("hits"):  # a full disk may have left it uncounted, or one of two
        return response
    policies, states, waits = [], [], [1]
    limits = [("default", *mine.default)]
    if len(mine.hits) > 1 or mine.default[1] not in mine.hits:
        limits += [(str(asked.endpoint), each.limit, each.key) for each in limiter.current_limits]
    for name, limit, key in [each for each in limits if each[-1] in mine.hits]:
        quota, (hits, ends) = limit.amount, mine.hits[key]
        left = max(0, math.ceil(ends - time.time()))
        policies.append(f'"{name.rpartition(".")[2]}";q={quota};w={limit.get_expiry()}')
        states.append(f'"{name.rpartition(".")[2]}";r={max(0, quota - hits)};t={left}')
        waits += [left] if hits >= quota else []
    response.headers.add("RateLimit-Policy", ", ".join(policies))
    response.headers.add("RateLimit", ", ".join(states))
    if response.status_code == 429:
        response.headers.setdefault("Retry-After", str(max(waits)))
    return response
