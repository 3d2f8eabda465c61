"""Callers who do not wait for one another: why a server that is 85 % busy feels slow."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lab import arithmetic, estimate
from lab.estimate import Estimate
from lab.load import Arrival, Generator, generator
from lab.results import Experiment, Finding, Line, Panel, Point, Scale, line, measured
from lab.servers import Server, gunicorn, uvicorn

WORKERS = 4
MEAN = 0.03  # seconds of work, exponentially distributed: many short ones, a few long
WARM_UP = 1.0  # seconds whose arrivals are not counted: the server was empty before them
FORMULA, BY_HAND = "Against the formula", "Seed by seed, against the same arrivals"
SYNC, THREADS, LOOP = f"{WORKERS} sync workers", f"{WORKERS} threads", "event loop"
ENDLESS = 200_000  # arrivals that stand for an endless run, worked through by hand


def servers() -> Iterator[tuple[str, AbstractContextManager[Server]]]:
    app = "lab.experiments.queue.sync:app"
    yield SYNC, gunicorn(app, workers=WORKERS)
    yield THREADS, gunicorn(app, threads=WORKERS)
    yield LOOP, uvicorn("lab.experiments.queue.async_:app")


@dataclass(frozen=True)
class Draw:
    """Random arrivals, and the work of each."""

    arrivals: list[float]
    services: list[float]

    def by_hand(self, seats: int, overhead: float) -> float:
        """Mean response in milliseconds if each takes the first free seat, warm-up left out."""
        held = [service + overhead for service in self.services]
        return self.mean(arithmetic.in_order(self.arrivals, held, seats))

    def on(self, server: Server, load: Generator) -> float:
        """The same, by a real server, from the intended start to the answer."""
        pairs = zip(self.arrivals, self.services, strict=True)
        plan = [Arrival(at, f"/wait/{service:.6f}") for at, service in pairs]
        return self.mean(load.arrivals(server.port, plan))

    def mean(self, responses: list[float]) -> float:
        pairs = zip(self.arrivals, responses, strict=True)
        return 1000 * statistics.fmean(each for at, each in pairs if at >= WARM_UP)


@dataclass(frozen=True)
class Bench:
    """A running server, and the overhead of a request to it in seconds."""

    name: str
    server: Server
    load: Generator
    overhead: float


def draw(busy: float, overhead: float, seed: int, *, seconds: float = 0, count: int = 0) -> Draw:
    """Arrivals that keep the workers busy for `busy` percent of the time.

    The same seed draws the same for every server: common random numbers, so that what differs
    between two servers is not luck.
    """
    dice, at, arrivals = random.Random(seed), 0.0, list[float]()  # noqa: S311 - no secret
    rate = busy / 100 * WORKERS / (MEAN + overhead)
    while at < seconds or len(arrivals) < count:
        at += dice.expovariate(rate)
        arrivals.append(at)
    work = random.Random(seed + 1_000_000)  # noqa: S311 - no secret
    return Draw(arrivals, [work.expovariate(1 / MEAN) for _ in arrivals])


def measure(scale: Scale) -> Iterator[Finding]:
    seconds = scale.pick(full=8.0, quick=2.5, taste=1.5)
    seeds = scale.pick(full=10, quick=4, taste=2)
    with generator() as load:
        for name, running in servers():
            with running as server:
                idle = [Arrival(i / 50, "/wait/0.0") for i in range(40)]
                waits = sorted(load.arrivals(server.port, idle))
                overhead = estimate.median(waits[10:30])
                prediction = expected(name, overhead)
                bench = Bench(name, server, load, overhead.value)
                yield prediction
                yield line(BY_HAND, name, "straight", base=0, slope=1)
                for busy in levels(scale, name):
                    draws = [
                        draw(busy, overhead.value, seed, seconds=seconds) for seed in range(seeds)
                    ]
                    yield from measure_one(bench, prediction, busy, draws)


def levels(scale: Scale, name: str) -> tuple[int, ...]:
    """Percent; the quick run measures the whole curve of one server, and its end of the others."""
    few = (30, 60, 85) if name == SYNC else (85,)
    return scale.pick(full=(30, 50, 70, 80, 85, 90), quick=few, taste=(50,))


def expected(name: str, overhead: Estimate) -> Line:
    held = Estimate(*(MEAN + end for end in (overhead.value, overhead.low, overhead.high)))
    if name == LOOP:
        return line(FORMULA, name, "straight", base=held.map(1000))  # nobody waits for a seat
    return line(FORMULA, name, "response_when_busy", seats=WORKERS, service=held)


def measure_one(bench: Bench, prediction: Line, busy: int, draws: list[Draw]) -> Iterator[Point]:
    seats = sum(len(each.arrivals) for each in draws) if bench.name == LOOP else WORKERS
    by_hand = [each.by_hand(seats, bench.overhead) for each in draws]
    result = [each.on(bench.server, bench.load) for each in draws]
    # How lucky each draw was is known, by hand: take the luck out (a control variate).
    endless = draw(busy, bench.overhead, -1, count=ENDLESS).by_hand(seats, bench.overhead)
    fair = [endless + real - hand for real, hand in zip(result, by_hand, strict=True)]
    count = sum(at >= WARM_UP for each in draws for at in each.arrivals)
    sampling = f"{len(draws)} seeds, {count} arrivals"
    yield Point(FORMULA, bench.name, busy, prediction(busy), estimate.mean(fair), sampling)
    for hand, real in zip(by_hand, result, strict=True):
        predicted, answer = Estimate.exact(hand), Estimate.exact(real)
        where = (BY_HAND, bench.name, round(hand, 1))
        yield Point(*where, predicted, answer, f"{busy} % busy", independent=False)


def panels(_: list[Point]) -> list[Panel]:
    y = "mean response time, ms"
    return [
        Panel(FORMULA, y, "busy part of the workers' time, %", noise=3),
        Panel(BY_HAND, y, "by hand, ms", noise=3),
    ]


def figures(points: list[Point]) -> dict[str, object]:
    busiest = max(point.x for point in points if point.panel == FORMULA)
    sync, loop = (measured(points, FORMULA, name, busiest) for name in (SYNC, LOOP))
    return {"busy": busiest, "work": 1000 * MEAN, "sync": sync, "loop": loop, "workers": WORKERS}


EXPERIMENT = Experiment("queue", panels, measure, figures)
