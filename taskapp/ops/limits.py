"""Rate limits for a whole service: counters that several workers share, and headers that explain.

With Redis the counters live there. Without it they live in a small SQLite file beside the
database, because counters in memory would give each worker a limit of its own.
"""

import math
import sqlite3
import threading
import time
from typing import Any
from urllib.parse import unquote

from flask import Flask, Response, g, request
from limits.storage import Storage
from redis.backoff import NoBackoff
from redis.retry import Retry

from config import Settings
from taskapp.extensions import limiter

# A hung Redis may cost a request this much, not more: then the counters are in memory for a while.
REDIS_PATIENCE = 0.1  # seconds
SWEEP_EVERY = 1000  # hits
_ADD = """
INSERT INTO counters (key, count, expires) VALUES (:key, :amount, :now + :expiry)
ON CONFLICT (key) DO UPDATE SET
  count = CASE WHEN expires <= :now THEN 0 ELSE count END + :amount,
  expires = CASE WHEN expires <= :now THEN :now + :expiry ELSE expires END
RETURNING count
"""


class SharedCounters(Storage):
    """Counters in a SQLite file, for all workers of one machine; losing it loses nothing else."""

    STORAGE_SCHEME = ["counters"]  # noqa: RUF012 - the registry's own form

    def __init__(self, uri: str, **options: Any) -> None:
        super().__init__(uri, **options)
        self.path = unquote(uri.removeprefix("counters://"))
        self.local = threading.local()
        self.hits = 0

    @property
    def base_exceptions(self) -> type[Exception]:
        return sqlite3.Error

    @property
    def connection(self) -> sqlite3.Connection:
        """One for each thread, opened after the fork."""
        if not hasattr(self.local, "connection"):
            connection = sqlite3.connect(self.path, timeout=1, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS counters (key TEXT PRIMARY KEY, count, expires)"
            )
            self.local.connection = connection
        kept: sqlite3.Connection = self.local.connection
        return kept

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        self.hits += 1
        values = {"key": key, "amount": amount, "now": time.time(), "expiry": expiry}
        if self.hits % SWEEP_EVERY == 0:
            self.connection.execute("DELETE FROM counters WHERE expires <= :now", values)
        (count,) = self.connection.execute(_ADD, values).fetchone()
        return int(count)

    def get(self, key: str) -> int:
        return int(self._row(key)[0])

    def get_expiry(self, key: str) -> float:
        return float(self._row(key)[1])

    def check(self) -> bool:
        return bool(self.connection.execute("SELECT 1").fetchone())

    def reset(self) -> int:
        return self.connection.execute("DELETE FROM counters").rowcount

    def clear(self, key: str) -> None:
        self.connection.execute("DELETE FROM counters WHERE key = ?", (key,))

    def _row(self, key: str) -> tuple[int, float]:
        now = time.time()
        live = "SELECT count, expires FROM counters WHERE key = ? AND expires > ?"
        row: tuple[int, float] = self.connection.execute(live, (key, now)).fetchone() or (0, now)
        return row


def configure(app: Flask, settings: Settings) -> None:
    app.config["RATELIMIT_ENABLED"] = settings.ratelimit_enabled
    app.config["RATELIMIT_APPLICATION"] = settings.ratelimit_default
    app.config["RATELIMIT_STORAGE_URI"] = (
        settings.redis_url or f"counters://{settings.instance / 'counters.db'}"
    )
    if settings.redis_url:
        app.config["RATELIMIT_STORAGE_OPTIONS"] = redis_options()
    limiter.init_app(app)
    app.before_request(remember)
    app.after_request(explain)


def redis_options() -> dict[str, Any]:
    return {
        "socket_timeout": REDIS_PATIENCE,
        "socket_connect_timeout": REDIS_PATIENCE,
        "retry": Retry(NoBackoff(), 0),
    }


def remember() -> None:
    """Keep the default limit's state: a route's own limit takes its place in the extension."""
    g.limits = [*limiter.current_limits]


def explain(response: Response) -> Response:
    """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers)."""
    policies, states = [], []
    limits = {each.key: each for each in (*g.get("limits", ()), *limiter.current_limits)}
    for counted in limits.values():
        name = "default" if counted.shared else (request.endpoint or "").rpartition(".")[2]
        quota, window = counted.limit.amount, counted.limit.get_expiry()
        left = max(0, math.ceil(counted.window[0] - time.time()))
        policies.append(f'"{name}";q={quota};w={window}')
        states.append(f'"{name}";r={counted.remaining};t={left}')
    if policies:
        response.headers["RateLimit-Policy"] = ", ".join(policies)
        response.headers["RateLimit"] = ", ".join(states)
    if response.status_code == 429:
        response.headers["Retry-After"] = str(max(1, _longest(states)))
    return response


def _longest(states: list[str]) -> int:
    return max((int(state.rpartition("=")[2]) for state in states if ";r=0;" in state), default=1)
