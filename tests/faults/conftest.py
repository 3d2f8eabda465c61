"""Real servers to break, and the load that notices: what was acknowledged must be there."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg2
import pytest

from tests import leftovers, servers
from tests.conftest import new_database

URL = "/api/v1/tasks"


class Service(NamedTuple):
    """A running service and somebody who is signed in."""

    base: str
    token: str

    def ask(self, path: str, body: Any = None, **more: Any) -> tuple[int, Any, Any]:
        return servers.ask(f"{self.base}{path}", body, token=self.token, **more)

    def create(self, title: str) -> tuple[int, str]:
        """The status, and the code of a refusal or nothing."""
        status, headers, body = self.ask(URL, {"title": title, "external_id": title})
        assert status == 201 or headers["Retry-After"], body
        return status, body.get("code", "")

    def read(self) -> int:
        return self.ask(URL)[0]

    def total(self) -> int:
        return int(self.ask(f"{URL}?total=true")[2]["total"])

    @property
    def master(self) -> psutil.Process:
        return servers.masters[self.base]

    @property
    def workers(self) -> list[psutil.Process]:
        return list(self.master.children())


@contextmanager
def running(log: Path | None = None, **variables: str) -> Iterator[Service]:
    """A service with limits off; its user is made at the first start, and signs in at others."""
    with servers.gunicorn(log=log, **variables, RATELIMIT_ENABLED="false") as base:
        yield Service(base, _token(base))


def _token(base: str) -> str:
    body = {"email": "alice@example.com", "password": "seven mossy lanterns"}
    status, _, pair = servers.ask(f"{base}/api/v1/auth/login", body)
    return str(pair["access_token"]) if status == 200 else servers.sign_up(base, body["email"])


class Load:
    """Clients that write without pause, and remember what was acknowledged and what was not."""

    def __init__(self, service: Service, clients: int = 4) -> None:
        self.service, self.clients = service, clients
        self.acknowledged: set[str] = set()
        self.answers: Counter[Any] = Counter()
        self.over = threading.Event()

    @contextmanager
    def going(self) -> Iterator[None]:
        with ThreadPoolExecutor(self.clients) as pool:
            clients = [pool.submit(self._write, number) for number in range(self.clients)]
            try:
                yield
            finally:
                self.over.set()
        for client in clients:
            client.result()

    def _write(self, number: int) -> None:
        count = 0
        while not self.over.is_set():
            title, count = f"{number}-{count}", count + 1
            try:
                answer: Any = self.service.create(title)
            except (HTTPException, OSError):  # hung up on: nothing was acknowledged
                answer = "none"
                time.sleep(0.02)
            self.answers[answer] += 1
            if answer == (201, ""):
                self.acknowledged.add(title)

    def missing(self, service: Service) -> set[str]:
        """What was acknowledged and is not there."""
        found: set[str] = set()
        path: str | None = f"{URL}?limit=200&fields=external_id"
        while path:
            page = service.ask(path)[2]
            found |= {task["external_id"] for task in page["items"]}
            cursor = page["next_cursor"]
            path = cursor and f"{URL}?limit=200&fields=external_id&cursor={cursor}"
        return self.acknowledged - found


class Postgres:
    """A PostgreSQL of its own that may be stopped, killed, frozen and filled up."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        self.server.ensure_postgres_running()

    def crash(self) -> None:
        """As a power cut: the server's processes are gone at once."""
        family = self._family()
        for process in family:
            with suppress(psutil.NoSuchProcess):  # its parent has just gone
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        family = self._family()
        for process in family:
            process.suspend()
        try:
            yield
        finally:
            for process in family:
                process.resume()

    def connect(self, url: str) -> Any:
        connection = psycopg2.connect(url.replace("+psycopg2", ""))
        connection.autocommit = True
        return connection

    def _family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.server.get_pid())
        return [parent, *parent.children(recursive=True)]


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Postgres]:
    with leftovers.folder() as folder, servers.postgresql_server(folder / "data") as server:
        server.psql("ALTER SYSTEM SET max_connections = 20;")
        server.stop()
        server.ensure_postgres_running()
        yield Postgres(server)


@pytest.fixture
def postgres(_postgres: Postgres) -> Iterator[Postgres]:
    _postgres.start()
    yield _postgres
    _postgres.start()


@pytest.fixture
def on_postgres(postgres: Postgres, tmp_path: Path) -> dict[str, str]:
    """The environment of a service on the PostgreSQL that will break."""
    name = f"fault_{os.getpid()}_{abs(hash(str(tmp_path)))}"
    url = new_database(postgres.server.get_uri(), name)
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "DATABASE_URL": url}
    migrated = servers.flask("db", "upgrade", **variables)
    assert migrated.returncode == 0, migrated.stderr
    return variables


@pytest.fixture
def on_sqlite(tmp_path: Path) -> dict[str, str]:
    variables = {"TASKAPP_INSTANCE": str(tmp_path)}
    migrated = servers.flask("db", "upgrade", **variables)
    assert migrated.returncode == 0, migrated.stderr
    return variables


def wait_until(true: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
