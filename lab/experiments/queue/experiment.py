"""Callers who do not wait for one another: why a server that is 85 % busy feels slow."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator
from contextlib import AbstractContextManager

from lab import arithmetic
from lab.load import Arrival, Generator, generator
from lab.results import Experiment, Panel, Point, Scale, median_of
from lab.servers import Server, gunicorn, uvicorn

WORKERS = 4
MEAN = 0.03  # seconds of work, exponentially distributed: many short ones, a few long
FORMULA, BY_HAND = "Against the formula", "Against the same arrivals, one by one"
SYNC, LOOP = f"{WORKERS} sync workers", "event loop"


def servers() -> Iterator[tuple[str, AbstractContextManager[Server]]]:
    yield SYNC, gunicorn("lab.experiments.queue.sync:app", workers=WORKERS)
    yield LOOP, uvicorn("lab.experiments.queue.async_:app")


def measure(scale: Scale) -> Iterator[Point]:
    seconds = scale.pick(full=5.0, quick=1.6, taste=0.5)
    with generator() as load:
        for name, running in servers():
            with running as server:
                overhead = statistics.median(
                    load.arrivals(server.port, [Arrival(i / 50, "/wait/0.0") for i in range(20)])
                )
                for busy in scale.pick(full=(30, 50, 70, 80, 90), quick=(30, 60, 85), taste=(50,)):
                    runs = [draw(seconds, busy / 100, seed) for seed in range(scale.repeats)]
                    samples = tuple(mean_wait(server, load, *run) for run in runs)
                    formula = 1000 * (expected(name, busy / 100) + overhead)
                    yield Point(FORMULA, name, busy, formula, samples)
                    hand = statistics.median(by_hand(name, *run) for run in runs)
                    yield Point(BY_HAND, name, busy, 1000 * (hand + overhead), samples)


def draw(seconds: float, busy: float, seed: int) -> tuple[list[float], list[float]]:
    """Random arrivals that keep the workers busy for that part of the time, and their work."""
    dice, at, arrivals = random.Random(seed), 0.0, list[float]()  # noqa: S311 - no secret
    while (at := at + dice.expovariate(busy * WORKERS / MEAN)) < seconds:
        arrivals.append(at)
    return arrivals, [dice.expovariate(1 / MEAN) for _ in arrivals]


def mean_wait(
    server: Server, load: Generator, arrivals: list[float], services: list[float]
) -> float:
    """Milliseconds from the intended start to the answer."""
    pairs = zip(arrivals, services, strict=True)
    plan = [Arrival(at, f"/wait/{service:.6f}") for at, service in pairs]
    return 1000 * statistics.fmean(load.arrivals(server.port, plan))


def expected(name: str, busy: float) -> float:
    if name == LOOP:
        return MEAN  # nobody stands in line for a seat
    return arithmetic.mmc_response(busy * WORKERS / MEAN, WORKERS, MEAN)


def by_hand(name: str, arrivals: list[float], services: list[float]) -> float:
    seats = len(arrivals) if name == LOOP else WORKERS
    return statistics.fmean(arithmetic.in_order(arrivals, services, seats))


def panels(_: list[Point]) -> list[Panel]:
    x, y = "busy part of the workers' time, %", "mean time to the answer, ms"
    return [Panel(name, y, x, noise=5) for name in (FORMULA, BY_HAND)]


def figures(points: list[Point]) -> dict[str, object]:
    busiest = max(point.x for point in points)
    sync, loop = (median_of(points, FORMULA, name, busiest) for name in (SYNC, LOOP))
    return {"busy": busiest, "work": 1000 * MEAN, "sync": sync, "loop": loop, "workers": WORKERS}


EXPERIMENT = Experiment("queue", panels, measure, figures)
