"""Short queries: is async any faster when the database answers in a millisecond?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lab.bench import described, window
from lab.estimate import Estimate
from lab.load import Generator, Measured, Window, generator
from lab.machine import CORES
from lab.results import Experiment, Finding, Panel, Point, Scale, line, measured
from lab.servers import Server, gunicorn, postgresql, processor_seconds, uvicorn

RATE, COST = "Throughput", "Processor time of the server for one answer"
POOL = 16  # connections of each event loop, as in async_.py
BUSY = 16  # users with whom the processor time of an answer is measured
FEW, SEATED = "4 sync workers", "16 sync workers"
LOOP, SAME_SERVER = "event loop", "event loop under gunicorn"
SYNC, ASYNC = (f"lab.experiments.short_queries.{name}:app" for name in ("sync", "async_"))
Running = AbstractContextManager[Server]


@dataclass(frozen=True)
class Kind:
    """A server, its seats, and how many processors it can use."""

    name: str
    seats: int
    processors: int
    running: Running


def servers(scale: Scale, database: str) -> Iterator[Kind]:
    for workers in scale.pick(full=(2, 4, 8, 16), quick=(4, 16), taste=(4, 16)):
        running = gunicorn(SYNC, workers=workers, DATABASE=database)
        yield Kind(f"{workers} sync workers", workers, min(workers, CORES), running)
    threads = gunicorn(SYNC, workers=2, threads=8, DATABASE=database)
    yield Kind("16 threads in 2 workers", 16, min(2, CORES), threads)
    yield Kind(LOOP, POOL, 1, uvicorn(ASYNC, DATABASE=database))
    same = gunicorn(ASYNC, worker_class="asgi", DATABASE=database)
    yield Kind(SAME_SERVER, POOL, 1, same)
    loops = uvicorn(ASYNC, workers=2, DATABASE=database)
    yield Kind("2 event loops", 2 * POOL, min(2, CORES), loops)


def measure(scale: Scale) -> Iterator[Finding]:
    with generator() as load, postgresql() as database:
        for kind in servers(scale, database.url):
            with kind.running as server:
                bench = Bench(server, load, (database.pid, load.process.pid))
                yield from bench.findings(kind, scale)


@dataclass(frozen=True)
class Run:
    """A rate, and processor seconds per answer: of the server, and of everybody else."""

    result: Measured
    own: float
    others: float


@dataclass(frozen=True)
class Bench:
    """One server under load, with what each answer costs it and everybody else."""

    server: Server
    load: Generator
    others: tuple[int, ...]

    def run(self, users: int, within: Window) -> Run:
        own, others = self.server.cpu(), self.others_cpu()
        result = self.load.closed(self.server.port, "/row", users, within)
        spent = self.server.cpu() - own, self.others_cpu() - others
        self.load.drain(self.server.port, "/row")
        return Run(result, spent[0] / result.answers, spent[1] / result.answers)

    def findings(self, kind: Kind, scale: Scale) -> Iterator[Finding]:
        self.load.warm_up(self.server.port, "/row", 32, 320)
        alone = self.run(1, Window(1, most=2)).result.per_second.inverse()
        busy = self.run(BUSY, Window(BUSY, least=1, most=2))
        ceiling = min(kind.processors / busy.own, CORES / (busy.own + busy.others))
        prediction = line(
            RATE,
            kind.name,
            "throughput",
            seats=kind.seats,
            service=0,
            overhead=alone,
            ceiling=ceiling,
        )
        yield prediction
        for users in scale.pick(full=(1, 2, 4, 8, 32, 64), quick=(2, 4, 32), taste=(8,)):
            predicted = prediction(users)
            within = window(users, kind.seats, alone.value, most=2)
            run = self.run(users, within)
            where = (RATE, kind.name, users)
            yield Point(*where, predicted, run.result.per_second, described(run.result))
        price = Estimate.exact(1e6 * busy.own)
        cost = Estimate.exact(1e6 * run.own)
        sampling = f"{run.result.answers} answers"
        yield Point(COST, kind.name, 0, price, cost, sampling, independent=False)

    def others_cpu(self) -> float:
        return sum(processor_seconds(pid) for pid in self.others)


def panels(_: list[Point]) -> list[Panel]:
    return [
        Panel(RATE, "answers per second", "users who ask at the same time", log_x=True),
        Panel(COST, "microseconds"),
    ]


def figures(points: list[Point]) -> dict[str, object]:
    most = max(point.x for point in points)
    names = {"few": FEW, "seated": SEATED, "loop": LOOP, "same": SAME_SERVER}
    rates: dict[str, object] = {
        key: measured(points, RATE, name, most) for key, name in names.items()
    }
    costs: dict[str, object] = {
        f"{key}_cost": measured(points, COST, name) for key, name in names.items()
    }
    return {**rates, **costs, "users": most}


EXPERIMENT = Experiment("short_queries", panels, measure, figures)
