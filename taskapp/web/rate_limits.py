"""Rate limits for a whole service: counters that several workers share, and headers that explain.

With Redis the counters live there. Without it those of every request live in a table that the
workers share, and the others in a small SQLite file beside the database: counters in a worker's own
memory would give each worker a limit of its own.
"""

import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from http import HTTPStatus
from operator import attrgetter
from typing import Any, NamedTuple

from flask import Flask, Response, g
from limits import RateLimitItem, parse_many
from limits.storage import Storage

from config import Settings
from taskapp.database.counter_table import CounterTable
from taskapp.database.counters import Count, CountersFile
from taskapp.database.redis import PREFIX, Shared
from taskapp.errors import RateLimited
from taskapp.extensions import limiter, settings
from taskapp.web.current import Current, address_of, key_of_caller

# Endpoints that meet no limit; all others do, and what is no route as well. Probes and Prometheus
# must hear how a busy service is; wrong tokens are slowed there (users/throttle.py).
PROBES = {"health.alive", "health.started", "health.is_ready"}
OPERATION = {"health.detailed", "health.expose_metrics"}
FILES = {"static"}  # a page loads a dozen of them, each is sent in bounded pieces
UNLIMITED = PROBES | OPERATION | FILES
KeyOf = Callable[[Current], str]
_ADD_IN_REDIS = """
local answer = {}
for number, key in ipairs(KEYS) do
  local count = redis.call('INCRBY', key, ARGV[1])
  if count == tonumber(ARGV[1]) then redis.call('EXPIRE', key, ARGV[number + 1]) end
  answer[number] = {count, redis.call('PTTL', key)}
end
return answer
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
        """For sign-ins and registrations, too: these counts survive a restart of the machine."""
        counts = self._add([(key, expiry)], amount, self.file)
        if "current" in g:
            g.current.counts |= counts
        return counts[key][0]

    def add_all(self, keys: Sequence[tuple[str, int]]) -> dict[str, Count]:
        """Add to the counters of a request, each with the seconds after which it ends."""
        return self._add(keys, 1, self.shared.table)

    def _add(
        self, keys: Sequence[tuple[str, int]], amount: int, here: CounterTable | CountersFile
    ) -> dict[str, Count]:
        """Add in one round trip to Redis, or here where there is none."""

        def add_in_redis(redis: Any) -> dict[str, Count]:
            names = [key for key, _ in keys]
            prefixed = [PREFIX + name for name in names]
            seconds = [expiry for _, expiry in keys]
            answer = redis.eval(_ADD_IN_REDIS, len(keys), *prefixed, amount, *seconds)
            return dict(zip(names, map(_read, answer), strict=True))

        return self.shared.use(add_in_redis, lambda: here.add_all(keys, amount))

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
    counters = settings.instance / "counters.db"
    workers, fast = settings.web_concurrency, settings.fast
    shared = Shared(settings.redis_url, counters, workers, fast=fast)
    app.extensions["shared"] = shared
    app.config["RATELIMIT_ENABLED"] = settings.ratelimit_enabled
    app.config["RATELIMIT_STORAGE_URI"] = "shared://"
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"shared": shared}
    # The extension adds its hooks only to apps that it does not know yet: ours do the same for
    # less, and with the headers of the draft (alisaifee/flask-limiter#489 asks for a setting).
    app.extensions["limiter"] = {limiter}
    limiter.init_app(app)
    if settings.ratelimit_enabled:
        app.extensions["counters"] = limiter.storage


class Policy:
    """A rate that holds for every request, and what it counts by."""

    def __init__(self, name: str, rate: RateLimitItem, key_of: KeyOf = key_of_caller) -> None:
        self.name, self.rate, self.key_of = name, rate, key_of
        self.seconds = rate.get_expiry()
        self.text = f'"{name}";q={rate.amount};w={self.seconds}'
        self.key_for = lru_cache(1024)(rate.key_for)

    def key(self, current: Current) -> str:
        return self.key_for(self.key_of(current))


def policies(settings: Settings) -> list[Policy]:
    """By caller, and wider by address: accounts are free, an address is not."""
    by_caller = _named("default", settings.ratelimit_default, key_of_caller)
    by_address = _named("address", settings.ratelimit_address, _address_key)
    return [*by_caller, *by_address]


def _named(name: str, rates: str, key_of: KeyOf) -> Iterator[Policy]:
    """One policy for each rate: "default", "default-2" and so on."""
    for number, rate in enumerate(parse_many(rates), start=1):
        yield Policy(name if number == 1 else f"{name}-{number}", rate, key_of)


def _address_key(current: Current) -> str:
    return f"address:{address_of(current)}"


def registration_rate() -> str:
    return settings().ratelimit_registration


def counter(limits: Sequence[Policy]) -> Callable[[Current], None]:
    """A hook that counts each request against these; a view's own limit is counted there."""

    def count(current: Current) -> None:
        storage: Counters | None = current.app.extensions.get("counters")
        if storage is None or not limiter.enabled:  # this app has no limits
            return
        if current.request.endpoint in UNLIMITED:
            return
        met = current.limits = {policy.key(current): policy for policy in limits}
        counts = storage.add_all([(key, policy.seconds) for key, policy in met.items()])
        current.counts |= counts
        for key, policy in met.items():
            if counts[key][0] > policy.rate.amount:
                raise RateLimited

    return count


class Limit(NamedTuple):
    """A limit that this request met, and how far it is used."""

    policy: Policy
    left: int
    seconds: int  # until it begins anew

    @property
    def state(self) -> str:
        return f'"{self.policy.name}";r={self.left};t={self.seconds}'


def explain(current: Current, response: Response) -> None:
    """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers)."""
    if not current.counts:  # not limited
        return
    limits = sorted(_met(current), key=attrgetter("left"))
    policies = [limit.policy.text for limit in limits]
    states = [limit.state for limit in limits]
    current.headers.append(("RateLimit-Policy", ", ".join(policies)))
    current.headers.append(("RateLimit", ", ".join(states)))
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        waits = [limit.seconds for limit in limits if limit.left == 0]
        response.headers.setdefault("Retry-After", str(max(waits, default=1) or 1))


def _met(current: Current) -> Iterator[Limit]:
    """Every limit that this request counted against, those of all requests first."""
    now = time.time()
    policies = current.limits
    if current.counts.keys() - policies.keys():
        policies = policies | _of_its_own(current)
    for key, policy in policies.items():
        count, ends = current.counts[key]
        left = max(0, policy.rate.amount - count)
        yield Limit(policy, left, max(0, math.ceil(ends - now)))


def _of_its_own(current: Current) -> dict[str, Policy]:
    """The limits of the route alone, by key."""
    name = str(current.request.endpoint).rpartition(".")[2]
    policies = {}
    for own in limiter.current_limits:
        if own.key in current.counts and own.key not in current.limits:
            policies[own.key] = Policy(name, own.limit)
    return policies
