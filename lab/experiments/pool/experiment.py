"""A connection pool that is smaller than the concurrency."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from lab import arithmetic
from lab.load import Generator, generator
from lab.results import Experiment, Panel, Point, Scale, median_of
from lab.servers import Server, gunicorn, postgresql, uvicorn

QUERY = 0.05  # seconds, as in sync.py and async_.py
SYNC, ASYNC = "lab.experiments.pool.sync:app", "lab.experiments.pool.async_:app"
RATE, WAIT = "Throughput", "Mean time to the answer"
THREADS, LOOP, LARGE = "64 threads, pool of 5", "event loop, pool of 5", "event loop, pool of 20"


def servers(database: str) -> Iterator[tuple[str, int, AbstractContextManager[Server]]]:
    """Each with its seats: what is scarcer, workers or connections."""
    yield "4 sync workers, 1 each", 4, gunicorn(SYNC, workers=4, DATABASE=database, POOL="1")
    yield THREADS, 5, gunicorn(SYNC, threads=64, DATABASE=database, POOL="5")
    yield LOOP, 5, uvicorn(ASYNC, DATABASE=database, POOL="5")
    yield LARGE, 20, uvicorn(ASYNC, DATABASE=database, POOL="20")


def measure(scale: Scale) -> Iterator[Point]:
    seconds = scale.pick(full=1.5, quick=0.5, taste=0.4)
    with generator() as load, postgresql() as database:
        for name, seats, running in servers(database.url):
            with running as server:
                load.closed(server.port, "/report", 2 * seats, 0.4)  # connections are made once
                load.drain(server.port, "/report")
                overhead = max(0, 1 / load.closed(server.port, "/report", 1, 0.5) - QUERY)
                for users in scale.pick(
                    full=(1, 5, 10, 20, 40, 60), quick=(2, 10, 40), taste=(40,)
                ):
                    samples = tuple(
                        rate(load, server.port, users, seconds) for _ in range(scale.repeats)
                    )
                    predicted = arithmetic.throughput(users, seats, QUERY, overhead)
                    waits = tuple(1000 * users / rate for rate in samples)
                    yield Point(RATE, name, users, predicted, samples)
                    yield Point(WAIT, name, users, 1000 * users / predicted, waits)


def rate(load: Generator, port: int, users: int, seconds: float) -> float:
    found = load.closed(port, "/report", users, seconds)
    load.drain(port, "/report")
    return found


def panels(_: list[Point]) -> list[Panel]:
    x = "users who ask at the same time"
    return [
        Panel(RATE, "answers per second", x, log_x=True, log_y=True),
        Panel(WAIT, "milliseconds, by Little's law", x, log_x=True, log_y=True),
    ]


def figures(points: list[Point]) -> dict[str, object]:
    most = max(point.x for point in points)
    names = {"threads": THREADS, "loop": LOOP, "large": LARGE}
    return {key: median_of(points, RATE, name, most) for key, name in names.items()}


EXPERIMENT = Experiment("pool", panels, measure, figures)
