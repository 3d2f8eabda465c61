"""python -m lab.exercises.hello: the same endpoints on gunicorn and on uvicorn, one worker each."""

import argparse
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from lab.exercises.clock import seconds, table
from lab.servers import end

FLASK = ("gunicorn", "lab.exercises.hello.sync:app", "--config=python:lab.gunicorn")
SERVERS = {
    # A sync worker closes the connection after each answer; a thread keeps it, as uvicorn does.
    "Flask": (*FLASK, "--bind"),
    "kept alive": (*FLASK, "--worker-class=gthread", "--threads=1", "--bind"),
    "FastAPI": ("uvicorn", "lab.exercises.hello.async_:app", "--log-level", "warning", "--port"),
}


@contextmanager
def serving(kind: str) -> Iterator[str]:
    """One worker of the server of that world, on a free port; yields the base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    bind = str(port) if kind == "FastAPI" else f"127.0.0.1:{port}"
    command = [sys.executable, "-m", *SERVERS[kind], bind]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own module
        try:
            _wait(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            end(process)


def _wait(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on {port}")


def visits(base: str) -> dict[str, Callable[[], object]]:
    """What is timed: each endpoint once."""
    client, file = httpx.Client(base_url=base), {"file": ("a.bin", b"x" * 1_000_000)}
    return {
        "hello": lambda: client.get("/hello/Ann"),
        "calculate": lambda: client.post("/calculate", json={"a": 1, "op": "+", "b": 2}),
        "echo": lambda: client.post("/echo", content=b"hello"),
        "upload of 1 MB": lambda: client.post("/upload", files=file),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Three endpoints and an upload, timed.")
    parser.add_argument("--requests", type=int, default=200)
    options = parser.parse_args()
    measured: dict[str, list[str]] = {}
    for kind in SERVERS:
        with serving(kind) as base:
            for name, visit in visits(base).items():
                spent = seconds(lambda visit=visit: [visit() for _ in range(options.requests)])  # type: ignore[misc]
                measured.setdefault(name, []).append(f"{spent / options.requests * 1e3:.2f}")
    rows = [(name, *each) for name, each in measured.items()]
    print(table(("one client, ms each", *SERVERS), *rows))


if __name__ == "__main__":
    main()
