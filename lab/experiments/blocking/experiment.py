"""The classic mistake, a blocking call inside `async def`, and its mirror, `async def` in Flask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lab.bench import Bench, described
from lab.load import Window, generator
from lab.results import Experiment, Finding, Panel, Point, Scale, line, measured
from lab.servers import Server, gunicorn, slow_upstream, uvicorn

DELAY, USERS, WORKERS = 0.05, 16, 4
ONE, TEN = "One wait of 50 ms in each view", "Ten waits of 50 ms in each view"
MISTAKE, AWAITED = "FastAPI: async def, blocking call", "FastAPI: async def, awaited call"
THREADED = "FastAPI: def, blocking call"
PLAIN, MIRROR = "Flask, 4 workers: def", "Flask, 4 workers: async def"
GTHREAD = "Flask, 16 threads: def"
IN_TURN, AT_ONCE = "Flask, 4 workers: in turn", "Flask, 4 workers: async def, gathered"


@dataclass(frozen=True)
class Case:
    """A view, and what arithmetic needs to know of it."""

    panel: str
    name: str
    path: str
    seats: int
    waits: int = 1
    burst: int = 1  # answers that leave together


FASTAPI = (
    # Nothing leaves a blocked loop before all who came together are done: a round is all of them.
    Case(ONE, MISTAKE, "/blocking-call", 1, burst=USERS),
    Case(ONE, THREADED, "/plain-def", 40),
    Case(ONE, AWAITED, "/awaited-call", USERS),
)
FLASK = (
    Case(ONE, PLAIN, "/plain", WORKERS),
    Case(ONE, MIRROR, "/async-view", WORKERS),
    Case(TEN, IN_TURN, "/ten-in-turn", WORKERS, waits=10),
    Case(TEN, AT_ONCE, "/ten-at-once", WORKERS),
)
THREADS = (Case(ONE, GTHREAD, "/plain", USERS),)


def servers(url: str) -> Iterator[tuple[tuple[Case, ...], AbstractContextManager[Server]]]:
    flask = "lab.experiments.blocking.sync:app"
    yield FASTAPI, uvicorn("lab.experiments.blocking.async_:app", UPSTREAM=url)
    yield FLASK, gunicorn(flask, workers=WORKERS, UPSTREAM=url)
    yield THREADS, gunicorn(flask, threads=USERS, UPSTREAM=url)


def measure(scale: Scale) -> Iterator[Finding]:  # noqa: ARG001 - the same at every scale
    with generator() as load, slow_upstream() as upstream:
        for cases, running in servers(upstream.url):
            with running as server:
                for case in cases:
                    yield measure_one(case, Bench(server.port, case.path, upstream, load))


def measure_one(case: Case, bench: Bench) -> Point:
    overhead, ceiling = bench.calibrate(USERS)
    service = case.waits * DELAY
    predicted = line(
        case.panel,
        case.name,
        "throughput",
        seats=case.seats,
        service=service,
        overhead=overhead,
        ceiling=ceiling,
    )(USERS)
    each = max(case.burst, min(USERS, case.seats))
    result = bench.rate(DELAY, USERS, Window(each, spread=service, most=6))
    return Point(case.panel, case.name, 0, predicted, result.per_second, described(result))


def panels(_: list[Point]) -> list[Panel]:
    return [Panel(name, "answers per second", log_x=True) for name in (ONE, TEN)]


def figures(points: list[Point]) -> dict[str, object]:
    names = {"mistake": MISTAKE, "awaited": AWAITED, "plain": PLAIN, "mirror": MIRROR}
    result: dict[str, object] = {key: measured(points, ONE, name) for key, name in names.items()}
    turn, once = (measured(points, TEN, name) for name in (IN_TURN, AT_ONCE))
    return {**result, "turn": turn, "once": once}


EXPERIMENT = Experiment("blocking", panels, measure, figures)
