"""Many who wait: how many long polls does a server hold, and for how much memory?"""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lab import arithmetic
from lab.bench import MANY
from lab.estimate import Estimate
from lab.results import Experiment, Finding, Panel, Point, Scale, line, measured
from lab.servers import MissingError, Server, gunicorn, uvicorn

HELD, MEMORY = "Long polls in hand", "Memory of the server"
HEALTH = "How long somebody else waits for /health meanwhile"
SYNC, ASYNC = "lab.experiments.idle.sync:app", "lab.experiments.idle.async_:app"
WORKERS, THREADS = "4 sync workers", "200 threads"
GREEN, LOOP = "gevent, as it comes", "event loop"
GREEN_SEATS = 1000  # gunicorn's worker_connections, as it comes
REQUEST = b"GET %s HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
QUIET = 0.5  # seconds without one more in hand: then no more will come
PATIENCE = 1.0  # seconds that somebody waits for /health


@dataclass(frozen=True)
class Kind:
    """A server, its seats, and with how many connections it is tried."""

    name: str
    seats: int
    connections: tuple[int, ...]


def kinds(scale: Scale) -> tuple[Kind, ...]:
    few = scale.pick(full=(1, 4, 100, 1000), quick=(1, 4, 100), taste=(1, 8))
    many = scale.pick(full=(1, 100, 1000, 2000, 5000), quick=(1, 500, 1000, 2000), taste=(1, 8))
    return (
        Kind(WORKERS, 4, few),
        Kind(
            THREADS, 200, scale.pick(full=(1, 100, 200, 1000), quick=(1, 200, 1000), taste=(1, 8))
        ),
        Kind(GREEN, GREEN_SEATS, many),
        Kind(LOOP, MANY, many),
    )


@contextmanager
def running(name: str, in_hand: Path) -> Iterator[Server]:
    file = str(in_hand)
    with ExitStack() as stack:
        if name == LOOP:
            yield stack.enter_context(uvicorn(ASYNC, IN_HAND=file))
        elif name == GREEN:
            yield stack.enter_context(gunicorn(SYNC, worker_class="gevent", IN_HAND=file))
        elif name == THREADS:
            yield stack.enter_context(gunicorn(SYNC, threads=200, IN_HAND=file))
        else:
            yield stack.enter_context(gunicorn(SYNC, workers=4, IN_HAND=file))


def measure(scale: Scale) -> Iterator[Finding]:
    enough_files(max(kind.connections[-1] for kind in kinds(scale)))
    for kind in kinds(scale):
        yield line(HELD, kind.name, "seats_taken", seats=kind.seats)
        memory = dict[int, float]()
        for count in kind.connections:
            with TemporaryDirectory() as folder, waiting(kind.name, count, Path(folder)) as bench:
                held = min(count, kind.seats)
                yield point(HELD, kind.name, count, held, bench.in_hand())
                if held == count:
                    memory[count] = bench.server.memory()
                if count == kind.connections[-1]:
                    health = bench.health()
        yield from by_memory(kind.name, memory)
        free = kind.connections[-1] < kind.seats
        predicted = 0.0 if free else 1000 * PATIENCE
        yield point(HEALTH, f"{kind.name}, {count:,} held", 0, predicted, health)


def enough_files(connections: int) -> None:
    """Each connection is a file here and in the server, which inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise MissingError(f"{wanted:,} open files are needed, and the limit here is {hard:,}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def point(panel: str, name: str, x: float, predicted: float, result: float) -> Point:
    exact = Estimate.exact
    return Point(panel, name, x, exact(predicted), exact(result), "once")


def by_memory(name: str, memory: dict[int, float]) -> Iterator[Finding]:
    """A straight line through the first and the last; those between are held against it."""
    first, last = min(memory), max(memory)
    slope = (memory[last] - memory[first]) / ((last - first) or 1)
    base = memory[first] - slope * first
    yield line(MEMORY, name, "straight", base=base, slope=slope)
    for count, result in memory.items():
        where = (MEMORY, name, count)
        predicted = Estimate.exact(arithmetic.straight(count, base, slope))
        between = count not in {first, last}
        yield Point(*where, predicted, Estimate.exact(result), "once", independent=between)


@dataclass(frozen=True)
class Bench:
    """A server with callers who wait."""

    server: Server
    file: Path

    def in_hand(self) -> int:
        """How many requests have begun, once no more begin."""
        count, since = 0, time.monotonic()
        while time.monotonic() - since < QUIET:
            time.sleep(0.05)
            if self.file.stat().st_size > count:
                count, since = self.file.stat().st_size, time.monotonic()
        return count

    def health(self) -> float:
        """Milliseconds until somebody else is answered, or has given up."""
        begin = time.perf_counter()
        with socket.create_connection(("127.0.0.1", self.server.port), PATIENCE) as caller:
            caller.settimeout(PATIENCE)
            caller.sendall(REQUEST % b"/health")
            try:
                caller.recv(1)
            except TimeoutError:
                return 1000 * PATIENCE
        return 1000 * (time.perf_counter() - begin)


@contextmanager
def waiting(name: str, count: int, folder: Path) -> Iterator[Bench]:
    """A fresh server, and `count` callers who ask for news and wait."""
    file = folder / "in-hand"
    file.touch()
    with running(name, file) as server, ExitStack() as stack:
        for _ in range(count):
            caller = socket.create_connection(("127.0.0.1", server.port), 10)
            stack.callback(caller.close)
            caller.sendall(REQUEST % b"/news")
        yield Bench(server, file)


def panels(_: list[Point]) -> list[Panel]:
    x = "connections that ask for news"
    return [
        Panel(HELD, "requests in hand", x, log_x=True, log_y=True),
        Panel(MEMORY, "megabytes", x, log_x=True, noise=5),
        Panel(HEALTH, "milliseconds; at 1,000 they gave up", noise=100),
    ]


def figures(points: list[Point]) -> dict[str, object]:
    most = max(point.x for point in points if point.series == LOOP)
    memory = [p for p in points if (p.panel, p.series) == (MEMORY, LOOP)]
    each = (memory[-1].measured.value - memory[0].measured.value) / (memory[-1].x - memory[0].x)
    return {
        "most": most,
        "loop": measured(points, HELD, LOOP, most),
        "green": measured(points, HELD, GREEN, most),
        "threads": max(p.measured.value for p in points if (p.panel, p.series) == (HELD, THREADS)),
        "workers": max(p.measured.value for p in points if (p.panel, p.series) == (HELD, WORKERS)),
        "each": 1000 * each,
    }


EXPERIMENT = Experiment("idle", panels, measure, figures)
