"""The classic mistake, a blocking call inside `async def`, and its mirror, `async def` in Flask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lab import arithmetic
from lab.bench import Bench
from lab.load import generator
from lab.results import Experiment, Panel, Point, Scale, median_of
from lab.servers import Server, gunicorn, slow_upstream, uvicorn

DELAY, USERS, WORKERS = 0.1, 16, 4
ONE, TEN = "One wait of 100 ms in each view", "Ten waits of 100 ms in each view"
MISTAKE, AWAITED = "FastAPI: async def, blocking call", "FastAPI: async def, awaited call"
THREADED = "FastAPI: def, blocking call"
PLAIN, MIRROR = "Flask, 4 workers: def", "Flask, 4 workers: async def"
IN_TURN, AT_ONCE = "Flask, 4 workers: in turn", "Flask, 4 workers: async def, gathered"


@dataclass(frozen=True)
class Case:
    """A view, and what arithmetic needs to know of it."""

    panel: str
    name: str
    path: str
    seats: int
    waits: int = 1
    seconds: float = 0.6  # some rounds of a seat


FASTAPI = (
    # Nothing leaves a blocked loop before all who came together are done: one whole round.
    Case(ONE, MISTAKE, "/blocking-call", 1, seconds=USERS * DELAY * 1.3),
    Case(ONE, THREADED, "/plain-def", 40),
    Case(ONE, AWAITED, "/awaited-call", USERS),
)
FLASK = (
    Case(ONE, PLAIN, "/plain", WORKERS),
    Case(ONE, MIRROR, "/async-view", WORKERS),
    Case(TEN, IN_TURN, "/ten-in-turn", WORKERS, waits=10, seconds=10 * DELAY * 1.4),
    Case(TEN, AT_ONCE, "/ten-at-once", WORKERS),
)


def servers(url: str) -> Iterator[tuple[tuple[Case, ...], AbstractContextManager[Server]]]:
    yield FASTAPI, uvicorn("lab.experiments.blocking.async_:app", UPSTREAM=url)
    yield FLASK, gunicorn("lab.experiments.blocking.sync:app", workers=WORKERS, UPSTREAM=url)


def measure(scale: Scale) -> Iterator[Point]:
    with generator() as load, slow_upstream() as upstream:
        for cases, running in servers(upstream.url):
            with running as server:
                for case in cases:
                    yield measure_one(scale, case, Bench(server.port, case.path, upstream, load))


def measure_one(scale: Scale, case: Case, bench: Bench) -> Point:
    overhead, ceiling = bench.calibrate(USERS, scale.pick(full=0.4, quick=0.3, taste=0.1))
    predicted = arithmetic.throughput(USERS, case.seats, case.waits * DELAY, overhead, ceiling)
    seconds = case.seconds * scale.pick(full=3, quick=1, taste=1)
    samples = tuple(bench.rate(DELAY, USERS, seconds) for _ in range(scale.repeats))
    return Point(case.panel, case.name, 0, predicted, samples)


def panels(_: list[Point]) -> list[Panel]:
    return [Panel(name, "answers per second", log_x=True) for name in (ONE, TEN)]


def figures(points: list[Point]) -> dict[str, object]:
    names = {"mistake": MISTAKE, "awaited": AWAITED, "plain": PLAIN, "mirror": MIRROR}
    found = {key: median_of(points, ONE, name) for key, name in names.items()}
    turn, once = (median_of(points, TEN, name) for name in (IN_TURN, AT_ONCE))
    return {**found, "turn": turn, "once": once}


EXPERIMENT = Experiment("blocking", panels, measure, figures)
