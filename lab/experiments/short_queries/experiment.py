"""Short queries: is async any faster when the database answers in a millisecond?"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import AbstractContextManager

from lab import arithmetic
from lab.load import Generator, generator
from lab.machine import CORES
from lab.results import Experiment, Panel, Point, Scale, median_of
from lab.servers import Server, gunicorn, postgresql, processor_seconds, uvicorn

RATE, COST = "Throughput", "Processor time of the server for one answer"
POOL = 16  # connections of each event loop, as in async_.py
Running = AbstractContextManager[Server]


def servers(database: str) -> Iterator[tuple[str, int, int, Running]]:
    """Each with its seats, and how many processors it can use."""
    sync, loop = (f"lab.experiments.short_queries.{name}:app" for name in ("sync", "async_"))
    for workers in (2, 4):
        running = gunicorn(sync, workers=workers, DATABASE=database)
        yield f"{workers} sync workers", workers, min(workers, CORES), running
    yield "event loop", POOL, 1, uvicorn(loop, DATABASE=database)
    yield "2 event loops", 2 * POOL, min(2, CORES), uvicorn(loop, workers=2, DATABASE=database)


def measure(scale: Scale) -> Iterator[Point]:
    with generator() as load, postgresql() as database:
        for name, seats, processors, running in servers(database.url):
            with running as server:
                bench = Bench(scale, server, load, (database.pid, load.process.pid))
                yield from bench.points(name, seats, processors)


class Bench:
    """One server under load, with what each answer costs it and everybody else."""

    def __init__(
        self, scale: Scale, server: Server, load: Generator, others: tuple[int, ...]
    ) -> None:
        self.server, self.load, self.others, self.scale = server, load, others, scale
        self.seconds = scale.pick(full=1.0, quick=0.4, taste=0.4)

    def run(self, users: int) -> tuple[float, float, float]:
        """Answers per second; processor seconds per answer, of the server and of all others."""
        own, others = self.server.cpu(), self.others_cpu()
        rate = self.load.closed(self.server.port, "/row", users, self.seconds)
        answers = rate * self.seconds
        own, others = self.server.cpu() - own, self.others_cpu() - others
        self.load.drain(self.server.port, "/row")
        return rate, own / answers, others / answers

    def points(self, name: str, seats: int, processors: int) -> Iterator[Point]:
        self.run(8)  # the first requests pay for what is made once
        alone, own, others = (statistics.median(f) for f in zip(*self.runs(1), strict=True))
        ceiling = min(processors / own, CORES / (own + others))
        for users in self.scale.pick(full=(1, 2, 4, 8, 16, 32, 64), quick=(2, 8, 32), taste=(8,)):
            runs = self.runs(users)
            predicted = arithmetic.throughput(users, seats, 1 / alone, ceiling=ceiling)
            yield Point(RATE, name, users, predicted, tuple(rate for rate, _, _ in runs))
        yield Point(COST, name, 0, 1e6 * own, tuple(1e6 * cost for _, cost, _ in runs))

    def others_cpu(self) -> float:
        return sum(processor_seconds(pid) for pid in self.others)

    def runs(self, users: int) -> list[tuple[float, float, float]]:
        return [self.run(users) for _ in range(self.scale.repeats)]


def panels(_: list[Point]) -> list[Panel]:
    return [
        Panel(RATE, "answers per second", "users who ask at the same time", log_x=True),
        Panel(COST, "microseconds"),
    ]


def figures(points: list[Point]) -> dict[str, object]:
    names = ("4 sync workers", "2 event loops")
    sync, loop = (
        max(p.median for p in points if (p.panel, p.series) == (RATE, name)) for name in names
    )
    sync_cost, loop_cost = (median_of(points, COST, name) for name in names)
    verdict = "the loops lead" if loop > 1.2 * sync else "async leads by nothing"
    verdict = "the workers lead" if sync > 1.2 * loop else verdict
    return {
        "verdict": verdict,
        "sync": sync,
        "loop": loop,
        "sync_cost": sync_cost,
        "loop_cost": loop_cost,
    }


EXPERIMENT = Experiment("short_queries", panels, measure, figures)
