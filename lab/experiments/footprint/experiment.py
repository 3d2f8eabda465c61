"""Memory and start-up: what one more request at the same time costs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from lab import estimate
from lab.estimate import Estimate
from lab.load import Arrival, Generator, generator
from lab.machine import CORES
from lab.results import Experiment, Finding, Panel, Point, Scale, line, measured
from lab.servers import ROOT, Server, Upstream, gunicorn, slow_upstream, uvicorn

SYNC = "lab.experiments.slow_upstream.sync:app"
ASYNC = "lab.experiments.slow_upstream.async_:app"
MEMORY, START = "Memory of the server", "From the command to all workers ready"
WORKERS, THREADS, LOOP = "sync workers", "threads", "event loop"
Running = AbstractContextManager[Server]
Samples = tuple[float, ...]
PATIENCE = 45  # seconds until the last of the requests must be in hand
FASTEST = 2000  # arrivals per second: no more connections at once than a port can queue


def measure(scale: Scale) -> Iterator[Finding]:
    with generator() as load, slow_upstream() as upstream:
        url = upstream.url
        servers: tuple[tuple[str, Callable[[int], Running], tuple[int, ...]], ...] = (
            (
                WORKERS,
                lambda seats: gunicorn(SYNC, workers=seats, UPSTREAM=url),
                scale.pick(full=(1, 2, 4, 8), quick=(1, 4, 8), taste=(1, 2)),
            ),
            (
                THREADS,
                lambda seats: gunicorn(SYNC, threads=seats, UPSTREAM=url),
                scale.pick(full=(2, 16, 64, 500, 2000, 4000), quick=(2, 64, 500), taste=(2, 4)),
            ),
            (
                LOOP,
                lambda _: uvicorn(ASYNC, UPSTREAM=url),
                scale.pick(full=(1, 64, 500, 2000, 4000), quick=(1, 100, 500), taste=(1, 2)),
            ),
        )
        for name, running, held in servers:
            memory, ready = dict[int, Samples](), dict[int, Samples]()
            for seats in held:
                runs = [
                    while_held(running(seats), seats, load, upstream) for _ in range(scale.repeats)
                ]
                memory[seats], ready[seats] = zip(*runs, strict=True)
            yield from on_a_line(name, memory)
            yield from starts(name, ready, url)


def on_a_line(name: str, memory: dict[int, Samples]) -> Iterator[Finding]:
    """The first and the last give a straight line; those between are held against it."""
    ends = (min(memory), max(memory))
    first, last = (estimate.median(memory[seats]) for seats in ends)
    slope = (last.value - first.value) / (ends[1] - ends[0])
    base = first.value - slope * ends[0]
    spread = (base - first.value + first.low, base - first.value + first.high)
    prediction = line(MEMORY, name, "straight", base=Estimate(base, *spread), slope=slope)
    yield prediction
    for seats, samples in memory.items():
        result = estimate.median(samples)
        sampling = f"median of {len(samples)}"
        independent = seats not in ends
        yield Point(MEMORY, name, seats, prediction(seats), result, sampling, independent)


def starts(name: str, ready: dict[int, Samples], url: str) -> Iterator[Finding]:
    """What imports alone would take; only workers are started one by one."""
    server, app = ("uvicorn", ASYNC) if name == LOOP else ("gunicorn.app.wsgiapp", SYNC)
    repeats = len(ready[min(ready)])
    boot, each = (import_time(module, url, repeats) for module in (server, app.partition(":")[0]))
    for seats, samples in ready.items() if name == WORKERS else list(ready.items())[-1:]:
        rounds = max(1, seats / CORES) if name == WORKERS else 1
        label = name if name == LOOP else counted(seats, name)
        predicted = Estimate(
            boot.value + rounds * each.value,
            boot.low + rounds * each.low,
            boot.high + rounds * each.high,
        )
        result = estimate.median(samples)
        yield Point(START, label, 0, predicted, result, f"median of {repeats}")


def counted(seats: float, name: str) -> str:
    return f"{seats:g} {name}" if seats > 1 else f"1 {name.removesuffix('s')}"


def while_held(
    running: Running, seats: int, load: Generator, upstream: Upstream
) -> tuple[float, float]:
    """Megabytes of a fresh server with its hands full; milliseconds until it was ready."""
    begin = time.perf_counter()
    with running as server, ThreadPoolExecutor(1) as looking:
        ready = 1000 * (time.perf_counter() - begin)
        upstream.set(PATIENCE)
        memory = looking.submit(memory_when_full, server, seats, upstream)
        crowd = [Arrival(number / FASTEST, "/quote") for number in range(seats)]
        load.arrivals(server.port, crowd)
    return memory.result(), ready


def memory_when_full(server: Server, seats: int, upstream: Upstream) -> float:
    """Once all requests wait for the upstream; then it lets them go."""
    deadline = time.monotonic() + PATIENCE
    try:
        while upstream.waiting < seats:
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {upstream.waiting} of {seats} requests got through")
            time.sleep(0.01)
        return server.memory()
    finally:
        upstream.set(0)


def import_time(module: str, upstream: str, repeats: int) -> Estimate:
    """Milliseconds until a fresh interpreter has it."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        command = [sys.executable, "-c", f"import {module}"]
        subprocess.run(command, cwd=ROOT, env={"UPSTREAM": upstream}, check=True)  # noqa: S603 - our own
        times.append(time.perf_counter() - begin)
    return estimate.median(times).map(1000)


def panels(_: list[Point]) -> list[Panel]:
    return [
        Panel(MEMORY, "megabytes", "requests in hand at the same time", log_x=True, noise=5),
        Panel(START, "milliseconds"),
    ]


def price(points: list[Point], name: str) -> float:
    """Megabytes for one more request in hand."""
    memory = [p for p in points if (p.panel, p.series) == (MEMORY, name)]
    return (memory[-1].measured.value - memory[0].measured.value) / (memory[-1].x - memory[0].x)


def figures(points: list[Point]) -> dict[str, object]:
    most = max(p.x for p in points if p.series == WORKERS)
    one, many = (measured(points, START, counted(n, WORKERS)) for n in (1, most))
    prices = {name: price(points, name) for name in (WORKERS, THREADS, LOOP)}
    return {"one": one, "many": many, "most": most, **{n.split()[-1]: p for n, p in prices.items()}}


EXPERIMENT = Experiment("footprint", panels, measure, figures)
