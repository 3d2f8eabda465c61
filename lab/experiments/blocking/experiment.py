"""The classic mistake, a blocking call inside `async def`, and its mirror, `async def` in Flask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lab import arithmetic
from lab.load import Generator, generator
from lab.results import Experiment, Panel, Point, Scale, median_of
from lab.servers import Server, Upstream, gunicorn, slow_upstream, uvicorn

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
                    yield measure_one(scale, case, server, upstream, load)


def measure_one(
    scale: Scale, case: Case, server: Server, upstream: Upstream, load: Generator
) -> Point:
    overhead, ceiling = calibrate(server.port, case.path, upstream, load)
    predicted = arithmetic.throughput(USERS, case.seats, case.waits * DELAY, overhead, ceiling)
    seconds = case.seconds * scale.pick(full=3, quick=1, taste=1)
    samples = tuple(
        throughput(server.port, case.path, seconds, upstream, load) for _ in range(scale.repeats)
    )
    return Point(case.panel, case.name, 0, predicted, samples)


def calibrate(port: int, path: str, upstream: Upstream, load: Generator) -> tuple[float, float]:
    """With an upstream that answers at once: seconds for one request, and the most per second."""
    upstream.set(0)
    load.closed(port, path, USERS, 0.3)  # the first requests pay for what is made once
    load.drain(port, path)
    alone = load.closed(port, path, 1, 0.3)
    most = load.closed(port, path, USERS, 0.4)
    load.drain(port, path)
    return 1 / alone, most


def throughput(port: int, path: str, seconds: float, upstream: Upstream, load: Generator) -> float:
    upstream.set(DELAY)
    try:
        return load.closed(port, path, USERS, seconds)
    finally:
        upstream.set(0)  # whoever still waits in the server's queue gets through quickly
        load.drain(port, path)


def panels(_: list[Point]) -> list[Panel]:
    return [Panel(name, "answers per second", log_x=True) for name in (ONE, TEN)]


def remember(points: list[Point]) -> str:
    mistake, awaited, plain, mirror = (
        median_of(points, ONE, name) for name in (MISTAKE, AWAITED, PLAIN, MIRROR)
    )
    return (
        f"One blocking call inside `async def` costs the loop everything: {mistake:.0f} answers a second"
        f" instead of {awaited:.0f}. And `async def` in Flask buys no more users at once:"
        f" {mirror:.0f} beside {plain:.0f}."
    )


def note(points: list[Point]) -> str:
    turn, once = (median_of(points, TEN, name) for name in (IN_TURN, AT_ONCE))
    return (
        f"What `async def` in Flask does buy is waits side by side inside one view: ten of them gathered"
        f" gave {once:.0f} answers a second, in turn {turn:.0f}."
    )


EXPERIMENT = Experiment(
    name="blocking",
    title="The classic mistake, and its mirror",
    question=f"{USERS} users ask views that wait for an upstream. What does a blocking call inside"
    " `async def` do to FastAPI, and what does `async def` do for Flask?",
    arithmetic="Workers over service time again; only the number of seats differs. A blocking call in"
    " `async def` leaves the loop one seat. A plain `def` gets one of FastAPI's 40 threads. Flask runs an"
    " `async def` view to its end in the worker that has it: as many seats as workers, not one more."
    " Ten waits in turn take ten times as long; gathered, as long as one.",
    limits=(
        "A blocked loop sends nothing before all who came together are done: its answers come in bursts,"
        " and each of the users waits for all of them.",
        "Flask makes an event loop for each request and ends it again, and a client made inside the view"
        " opens a new connection each time: its overhead is measured, and larger.",
        "Ten calls at once are ten times the work for the processor within one wait, so that the overhead"
        " shows.",
    ),
    panels=panels,
    measure=measure,
    remember=remember,
    note=note,
)
