"""Slow clients against bare sync workers, threads, a loop, and sync workers behind nginx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab import estimate
from lab.bench import MANY
from lab.estimate import Estimate
from lab.load import Arrival, Generator, generator
from lab.results import Experiment, Finding, Panel, Point, Scale, line, measured
from lab.servers import gunicorn, nginx, nginx_path, uvicorn

SENDING = 0.4  # seconds that a slow client takes to send its body
AFTER = 0.05  # seconds after them, somebody asks /health
WORKERS, THREADS = 2, 4
PANEL = "The longest wait for /health"
BARE, BEHIND = f"{WORKERS} sync workers", f"{WORKERS} sync workers behind nginx"
SYNC, ASYNC = "lab.experiments.slow_client.sync:app", "lab.experiments.slow_client.async_:app"


@contextmanager
def behind_nginx() -> Iterator[int]:
    with gunicorn(SYNC, workers=WORKERS) as server, nginx(server.port) as port:
        yield port


@contextmanager
def bare(workers: int, threads: int = 1) -> Iterator[int]:
    with gunicorn(SYNC, workers=workers, threads=threads) as server:
        yield server.port


@contextmanager
def loop() -> Iterator[int]:
    with uvicorn(ASYNC) as server:
        yield server.port


def measure(scale: Scale) -> Iterator[Finding]:
    servers = {BARE: (WORKERS, bare(WORKERS)), f"{THREADS} threads": (THREADS, bare(1, THREADS))}
    servers["event loop"] = (MANY, loop())
    if nginx_path():
        servers[BEHIND] = (MANY, behind_nginx())
    with generator() as load:
        for name, (seats, running) in servers.items():
            with running as port:
                yield from measure_one(scale, load, port, name, seats)


def measure_one(
    scale: Scale, load: Generator, port: int, name: str, seats: int
) -> Iterator[Finding]:
    repeats = scale.pick(full=7, quick=3, taste=1)
    longest_wait(load, port, 0, 0.3)  # the first requests pay for what is made once
    idle = estimate.median([longest_wait(load, port, 0, 0.3) for _ in range(repeats)])
    held = 1000 * (SENDING - AFTER)
    above = Estimate(idle.value + held, idle.low + held, idle.high + held)
    prediction = line(PANEL, name, "step", seats=seats, below=idle, above=above)
    yield prediction
    for slow in scale.pick(full=(1, 2, 3, 4, 8, 16), quick=(1, 2, 4), taste=(2,)):
        samples = [longest_wait(load, port, slow, SENDING + 0.1) for _ in range(repeats)]
        result = estimate.median(samples)
        yield Point(PANEL, name, slow, prediction(slow), result, f"median of {repeats}")


def longest_wait(load: Generator, port: int, slow: int, seconds: float) -> float:
    """Milliseconds until /health answers, at worst, while slow clients send their bodies."""
    health = [Arrival(AFTER + i / 20, "/health") for i in range(int(seconds * 20))]
    uploads = [Arrival(0, "/upload", SENDING)] * slow
    return 1000 * max(load.arrivals(port, health + uploads)[: len(health)])


def panels(_: list[Point]) -> list[Panel]:
    x = f"clients who take {SENDING * 1000:g} ms to send ten bytes"
    return [Panel(PANEL, "milliseconds", x, noise=5)]


def figures(points: list[Point]) -> dict[str, object]:
    most = max(point.x for point in points)
    cure = "nginx was not on this machine, so its cure was not measured"
    if any(point.series == BEHIND for point in points):
        cure = f"with nginx in front it is {measured(points, PANEL, BEHIND, most):.0f} ms"
    return {"slow": most, "bare": measured(points, PANEL, BARE, most), "cure": cure}


EXPERIMENT = Experiment("slow_client", panels, measure, figures)
