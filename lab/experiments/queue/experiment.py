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
    seconds = scale.pick(full=5.0, quick=1.8, taste=0.5)
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


def remember(points: list[Point]) -> str:
    busiest = max(point.x for point in points)
    sync = median_of(points, FORMULA, SYNC, busiest)
    return (
        f"Waiting grows long before a server is full: at {busiest:g} % busy, work of {MEAN * 1000:g} ms"
        f" takes {sync:.0f} ms on {WORKERS} workers, because callers do not take turns."
    )


EXPERIMENT = Experiment(
    name="queue",
    title="Callers who do not wait for one another",
    question="Requests come at random, not in turn. The workers are busy for a part of the time:"
    " how long does a caller wait for an answer?",
    arithmetic="The M/M/c queue: random arrivals, random work, one line, c workers. Erlang's C gives"
    " the chance of having to wait; mean time = work + C * work / (c - offered load), plus the"
    " overhead of a request, measured first. On an event loop nobody waits for a seat: the time is the"
    " work itself. The second plot replaces the formula by working through the very same arrivals, one"
    " by one, each taking the first worker that is free.",
    limits=(
        "The formula is a mean over an endless run, and a busy queue forgets slowly: a run of seconds"
        " may lie well beside it by luck. The second plot takes the luck out; what remains there is the"
        " server.",
        "Real workers also spend processor time on each request, which the four of them share.",
    ),
    panels=panels,
    measure=measure,
    remember=remember,
)
