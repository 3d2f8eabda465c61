"""What it saves to remember a list: the same question answered anew, and answered from a cache.

CPU of the service, its database and its Redis together, one request at a time, one worker.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from redis import Redis

from bench.compare import say
from bench.growth import Scene, answered, list_of, scene_of
from bench.report import machine
from bench.stage import Stage, new_database, postgresql, prepare
from tests.servers import redis

TASKS, ROUNDS = 100_000, 5
LISTS = (
    *("limit=20", "limit=200", "limit=20&fields=id,title", "limit=20&sort=-priority"),
    *("limit=20&label=home,office", "limit=20&q=water+fern", "limit=20&total=true"),
)
STREAMS = {"export of all one sees (CSV)": "format=csv"}
Samples = dict[str, dict[str, list[float]]]


@dataclass
class Told:
    """Every sample, by database, cache, question, and whether it was made anew."""

    machine: dict[str, Any] = field(default_factory=machine)
    tasks: int = TASKS
    cpu_us: dict[str, dict[str, Samples]] = field(default_factory=dict)


def run() -> dict[str, Any]:
    told = Told()
    with postgresql() as maintenance, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for database in ("PostgreSQL", "SQLite"):
            say(f"filling {database} with {TASKS:,} tasks")
            instance = Path(folder, database)
            instance.mkdir()
            url = new_database(maintenance, "remembered") if database == "PostgreSQL" else None
            stage = prepare(instance, TASKS, url)
            for cache in ("local", "Redis"):
                say(f"asking with the {cache} cache")
                with _service(stage, cache) as (scene, seconds):
                    told.cpu_us.setdefault(database, {})[cache] = _compare(scene, seconds)
    return vars(told)


@contextmanager
def _service(stage: Stage, cache: str) -> Iterator[tuple[Scene, Callable[[], float]]]:
    """One worker, so that what it remembers is found again; and what all parts of it cost."""
    alone = replace(stage, environment={**stage.environment, "WEB_CONCURRENCY": "1"})
    with ExitStack() as stack:
        redis_seconds: Callable[[], float] = float
        if cache == "Redis":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
            url = stack.enter_context(redis(Path(folder)))
            alone.environment["REDIS_URL"] = url
            client = Redis.from_url(url)
            redis_seconds = lambda: _cpu_of(client)  # noqa: E731 - one of two
        scene = stack.enter_context(scene_of(alone))
        yield scene, lambda: scene.cpu_seconds() + redis_seconds()


def _cpu_of(client: Redis) -> float:
    told: dict[str, Any] = client.info("cpu")  # type: ignore[assignment]  # it is no coroutine
    return float(told["used_cpu_user"] + told["used_cpu_sys"])


def _compare(scene: Scene, seconds: Callable[[], float]) -> Samples:
    samples: Samples = {}
    for title, query in {**{f"list {q}": q for q in LISTS}, **STREAMS}.items():
        people = scene.stage.people[: 5 if title in STREAMS else len(scene.stage.people)]
        requests = [list_of(scene, query)(person, 0) for person in people]
        kinds = samples.setdefault(title, {"made": [], "again": []})
        for _ in range(ROUNDS):
            with scene.engine.begin() as connection:
                connection.exec_driver_sql("UPDATE projects SET revision = revision + 1")
            for kind in kinds:  # made anew, and then found
                before = seconds()
                for request in requests:
                    answered(request)
                kinds[kind].append((seconds() - before) / len(requests) * 1e6)
    return samples
