"""python -m bench.courier [EVENTS [SUBSCRIBERS]]: what the courier takes, on each database.

Ten thousand events wait for two hundred webhooks: deliveries a second, processor time of a
delivery, memory, one courier, two, and one that gunicorn's master forked (RUN_COURIER); then what
an idle one costs. The target answers at once, so
that the processors set the pace; then after 100 ms, as one far away, so that they do not: there two
couriers show how they share the work, on a busy machine, too.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import sqlalchemy as sa
from flask_migrate import upgrade

import config
from bench import stage
from taskapp import create_app
from taskapp.database.sealing import seal
from taskapp.database.session import now
from taskapp.extensions import db
from taskapp.ledger.access import EVENTS, PROJECTS
from taskapp.webhooks.service import LONG_AGO, WEBHOOKS

ROOT = Path(__file__).parents[1]
OF_PROJECT = 20  # webhooks; the default of MAX_WEBHOOKS_PER_PROJECT
IDLE = 20.0  # seconds
FORKED = "1, forked from gunicorn's master"
LOOK = 0.5  # seconds; to count what waits is not cheap
WAITS = (0, 100)  # milliseconds until the target answers
HEADER = """\
| database | target answers after | couriers | deliveries a second | CPU of each | memory (PSS) |
|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Figures:
    """What so many couriers did."""

    couriers: str
    deliveries: int
    seconds: float
    cpu_seconds: float
    pss_mib: float

    @property
    def rate(self) -> float:
        return self.deliveries / self.seconds

    def row(self, database: str, wait: int) -> str:
        each = self.cpu_seconds / self.deliveries * 1000
        measured = f"{self.rate:.0f} | {each:.1f} ms | {self.pss_mib:.0f} MiB"
        return f"| {database} | {wait} ms | {self.couriers} | {measured} |"


async def _receive(port: int, wait: int) -> None:
    """Answer every POST with 204, after so many milliseconds."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # somebody looks whether there is a server
            writer.close()
            return
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        await asyncio.sleep(wait / 1000)
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    await server.serve_forever()


@contextmanager
def receiver(wait: int = 0) -> Iterator[str]:
    port = stage.servers.free_port()
    command = [sys.executable, "-m", "bench.courier", "--receive", str(port), str(wait)]
    with subprocess.Popen(command, cwd=ROOT) as process:  # noqa: S603 - our own
        _wait_for(port)
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.kill()


def _wait_for(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return


def fill(url: str, events: int, subscribers: int) -> None:
    """Projects with twenty webhooks each, and events that wait; each is delivered once."""
    at = now()
    each = events // subscribers
    for number in range(subscribers // OF_PROJECT):
        project = {"name": f"{number}", "description": "", "created_at": at, "updated_at": at}
        inserted = sa.insert(PROJECTS).values(**project, revision=each)
        project_id = db.session.scalar(inserted.returning(PROJECTS.c.id))
        hook = {"project_id": project_id, "url": url, "kinds": [], "format": "standard"}
        hook |= {"is_active": True, "event_id": 0, "test_requested": False, "attempts": 0}
        hook |= {"next_at": at, "leased_until": LONG_AGO, "created_at": at}
        hook |= {
            "sealed_url": seal(url),
            "sealed_secret": seal("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        }
        db.session.execute(sa.insert(WEBHOOKS), [hook for _ in range(OF_PROJECT)])
        changes = {"title": [None, "Water the fern"], "status": [None, "todo"]}
        event = {"project_id": project_id, "kind": "created", "changes": changes, "at": at}
        rows = [
            {**event, "revision": one, "task_id": one, "user_id": 1} for one in range(1, each + 1)
        ]
        db.session.execute(sa.insert(EVENTS), rows)
    db.session.commit()


def waiting() -> int:
    """Deliveries that are still to come."""
    past = sa.and_(EVENTS.c.project_id == WEBHOOKS.c.project_id, EVENTS.c.id > WEBHOOKS.c.event_id)
    with db.engine.connect() as connection:
        joined = WEBHOOKS.join(EVENTS, past)
        return int(connection.scalar(sa.select(sa.func.count()).select_from(joined)) or 0)


@contextmanager
def forked_courier(environment: dict[str, str]) -> Iterator[list[psutil.Process]]:
    """The one of gunicorn's master: the child of its only child that has one."""
    more = {"RUN_COURIER": "true", "PORT": str(stage.servers.free_port()), "LOG_LEVEL": "error"}
    command = [sys.executable, "-m", "gunicorn", "wsgi:app"]
    everything = {**os.environ, **environment, **more}
    with subprocess.Popen(command, cwd=ROOT, env=everything) as process:  # noqa: S603 - our own
        try:
            master = psutil.Process(process.pid)
            while not (
                found := [below for child in master.children() for below in child.children()]
            ):
                time.sleep(0.1)
            yield found
        finally:
            process.terminate()


