"""python -m bench.courier [EVENTS [SUBSCRIBERS]]: what the courier takes, on each database.

Ten thousand events wait for two hundred webhooks, whose target answers at once: deliveries a
second, processor time of a delivery, memory, one courier and two; then what an idle one costs.
"""

from __future__ import annotations

import asyncio
import os
import secrets
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
HEADER = "| database | couriers | deliveries a second | CPU of a delivery | memory (PSS) of each |"


@dataclass(frozen=True)
class Figures:
    """What so many couriers did."""

    couriers: int
    deliveries: int
    seconds: float
    cpu_seconds: float
    pss_mib: float

    def row(self, database: str) -> str:
        rate = self.deliveries / self.seconds
        each = self.cpu_seconds / self.deliveries * 1000
        measured = f"{rate:.0f} | {each:.1f} ms | {self.pss_mib:.0f} MiB"
        return f"| {database} | {self.couriers} | {measured} |"


async def _receive(port: int) -> None:
    """Answer every POST with 204, at once."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    await server.serve_forever()


@contextmanager
def receiver() -> Iterator[str]:
    port = stage.servers.free_port()
    command = [sys.executable, "-m", "bench.courier", "--receive", str(port)]
    with subprocess.Popen(command, cwd=ROOT) as process:  # noqa: S603 - our own
        time.sleep(1)
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.kill()


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


def measure(count: int, environment: dict[str, str]) -> Figures:
    """From the first delivery to the last: the start of a process is not counted."""
    total = waiting()
    with couriers(count, environment) as running:
        while (before := waiting()) == total:
            time.sleep(0.05)
        began, began_cpu = time.monotonic(), cpu(running)
        while waiting():
            time.sleep(0.1)
        seconds, used = time.monotonic() - began, cpu(running) - began_cpu
        memory = max(process.memory_full_info().pss for process in running) / config.MIB
    return Figures(count, before, seconds, used, memory)


def idle(environment: dict[str, str]) -> str:
    with couriers(1, environment) as running:
        time.sleep(5)  # it has started
        before = cpu(running)
        time.sleep(IDLE)
        percent = (cpu(running) - before) / IDLE * 100
        memory = running[0].memory_full_info().pss / config.MIB
    return f"idle: {percent:.2f} % of a core, {memory:.0f} MiB"


def on(database: str, url: str, events: int, subscribers: int) -> None:
    for count in (1, 2):
        with TemporaryDirectory() as folder, receiver() as target:
            environment = {"TASKAPP_INSTANCE": folder, "SECRET_KEY": secrets.token_hex(32)}
            environment["WEBHOOK_NETWORKS"] = "127.0.0.0/8"
            if database == "PostgreSQL":
                environment["DATABASE_URL"] = stage.new_database(url, f"courier_{count}")
            app = create_app(config.load(environment))
            with app.app_context():
                upgrade()
                fill(target, events, subscribers)
                tell(measure(count, environment).row(database))
                if count == 1:
                    tell(f"{database}, {idle(environment)}")


def tell(text: Any) -> None:
    print(text, flush=True)  # noqa: T201 - the figures


def main() -> None:
    if sys.argv[1:2] == ["--receive"]:
        asyncio.run(_receive(int(sys.argv[2])))
        return
    events, subscribers = (int(number) for number in (*sys.argv[1:3], 10_000, 200)[:2])
    tell(HEADER)
    on("SQLite", "", events, subscribers)
    with stage.postgresql() as url:
        on("PostgreSQL", url, events, subscribers)


if __name__ == "__main__":
    main()
