"""Callers who give up: who notices, and how much is done for nobody?"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lab import estimate
from lab.estimate import Estimate
from lab.load import Arrival, Generator, generator
from lab.results import Experiment, Finding, Panel, Point, Scale, measured
from lab.servers import Server, gunicorn, uvicorn

STEPS, STEP = 10, 0.1  # as in sync.py
LEAVES = 0.25  # seconds after which the caller hangs up: in the third step
DEADLINE = 0.45  # seconds: in the fifth
DONE, NEXT = "Steps done, of ten", "How long the next caller waits"
PLAIN, WATCHED = "event loop", "event loop, watched by a TaskGroup"
SYNC, ASYNC = "lab.experiments.hang_up.sync:app", "lab.experiments.hang_up.async_:app"
CROWD, WORKERS = 8, 4
BEHIND = f"{WORKERS} sync workers"
Running = AbstractContextManager[Server]


@dataclass(frozen=True)
class Case:
    """A view of a server, and how many of its steps arithmetic expects."""

    name: str
    path: str
    steps: int


LOOKS = math.ceil(LEAVES / STEP)  # the step that was under way is finished; then somebody looks
STOPPED = math.floor(LEAVES / STEP)
FLASK = (
    Case("sync worker", "/report", STEPS),
    Case("sync worker that looks at its socket", "/report-that-looks", LOOKS),
    Case("sync worker with a deadline", f"/report-with-deadline/{DEADLINE}", math.ceil(4.5)),
)
THREADS = (Case("4 threads", "/report", STEPS),)
LOOP = (
    Case(PLAIN, "/report", STEPS),
    Case("event loop with a deadline", f"/report-with-deadline/{DEADLINE}", math.floor(4.5)),
    Case(WATCHED, "/report-watched", STOPPED),
)


def servers(steps: Path) -> Iterator[tuple[tuple[Case, ...], Running]]:
    file = str(steps)
    yield FLASK, gunicorn(SYNC, STEPS=file)
    yield THREADS, gunicorn(SYNC, threads=4, STEPS=file)
    yield LOOP, uvicorn(ASYNC, STEPS=file)


def measure(scale: Scale) -> Iterator[Finding]:
    repeats = scale.pick(full=7, quick=3, taste=1)
    with TemporaryDirectory() as folder, generator() as load:
        steps = Path(folder) / "steps"
        steps.touch()
        for cases, running in servers(steps):
            with running as server:
                for case in cases:
                    result = [done(server, case.path, steps) for _ in range(repeats)]
                    known = Estimate.exact(case.steps)
                    sampling = f"median of {repeats}"
                    yield Point(DONE, case.name, 0, known, estimate.median(result), sampling)
        yield from next_caller(load, steps)


def done(server: Server, path: str, steps: Path) -> float:
    """Ask, hang up, and count what is done all the same."""
    before = steps.stat().st_size
    with caller(server, path):
        time.sleep(LEAVES)
    time.sleep(STEPS * STEP + 0.3)
    return steps.stat().st_size - before


def caller(server: Server, path: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), 10)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
    return connection


def next_caller(load: Generator, steps: Path) -> Iterator[Point]:
    """A crowd has come and gone; somebody asks who is willing to wait."""
    rounds = 1 + CROWD // WORKERS
    for name, seconds, path, running in (
        (
            BEHIND,
            rounds * STEPS * STEP - LEAVES,
            "/report",
            gunicorn(SYNC, workers=WORKERS, STEPS=str(steps)),
        ),
        (
            f"{BEHIND} that look",
            math.ceil(LEAVES / STEP) * STEP - LEAVES + STEPS * STEP,
            "/report-that-looks",
            gunicorn(SYNC, workers=WORKERS, STEPS=str(steps)),
        ),
        (PLAIN, STEPS * STEP, "/report", uvicorn(ASYNC, STEPS=str(steps))),
    ):
        with running as server:
            crowd = [caller(server, path) for _ in range(CROWD)]
            time.sleep(LEAVES)
            for each in crowd:
                each.close()
            (wait,) = load.arrivals(server.port, [Arrival(0, path)])
            exact = Estimate.exact
            yield Point(NEXT, name, 0, exact(1000 * seconds), exact(1000 * wait), "once")


def panels(_: list[Point]) -> list[Panel]:
    return [Panel(DONE, "steps", noise=1), Panel(NEXT, "milliseconds", noise=100)]


def figures(points: list[Point]) -> dict[str, object]:
    names = {"sync": "sync worker", "loop": PLAIN, "watched": WATCHED}
    names |= {"looks": "sync worker that looks at its socket"}
    result: dict[str, object] = {key: measured(points, DONE, name) for key, name in names.items()}
    wait = measured(points, NEXT, BEHIND)
    return {
        **result,
        "wait": wait / 1000,
        "crowd": CROWD,
        "looked": measured(points, NEXT, f"{BEHIND} that look") / 1000,
    }


EXPERIMENT = Experiment("hang_up", panels, measure, figures)
