"""A connection pool that is smaller than the concurrency."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

from lab.bench import described, window
from lab.estimate import Estimate
from lab.load import Generator, Window, generator
from lab.results import Experiment, Finding, Panel, Point, Scale, line, measured
from lab.servers import Server, gunicorn, postgresql, uvicorn

QUERY = 0.05  # seconds, as in sync.py and async_.py
SYNC, ASYNC = "lab.experiments.pool.sync:app", "lab.experiments.pool.async_:app"
RATE, WAIT = "Throughput", "Mean response time"
THREADS, LOOP, LARGE = "64 threads, pool of 5", "event loop, pool of 5", "event loop, pool of 20"


def servers(database: str) -> Iterator[tuple[str, int, AbstractContextManager[Server]]]:
    """Each with its seats: what is scarcer, workers or connections."""
    yield "4 sync workers, 1 each", 4, gunicorn(SYNC, workers=4, DATABASE=database, POOL="1")
    yield THREADS, 5, gunicorn(SYNC, threads=64, DATABASE=database, POOL="5")
    yield LOOP, 5, uvicorn(ASYNC, DATABASE=database, POOL="5")
    yield LARGE, 20, uvicorn(ASYNC, DATABASE=database, POOL="20")


def measure(scale: Scale) -> Iterator[Finding]:
    users = scale.pick(full=(1, 5, 10, 20, 40, 60), quick=(2, 10, 40), taste=(40,))
    with generator() as load, postgresql() as database:
        for name, seats, running in servers(database.url):
            with running as server:
                yield from measure_one(load, server.port, name, seats, users)


def measure_one(
    load: Generator, port: int, name: str, seats: int, users: tuple[int, ...]
) -> Iterator[Finding]:
    load.warm_up(port, "/report", 2 * seats)  # connections are made once
    alone = load.closed(port, "/report", 1, Window(1, most=2)).per_second.inverse()
    overhead = Estimate(*(max(0, end - QUERY) for end in (alone.value, alone.low, alone.high)))
    prediction = line(RATE, name, "throughput", seats=seats, service=QUERY, overhead=overhead)
    waiting = replace(prediction, panel=WAIT, formula="response")
    yield from (prediction, waiting)
    for count in users:
        cycles = 2 * count / prediction(count).value  # a response time needs whole turns of a user
        within = replace(window(count, seats, alone.value), least=max(0.4, cycles))
        result = load.closed(port, "/report", count, within)
        load.drain(port, "/report")
        sampling = described(result)
        yield Point(RATE, name, count, prediction(count), result.per_second, sampling)
        # Little's law makes one of the other: the second is shown, and not counted.
        response = result.response.map(1000)
        yield Point(WAIT, name, count, waiting(count), response, sampling, independent=False)


def panels(_: list[Point]) -> list[Panel]:
    x = "users who ask at the same time"
    return [
        Panel(RATE, "answers per second", x, log_x=True, log_y=True),
        Panel(WAIT, "milliseconds", x, log_x=True, log_y=True),
    ]


def figures(points: list[Point]) -> dict[str, object]:
    most = max(point.x for point in points)
    names = {"threads": THREADS, "loop": LOOP, "large": LARGE}
    result: dict[str, object] = {
        key: measured(points, RATE, name, most) for key, name in names.items()
    }
    return {"users": most, "wait": measured(points, WAIT, LOOP, most), **result}


EXPERIMENT = Experiment("pool", panels, measure, figures)
