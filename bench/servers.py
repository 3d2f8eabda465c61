"""Servers as they are deployed, and what they cost: CPU, memory, time to the first answer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from lab.servers import free_port, tree

ROOT = Path(__file__).parents[1]
WORKERS = 2


@dataclass(frozen=True)
class Kind:
    """How one of the compared servers is started: a command that takes {port}."""

    name: str
    title: str
    command: tuple[str, ...]
    writes: bool = True
    latency: bool = True  # asked at a fixed rate, too
    closes: bool = False  # asked on a connection for each request, as a sync worker answers
    python: str = sys.executable


def gunicorn(app: str, *options: str) -> tuple[str, ...]:
    """Two sync workers on loopback, as taskapp's own gunicorn.conf.py has it."""
    bare = ("--config", "python:bench.peers.gunicorn_conf", f"--workers={WORKERS}")
    return ("gunicorn", *(options or bare), "--bind=127.0.0.1:{port}", app)


def uvicorn(app: str) -> tuple[str, ...]:
    """Two processes, each with an event loop, on the fast loop and parser."""
    bare = ("--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=warning")
    return ("uvicorn", f"--workers={WORKERS}", *bare, "--port={port}", app)


OURS = gunicorn("wsgi:app", "--config=gunicorn.conf.py")
TASKAPP = Kind("taskapp", "taskapp, everything on", OURS)
FLOOR = Kind("floor", "floor: raw WSGI, psycopg2", gunicorn("bench.peers.floor:app"))
FLOOR_ON_OURS = Kind(
    "floor_on_ours",
    "floor on taskapp's worker",
    gunicorn("bench.peers.floor:app", "--config=python:bench.peers.our_worker_conf"),
    latency=False,
)
FASTAPI = Kind(
    "fastapi", "FastAPI, async SQLAlchemy, asyncpg", uvicorn("bench.peers.fastapi_plain:app")
)
FASTAPI_CLOSING = replace(
    FASTAPI,
    name="fastapi_closing",
    title="FastAPI, a connection for each request",
    latency=False,
    closes=True,
)
TWIN = Kind("twin", "FastAPI doing all that taskapp does", uvicorn("lab.twin.app:app"))
DRF = Kind("drf", "Django REST framework, simplejwt", gunicorn("bench.peers.drf.wsgi:app"))
FLASK = Kind("flask", "Flask as tutorials write it", gunicorn("bench.peers.flask_tutorial:app"))
EMPTY = Kind("empty", "empty Flask app", gunicorn("bench.peers.empty_flask:app"), writes=False)
PEERS = (FLOOR, FLOOR_ON_OURS, FASTAPI, FASTAPI_CLOSING, TWIN, DRF, FLASK)


def newest() -> tuple[Kind, ...]:
    """taskapp on another Python, whose path stands in NEWEST; nothing without."""
    python = os.environ.get("NEWEST")
    if not python:
        return ()
    asked = "import platform; print(platform.python_version())"
    version = subprocess.check_output([python, "-c", asked], text=True).strip()  # noqa: S603 - as above
    title = f"taskapp on Python {version}"
    return (Kind("newest", title, OURS, latency=False, python=python),)


@dataclass
class Server:
    """A running server, with all its processes."""

    kind: Kind
    process: subprocess.Popen[bytes]
    port: int
    seconds_to_first_answer: float

    def cpu_seconds(self) -> float:
        """User and system time of the tree, with what its dead children used."""
        return cpu_seconds(self.process.pid)

    def pss_mib(self) -> float:
        """Proportional memory: a page that processes share counts once, split among them."""
        return sum(_pss_bytes(process) for process in tree(self.process.pid)) / 2**20


@contextmanager
def running(kind: Kind, environment: dict[str, str]) -> Iterator[Server]:
    """Start it, wait for its first answer, and stop it with everything it started."""
    port = free_port()
    command = [kind.python, "-m", *(part.format(port=port) for part in kind.command)]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TZ") if name in os.environ}
    told = {**kept, "WEB_CONCURRENCY": str(WORKERS), **environment, "PORT": str(port)}
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own commands
        command, cwd=ROOT, env=told, start_new_session=True, stderr=_log(kind), stdout=_log(kind)
    )
    try:
        yield Server(kind, process, port, _first_answer(port, process, began))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _log(kind: Kind) -> int:
    """Where a peer writes; a server that logs its requests pays for it as it does in service."""
    folder = ROOT / "bench" / "results" / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / f"{kind.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def _first_answer(port: int, process: subprocess.Popen[bytes], began: float) -> float:
    """Seconds until any answer of the API: a 401 does, it has been through the application."""
    ask = b"GET /api/v1/tasks HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
    while time.perf_counter() - began < 60:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(ask)
                if connection.recv(64).startswith(b"HTTP/1.1 "):
                    return time.perf_counter() - began
        except OSError:
            time.sleep(0.005)
    raise RuntimeError(f"{process.args!r} does not answer; see bench/results/logs")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants, dead ones too."""
    return sum(_seconds_of(process) for process in tree(pid))


def _seconds_of(process: psutil.Process) -> float:
    try:
        time = process.cpu_times()
    except psutil.NoSuchProcess:  # PostgreSQL ends workers of its own; their parent counts them
        return 0.0
    return float(time.user + time.system + time.children_user + time.children_system)


def _pss_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:  # a worker that has just been replaced
        return 0
