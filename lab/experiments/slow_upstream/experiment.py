"""A slow upstream: where does each server bend, and does the formula say so?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from lab import arithmetic
from lab.bench import Bench
from lab.load import generator
from lab.results import Experiment, Panel, Point, Scale, median_of
from lab.servers import Server, gunicorn, slow_upstream, uvicorn

SYNC = "lab.experiments.slow_upstream.sync:app"
ASYNC = "lab.experiments.slow_upstream.async_:app"
MANY = 1_000_000  # seats on an event loop: as many as there are requests
THREADS = 32


def servers(
    upstream: str, workers: tuple[int, ...]
) -> Iterator[tuple[str, int, AbstractContextManager[Server]]]:
    """Each kind with its name and its seats."""
    for count in workers:
        name = f"{count} sync worker{'s' * (count > 1)}"
        yield name, count, gunicorn(SYNC, workers=count, UPSTREAM=upstream)
    yield f"{THREADS} threads", THREADS, gunicorn(SYNC, threads=THREADS, UPSTREAM=upstream)
    yield "event loop", MANY, uvicorn(ASYNC, UPSTREAM=upstream)


def measure(scale: Scale) -> Iterator[Point]:
    workers = scale.pick(full=(1, 2, 4, 8), quick=(1, 2, 4, 8), taste=(1, 4))
    with generator() as load, slow_upstream() as upstream:
        for name, seats, running in servers(upstream.url, workers):
            with running as server:
                bench = Bench(server.port, "/quote", upstream, load)
                yield from measure_one(scale, name, seats, bench)


def measure_one(scale: Scale, name: str, seats: int, bench: Bench) -> Iterator[Point]:
    overhead, ceiling = bench.calibrate(32, scale.pick(full=0.4, quick=0.3, taste=0.1))
    crowds = scale.pick(full=(1, 3, 10, 30, 100, 200), quick=(1, 8, 40, 200), taste=(1, 40))
    for delay in scale.pick(full=(0.01, 0.05, 0.1, 0.2, 0.5), quick=(0.02, 0.2), taste=(0.1,)):
        for users in crowds:
            # Some rounds of the upstream, and long enough for a crowd to have arrived.
            rounds = scale.pick(full=4, quick=2.2, taste=2.2)
            seconds = max(0.2, rounds * delay, users / 300)
            samples = tuple(bench.rate(delay, users, seconds) for _ in range(scale.repeats))
            predicted = arithmetic.throughput(users, seats, delay, overhead, ceiling)
            yield Point(f"The upstream takes {delay * 1000:g} ms", name, users, predicted, samples)


def panels(points: list[Point]) -> list[Panel]:
    names = dict.fromkeys(point.panel for point in points)
    x = "users who ask at the same time"
    return [Panel(name, "answers per second", x, log_x=True, log_y=True) for name in names]


def figures(points: list[Point]) -> dict[str, object]:
    slowest, most = points[-1].panel, max(point.x for point in points)
    return {
        "users": most,
        "delay": slowest.removeprefix("The upstream takes "),
        "workers": median_of(points, slowest, "4 sync workers", most),
        "loop": median_of(points, slowest, "event loop", most),
    }


EXPERIMENT = Experiment("slow_upstream", panels, measure, figures)
