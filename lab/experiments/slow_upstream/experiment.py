"""A slow upstream: where does each server bend, and does the formula say so?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from lab import arithmetic
from lab.load import Generator, generator
from lab.results import Experiment, Panel, Point, Scale, median_of
from lab.servers import Server, Upstream, gunicorn, slow_upstream, uvicorn

SYNC = "lab.experiments.slow_upstream.sync:app"
ASYNC = "lab.experiments.slow_upstream.async_:app"
MANY = 1_000_000  # seats on an event loop: as many as there are requests
THREADS = 32


def servers(upstream: str) -> Iterator[tuple[str, int, AbstractContextManager[Server]]]:
    """Each kind with its name and its seats."""
    for workers in (1, 2, 4, 8):
        name = f"{workers} sync worker{'s' * (workers > 1)}"
        yield name, workers, gunicorn(SYNC, workers=workers, UPSTREAM=upstream)
    yield f"{THREADS} threads", THREADS, gunicorn(SYNC, threads=THREADS, UPSTREAM=upstream)
    yield "event loop", MANY, uvicorn(ASYNC, UPSTREAM=upstream)


def measure(scale: Scale) -> Iterator[Point]:
    with generator() as load, slow_upstream() as upstream:
        for name, seats, running in servers(upstream.url):
            with running as server:
                yield from measure_one(scale, name, seats, server, upstream, load)


def measure_one(
    scale: Scale, name: str, seats: int, server: Server, upstream: Upstream, load: Generator
) -> Iterator[Point]:
    overhead, ceiling = calibrate(server, upstream, load)
    delays = scale.pick(full=(0.01, 0.05, 0.1, 0.2, 0.5), quick=(0.02, 0.2), taste=(0.1,))
    for delay in delays:
        for users in scale.pick(
            full=(1, 3, 10, 30, 100, 200), quick=(1, 8, 40, 200), taste=(1, 40)
        ):
            seconds = max(0.25, scale.pick(full=4, quick=2.2, taste=2.2) * delay)
            samples = tuple(
                throughput(server, upstream, load, delay, users, seconds)
                for _ in range(scale.repeats)
            )
            predicted = arithmetic.throughput(users, seats, delay, overhead, ceiling)
            yield Point(panel(delay), name, users, predicted, samples)


def panel(delay: float) -> str:
    return f"The upstream takes {delay * 1000:g} ms"


def calibrate(server: Server, upstream: Upstream, load: Generator) -> tuple[float, float]:
    """With an upstream that answers at once: seconds for one request, and the most per second."""
    upstream.set(0)
    load.closed(server.port, "/quote", 32, 0.2)  # the first requests pay for what is made once
    load.drain(server.port, "/quote")
    alone = load.closed(server.port, "/quote", 1, 0.4)
    most = load.closed(server.port, "/quote", 32, 0.4)
    load.drain(server.port, "/quote")
    return 1 / alone, most


def throughput(
    server: Server, upstream: Upstream, load: Generator, delay: float, users: int, seconds: float
) -> float:
    upstream.set(delay)
    try:
        return load.closed(server.port, "/quote", users, seconds)
    finally:
        upstream.set(0)  # whoever still waits in the server's queue gets through quickly
        load.drain(server.port, "/quote")


def panels(points: list[Point]) -> list[Panel]:
    names = dict.fromkeys(point.panel for point in points)
    x = "users who ask at the same time"
    return [Panel(name, "answers per second", x, log_x=True, log_y=True) for name in names]


def remember(points: list[Point]) -> str:
    slowest, most = points[-1].panel, max(point.x for point in points)
    four = median_of(points, slowest, "4 sync workers", most)
    loop = median_of(points, slowest, "event loop", most)
    return (
        f"Workers over service time: at {slowest.partition('takes ')[2]} four sync workers answer"
        f" {four:.0f} a second however many ask, and one event loop {loop:.0f} for {most:g} users."
    )


EXPERIMENT = Experiment(
    name="slow_upstream",
    title="A slow upstream",
    question="A view asks another service and waits for it. How many answers a second come out,"
    " with how many users asking at once, and where does each kind of server bend?",
    arithmetic="Little's law, X = min(users, seats) / (wait + overhead), where a seat is a worker or a"
    " thread and an event loop has as many as there are users. Above it lies a ceiling: the rate at"
    " which the processor is busy. Overhead and ceiling are measured first, with an upstream that"
    " answers at once; the rest is arithmetic.",
    limits=(
        "The ceiling was measured with 32 users. With 200, a loop or a thread pool keeps more books"
        " for each request, and the generator needs its share of the same processors: a figure under"
        " the ceiling at 200 users is that.",
        "Threads share one interpreter lock: near the ceiling they hand it to and fro, and lose.",
        "Short waits measure the overhead as much as the wait, and the overhead wavers.",
    ),
    panels=panels,
    measure=measure,
    remember=remember,
)
