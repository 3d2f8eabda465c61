"""CPU work: what happens to /health while one request computes?"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import AbstractContextManager

from lab.load import Arrival, Generator, generator
from lab.results import Experiment, Panel, Point, Scale, median_of
from lab.servers import Server, gunicorn, uvicorn

EVERY = 0.04  # seconds between two who ask /health
PANEL = "The longest wait for /health"
LOOP, THREAD = "event loop, async def", "event loop, def (in a thread)"
TWO = "2 sync workers"
SYNC, ASYNC = "lab.experiments.cpu.sync:app", "lab.experiments.cpu.async_:app"
Running = AbstractContextManager[Server]


def servers() -> Iterator[tuple[str, str, bool, Running]]:
    """Each with the address that computes, and whether /health must wait for it."""
    yield "1 sync worker", "/compute", True, gunicorn(SYNC)
    yield TWO, "/compute", False, gunicorn(SYNC, workers=2)
    yield LOOP, "/compute", True, uvicorn(ASYNC)
    yield THREAD, "/compute-in-thread", False, uvicorn(ASYNC)
    yield "2 event loops", "/compute", False, uvicorn(ASYNC, workers=2)


def measure(scale: Scale) -> Iterator[Point]:
    with generator() as load:
        for name, path, blocked, running in servers():
            with running as server:
                longest_wait(load, server, "", 0)  # the first requests pay for what is made once
                idle = statistics.median(
                    longest_wait(load, server, "", 0) for _ in range(scale.repeats)
                )
                for busy in scale.pick(full=(0.1, 0.2, 0.4, 0.8), quick=(0.1, 0.4), taste=(0.2,)):
                    samples = tuple(
                        longest_wait(load, server, f"{path}/{busy}", busy)
                        for _ in range(scale.repeats)
                    )
                    held = 1000 * (busy - EVERY / 2) * blocked
                    yield Point(PANEL, name, 1000 * busy, idle + held, samples)


def longest_wait(load: Generator, server: Server, path: str, busy: float) -> float:
    """Milliseconds; somebody asks /health at a steady pace, whatever became of those before."""
    health = [Arrival(i * EVERY, "/health") for i in range(int((busy + 0.3) / EVERY))]
    computing = [Arrival(1.5 * EVERY, path)] if path else []
    waits = load.arrivals(server.port, health + computing)
    return 1000 * max(waits[: len(health)])


def panels(_: list[Point]) -> list[Panel]:
    return [Panel(PANEL, "milliseconds", "one request computes for … ms", noise=20)]


def figures(points: list[Point]) -> dict[str, object]:
    most = max(point.x for point in points)
    loop, thread, two = (median_of(points, PANEL, name, most) for name in (LOOP, THREAD, TWO))
    return {"busy": most, "loop": loop, "thread": thread, "two": two}


EXPERIMENT = Experiment("cpu", panels, measure, figures)
