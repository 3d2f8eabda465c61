"""A slow upstream: where does each server bend, and does the formula say so?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from lab.bench import MANY, Bench, crowds
from lab.load import generator
from lab.results import Experiment, Finding, Panel, Point, Scale, line, measured
from lab.servers import Server, gunicorn, slow_upstream, uvicorn

SYNC = "lab.experiments.slow_upstream.sync:app"
ASYNC = "lab.experiments.slow_upstream.async_:app"
THREADS = 32
CROWD = 64  # users with whom the ceiling is measured
PANEL = "The upstream takes {:g} ms"


def servers(
    upstream: str, workers: tuple[int, ...]
) -> Iterator[tuple[str, int, AbstractContextManager[Server]]]:
    """Each kind with its name and its seats."""
    for count in workers:
        name = f"{count} sync worker{'s' * (count > 1)}"
        yield name, count, gunicorn(SYNC, workers=count, UPSTREAM=upstream)
    yield f"{THREADS} threads", THREADS, gunicorn(SYNC, threads=THREADS, UPSTREAM=upstream)
    yield "event loop", MANY, uvicorn(ASYNC, UPSTREAM=upstream)


def measure(scale: Scale) -> Iterator[Finding]:
    workers = scale.pick(full=(1, 2, 4, 8, 16), quick=(4,), taste=(4,))
    with generator() as load, slow_upstream() as upstream:
        for name, seats, running in servers(upstream.url, workers):
            with running as server:
                bench = Bench(server.port, "/quote", upstream, load)
                yield from measure_one(scale, name, seats, bench)


def measure_one(scale: Scale, name: str, seats: int, bench: Bench) -> Iterator[Finding]:
    overhead, ceiling = bench.calibrate(CROWD)
    users = scale.pick(full=(1, 3, 10, 20, 40, 100, 200), quick=(1, 8, 40, 200), taste=(1, 40))
    for delay in scale.pick(full=(0.01, 0.05, 0.1, 0.2, 0.5), quick=(0.02, 0.2), taste=(0.1,)):
        predicted = line(
            PANEL.format(1000 * delay),
            name,
            "throughput",
            seats=seats,
            service=delay,
            overhead=overhead,
            ceiling=ceiling,
        )
        yield from crowds(bench, predicted, delay, users)


def panels(points: list[Point]) -> list[Panel]:
    names = sorted({point.panel for point in points}, key=delay_of)
    x = "users who ask at the same time"
    return [Panel(name, "answers per second", x, log_x=True, log_y=True) for name in names]


def delay_of(panel: str) -> float:
    """Milliseconds."""
    return float(panel.split()[-2])


def figures(points: list[Point]) -> dict[str, object]:
    names = {point.panel for point in points}
    panel = min(names, key=lambda name: abs(delay_of(name) - 200))
    most = max(point.x for point in points)
    kinds = {"workers": "4 sync workers", "threads": f"{THREADS} threads", "loop": "event loop"}
    result: dict[str, object] = {
        kind: measured(points, panel, name, most) for kind, name in kinds.items()
    }
    return {"users": most, "delay": delay_of(panel), "seats": THREADS, **result}


EXPERIMENT = Experiment("slow_upstream", panels, measure, figures)
