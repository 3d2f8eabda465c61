"""CPU work: what happens to /health while one request computes?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lab import estimate
from lab.estimate import Estimate
from lab.load import Arrival, Generator, generator
from lab.results import Experiment, Finding, Panel, Point, Scale, line, measured
from lab.servers import Server, gunicorn, uvicorn

EVERY = 0.04  # seconds between two who ask /health
PANEL = "The longest wait for /health"
LOOP, TWO = "event loop, async def", "2 sync workers"
THREAD = "event loop, def (in a thread)"
QUICK_SWITCH = "the same thread, switch interval of 1 ms"
SYNC, ASYNC = "lab.experiments.cpu.sync:app", "lab.experiments.cpu.async_:app"
SWITCH = 5.0  # milliseconds: sys.getswitchinterval() as Python sets it
Running = AbstractContextManager[Server]


@dataclass(frozen=True)
class Kind:
    """A server, the address that computes, and whether /health must wait for it."""

    name: str
    path: str
    blocked: bool
    running: Running
    switch: float = 0  # milliseconds of its switch interval, where that is what counts


def servers() -> Iterator[Kind]:
    yield Kind("1 sync worker", "/compute", True, gunicorn(SYNC))
    yield Kind(TWO, "/compute", False, gunicorn(SYNC, workers=2))
    yield Kind("4 threads", "/compute", False, gunicorn(SYNC, threads=4), SWITCH)
    yield Kind(LOOP, "/compute", True, uvicorn(ASYNC))
    yield Kind(THREAD, "/compute-in-thread", False, uvicorn(ASYNC), SWITCH)
    quick = uvicorn(ASYNC, SWITCH_INTERVAL="0.001")
    yield Kind(QUICK_SWITCH, "/compute-in-thread", False, quick, 1)
    yield Kind("2 event loops", "/compute", False, uvicorn(ASYNC, workers=2))


def measure(scale: Scale) -> Iterator[Finding]:
    repeats = scale.pick(full=9, quick=3, taste=1)
    computing = scale.pick(full=(0.1, 0.2, 0.4, 0.8), quick=(0.1, 0.4), taste=(0.2,))
    with generator() as load:
        for kind in servers():
            with kind.running as server:
                longest_wait(load, server, "", 0)  # the first requests pay for what is made once
                idle = estimate.median([longest_wait(load, server, "", 0) for _ in range(repeats)])
                prediction = line(PANEL, kind.name, "straight", **held(kind, idle))
                yield prediction
                for busy in computing:
                    path = f"{kind.path}/{busy}"
                    samples = [longest_wait(load, server, path, busy) for _ in range(repeats)]
                    where = (PANEL, kind.name, 1000 * busy)
                    result = estimate.median(samples)
                    yield Point(*where, prediction(1000 * busy), result, f"median of {repeats}")


def held(kind: Kind, idle: Estimate) -> dict[str, Estimate | float]:
    """Nearly the whole computation, or a few switches, or nothing."""
    if kind.blocked:
        early = 1000 * EVERY / 2  # by so much it has begun before somebody asks
        base = Estimate(idle.value - early, idle.low - early, idle.high - early)
        return {"base": base, "slope": 1.0}
    if kind.switch:
        # The loop, or the accepting thread, needs the lock a few times for one answer.
        few, many = 1 * kind.switch, 4 * kind.switch
        middle = idle.value + (few + many) / 2
        return {"base": Estimate(middle, idle.low + few, idle.high + many), "slope": 0.0}
    return {"base": idle, "slope": 0.0}


def longest_wait(load: Generator, server: Server, path: str, busy: float) -> float:
    """Milliseconds; somebody asks /health at a steady pace, whatever became of those before."""
    health = [Arrival(i * EVERY, "/health") for i in range(int((busy + 0.3) / EVERY))]
    computing = [Arrival(1.5 * EVERY, path)] if path else []
    waits = load.arrivals(server.port, health + computing)
    return 1000 * max(waits[: len(health)])


def panels(_: list[Point]) -> list[Panel]:
    x = "milliseconds for which one request computes"
    return [Panel(PANEL, "milliseconds", x, log_y=True, noise=5)]


def figures(points: list[Point]) -> dict[str, object]:
    most = max(point.x for point in points)
    names = {"loop": LOOP, "thread": THREAD, "switched": QUICK_SWITCH, "two": TWO}
    result: dict[str, object] = {
        key: measured(points, PANEL, name, most) for key, name in names.items()
    }
    return {"busy": most, **result}


EXPERIMENT = Experiment("cpu", panels, measure, figures)
