"""A courier that is killed again and again: every event arrives, in order, hardly ever twice

Five webhooks (fast; hanging; a 500 to half of the events; 410; refusing connections), four writers,
and the retry schedule a thousand times faster. A lease of a courier that was killed is let run out
at once, as if its minute had passed. COURIER_KILLS says how often; 50 take some five minutes.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sqlalchemy as sa

import config
from tests import servers
from tests.faults.conftest import Postgres, Service, running, wait_until

pytestmark = pytest.mark.faults
KILLS = int(os.environ.get("COURIER_KILLS", "50"))
RESTARTS = 2
SPEED = "1000"
CALM = 5.0  # seconds before the first kill, in which waiting times are looked at
LONGEST_WAIT = 2.0  # of the fast one, beside one that hangs; a second, and one for a busy machine
ROWS = 5000


@dataclass
class Targets:
    """What each webhook was sent: (event id, whether it was answered 2xx), and how late."""

    url: str = ""
    sent: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, name: str, event_id: int) -> int:
        if name == "hanging":
            self.over.wait(30)
        with self.lock:
            earlier = self.sent.setdefault(name, [])
            is_first = event_id not in {sent for sent, _ in earlier}
            status = {"gone": 410, "hanging": 500}.get(name, 204)
            if name == "flaky" and is_first and event_id % 2:
                status = 500
            earlier.append((event_id, status == 204))
        return status

    def arrived(self, name: str) -> list[int]:
        """The events in the order of their first 2xx."""
        with self.lock:
            taken = [event_id for event_id, good in self.sent.get(name, []) if good]
        return list(dict.fromkeys(taken))

    def repeats(self, name: str) -> int:
        """Deliveries of events that had been taken before."""
        taken: set[int] = set()
        repeated = 0
        for event_id, good in self.sent.get(name, []):
            repeated += event_id in taken
            if good:
                taken.add(event_id)
        return repeated


@pytest.fixture
def targets() -> Iterator[Targets]:
    kept = Targets()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            event_id = int(str(self.headers["webhook-id"]).removeprefix("evt_"))
            status = kept.answer(self.path.strip("/"), event_id)
            with suppress(OSError):  # who asked was killed
                self.send_response(status)
                self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    kept.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield kept
    kept.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Soak:
    """The service, its project, the couriers, and a look into the database."""

    service: Service
    project_id: int
    variables: dict[str, str]
    engine: sa.Engine
    errors: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def courier(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "courier", "--speed", SPEED]
        environment = servers.environment(**self.variables, LOG_LEVEL="error")
        with subprocess.Popen(command, cwd=servers.ROOT, env=environment) as process:
            try:
                yield process
            finally:
                process.kill()

    def let_leases_run_out(self) -> None:
        with suppress(sa.exc.DBAPIError), self.engine.begin() as connection:
            connection.execute(sa.text("UPDATE webhooks SET leased_until = created_at"))

    def events(self) -> list[int]:
        """Those that the webhooks are told of: all but the making of the project."""
        query = sa.text("SELECT id FROM events WHERE project_id = :p AND kind <> 'project-created'")
        with self.engine.connect() as connection:
            return sorted(connection.scalars(query, {"p": self.project_id}))

    def write(self, over: threading.Event) -> None:
        body = {"title": "Water the fern", "project_id": self.project_id}
        while not over.is_set():
            try:
                status = self.service.ask("/api/v1/tasks", body)[0]
            except (HTTPException, OSError):
                status = 0
            self.errors[str(status)] += 1
            over.wait(random.uniform(0.4, 1.2))  # noqa: S311 - no secret

    def import_and_die(self) -> None:
        """An import of many rows whose worker is killed midway: none of them may be told of."""
        rows = [{"title": f"Row {number}"} for number in range(ROWS)]
        path = f"/api/v1/tasks/import?project_id={self.project_id}"
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(self.service.ask, path, {"items": rows})
            time.sleep(0.3)
            for worker in self.service.workers:
                worker.kill()
            with suppress(HTTPException, OSError):
                sending.result()


@contextmanager
def soak_on(variables: dict[str, str], targets: Targets) -> Iterator[Soak]:
    variables = {**variables, "WEBHOOK_NETWORKS": "127.0.0.0/8"}
    url = variables.get("DATABASE_URL") or f"sqlite:///{variables['TASKAPP_INSTANCE']}/taskapp.db"
    engine = sa.create_engine(config.database(url), poolclass=sa.NullPool)
    with running(**variables) as service:
        project_id = service.ask("/api/v1/projects", {"name": "Garden"})[2]["id"]
        nobody = f"http://127.0.0.1:{servers.free_port()}/"
        names = ("fast", "hanging", "flaky", "gone")
        for address in (*(f"{targets.url}/{name}" for name in names), nobody):
            hooks = f"/api/v1/projects/{project_id}/webhooks"
            assert service.ask(hooks, {"url": address})[0] == 201
        yield Soak(service, project_id, variables, engine)


def calm_wait(soak: Soak, targets: Targets) -> float:
    """The longest time until the fast one was told of an event, beside one that hangs."""
    longest = 0.0
    with soak.courier():
        time.sleep(CALM)
        for _ in range(5):
            before = len(targets.arrived("fast"))
            began = time.monotonic()
            body = {"title": "How long?", "project_id": soak.project_id}
            assert soak.service.ask("/api/v1/tasks", body)[0] == 201
            wait_until(lambda before=before: len(targets.arrived("fast")) > before, 60)  # type: ignore[misc]
            longest = max(longest, time.monotonic() - began)
    soak.let_leases_run_out()
    return longest


def kill_couriers(soak: Soak, targets: Targets, restart: Callable[[], None] | None) -> None:
    for number in range(KILLS):
        seen = len(targets.arrived("fast"))
        with soak.courier():
            deadline = time.monotonic() + 15
            while len(targets.arrived("fast")) == seen and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(random.uniform(0, 0.4))  # noqa: S311 - no secret
            if restart and number in {KILLS // 3, 2 * KILLS // 3}:
                restart()
                time.sleep(1)
        soak.let_leases_run_out()
        if number == KILLS // 2:
            soak.import_and_die()


def hold(soak: Soak, targets: Targets, restart: Callable[[], None] | None = None) -> None:
    waited = calm_wait(soak, targets)
    over = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(soak.write, over) for _ in range(4)]
        try:
            kill_couriers(soak, targets, restart)
        finally:
            over.set()
    assert [writer.result() for writer in writers] == [None] * 4
    with soak.courier():
        for name in ("fast", "flaky"):
            wait_until(lambda name=name: targets.arrived(name)[-1:] == soak.events()[-1:], 900)  # type: ignore[misc]
        expected = soak.events()
    repeats = {name: targets.repeats(name) for name in ("fast", "flaky")}
    print(  # noqa: T201 - the figures
        f"{len(expected)} events, {KILLS} kills, repeats {repeats}, longest wait {waited:.2f} s,"
        f" attempts { ({name: len(sent) for name, sent in targets.sent.items()}) },"
        f" writers {dict(soak.errors)}"
    )

    for name in ("fast", "flaky"):
        assert targets.arrived(name) == expected, name
        assert repeats[name] <= KILLS + 1 + (RESTARTS if restart else 0)  # 1: the calm one
    assert waited < LONGEST_WAIT
    assert len(targets.sent["gone"]) <= KILLS + 1


def test_on_sqlite(on_sqlite: dict[str, str], targets: Targets) -> None:
    with soak_on(on_sqlite, targets) as soak:
        hold(soak, targets)


def test_on_postgresql_which_restarts_twice(
    postgres: Postgres, on_postgres: dict[str, str], targets: Targets
) -> None:
    def restart() -> None:
        postgres.stop()
        postgres.start()

    with soak_on(on_postgres, targets) as soak:
        hold(soak, targets, restart)