@contextmanager
def couriers(count: int, environment: dict[str, str]) -> Iterator[list[psutil.Process]]:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "courier"]
    everything = {**os.environ, **environment, "LOG_LEVEL": "error"}
    with ExitStack() as stack:
        running = []
        for _ in range(count):
            process = subprocess.Popen(command, cwd=ROOT, env=everything)  # noqa: S603 - our own
            stack.enter_context(process)
            stack.callback(process.terminate)
            running.append(psutil.Process(process.pid))
        yield running


def cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def measure(which: str, environment: dict[str, str]) -> Figures:
    """From the first delivery to the last: the start of a process is not counted."""
    total = waiting()
    is_forked = which == FORKED
    started = forked_courier(environment) if is_forked else couriers(int(which), environment)
    with started as running:
        while (before := waiting()) == total:
            time.sleep(LOOK)
        began, began_cpu = time.monotonic(), cpu(running)
        while waiting():
            time.sleep(LOOK)
        seconds, used = time.monotonic() - began, cpu(running) - began_cpu
        memory = max(process.memory_full_info().pss for process in running) / config.MIB
    return Figures(which, before, seconds, used, memory)


def idle(environment: dict[str, str]) -> str:
    with couriers(1, environment) as running:
        before = _once_started(running)
        time.sleep(IDLE)
        percent = (cpu(running) - before) / IDLE * 100
        memory = running[0].memory_full_info().pss / config.MIB
    return f"idle: {percent:.2f} % of a core, {memory:.0f} MiB"


def _once_started(running: list[psutil.Process]) -> float:
    """What they have used when they have nothing to do any more."""
    before, used = -1.0, cpu(running)
    while used - before > 0.05 or used < 1:  # it takes more to import the application
        time.sleep(1)
        before, used = used, cpu(running)
    return used


def on(database: str, url: str, events: int, subscribers: int) -> None:
    for wait in WAITS:
        rates = []
        for number, which in enumerate(("1", "2", FORKED)):
            with TemporaryDirectory() as folder, receiver(wait) as target:
                environment = {"TASKAPP_INSTANCE": folder, "SECRET_KEY": secrets.token_hex(32)}
                environment["WEBHOOK_NETWORKS"] = "127.0.0.0/8"
                if database == "PostgreSQL":
                    name = f"courier_{wait}_{number}"
                    environment["DATABASE_URL"] = stage.new_database(url, name)
                figures = deliver_all(environment, target, which, events, subscribers)
                rates.append(figures.rate)
                tell(figures.row(database, wait))
                if (wait, which) == (0, "1"):
                    idle_costs = idle(environment)
        tell(f"{database}, {wait} ms: two couriers deliver {rates[1] / rates[0]:.2f} times one")
    tell(f"{database}, {idle_costs}")


def deliver_all(
    environment: dict[str, str], target: str, which: str, events: int, subscribers: int
) -> Figures:
    app = create_app(config.load(environment))
    with app.app_context():
        upgrade()
        fill(target, events, subscribers)
        return measure(which, environment)


def tell(text: Any) -> None:
    print(text, flush=True)  # noqa: T201 - the figures


def main() -> None:
    if sys.argv[1:2] == ["--receive"]:
        port, wait = (int(number) for number in sys.argv[2:4])
        asyncio.run(_receive(port, wait))
        return
    events, subscribers = (int(number) for number in (*sys.argv[1:3], 10_000, 200)[:2])
    tell(HEADER)
    on("SQLite", "", events, subscribers)
    with stage.postgresql() as url:
        on("PostgreSQL", url, events, subscribers)


if __name__ == "__main__":
    main()
