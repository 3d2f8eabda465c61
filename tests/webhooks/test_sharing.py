"""Webhooks share the courier: one that hangs, or that has much to be told, holds up no other"""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.courier import delivery, loop
from taskapp.courier.loop import Courier
from taskapp.database import long_writes
from taskapp.database.session import now
from taskapp.extensions import db, settings
from taskapp.mail.access import COURIER, READERS
from tests.conftest import Client, Json
from tests.webhooks.conftest import Receiver, run_courier
from tests.webhooks.test_courier import add_task, titles
from tests.webhooks.test_process import wait_until
from tests.webhooks.test_webhooks import url_of

HANGING = loop.AT_WORK + 2


@dataclass
class Targets:
    """Counts what each path was sent; those below /hanging answer when it is over."""

    url: str = ""
    sent: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def targets() -> Iterator[Targets]:
    kept = Targets()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            kept.sent[self.path] += 1
            if self.path.startswith("/hanging"):
                kept.over.wait(30)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield kept
    kept.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def running(app: Flask) -> Iterator[Courier]:
    courier = Courier(app)
    thread = threading.Thread(target=courier.run)
    thread.start()
    try:
        yield courier
    finally:
        courier.stop()
        thread.join()


def test_more_than_may_work_at_once_hang_and_the_others_are_told_all_the_same(
    app: Flask, alice: Client, shared: Json, loopback_allowed: None, targets: Targets
) -> None:
    for number in range(HANGING):
        body = {"url": f"{targets.url}/hanging/{number}"}
        assert alice.post(url_of(shared), json=body).status_code == 201
    add_task(alice, shared, "For those that hang")
    with running(app):
        wait_until(lambda: len(targets.sent) == HANGING, 12)  # less than a delivery may take
        assert alice.post(url_of(shared), json={"url": f"{targets.url}/fast"}).status_code == 201
        add_task(alice, shared, "For all")
        wait_until(lambda: targets.sent["/fast"] == 1, 10)
        targets.over.set()


def test_one_that_has_much_to_be_told_gives_way_after_its_turn(
    app: Flask,
    alice: Client,
    shared: Json,
    webhook: Json,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "TURN", 0.0)
    for number in range(3):
        add_task(alice, shared, f"Task {number}")

    assert run_courier(app) == 3
    assert titles(receiver) == [f"Task {number}" for number in range(3)]


def test_a_target_that_hangs_holds_no_connection_to_the_database(
    app: Flask, alice: Client, shared: Json, loopback_allowed: None, targets: Targets
) -> None:
    for number in range(HANGING):
        alice.post(url_of(shared), json={"url": f"{targets.url}/hanging/{number}"})
    add_task(alice, shared, "For those that hang")
    with running(app), app.app_context():
        wait_until(lambda: len(targets.sent) == HANGING, 12)
        in_use = [engine.pool.checkedout() for engine in db.engines.values()]  # type: ignore[attr-defined]
        assert sum(in_use) < HANGING
        targets.over.set()


def test_what_breaks_off_is_named_in_the_log_and_nothing_of_the_webhook(
    app: Flask, alice: Client, shared: Json, webhook: Json, caplog: pytest.LogCaptureFixture
) -> None:
    add_task(alice, shared, "Water the fern")
    with app.app_context():
        lease = delivery.take_lease()
    assert lease is not None

    def fail(_: delivery.Lease) -> None:
        raise OSError("no room")

    work = loop.Work(app, "delivery", partial(fail, lease), threading.Event())
    work.start()
    work.join()

    assert "delivery broke off" in caplog.text
    assert lease.webhook.sealed_secret not in caplog.text + repr(lease)


@contextmanager
def busy(app: Flask) -> Iterator[None]:
    """Somebody holds what the courier notes its turns in, on SQLite as a long import does."""
    with app.app_context(), db.engine.begin() as others:
        others.execute(sa.update(READERS).values(attempts=0))
        long_writes.begin()
        os.utime(settings().instance / "long-write.lock", (0, 0))
        yield
        long_writes.end()


def last_turn(app: Flask) -> dt.datetime | None:
    with app.app_context(), db.engine.connect() as connection:
        return connection.scalar(sa.select(READERS.c.at).filter_by(name=COURIER))


def test_a_busy_database_is_one_line_of_the_log_and_the_courier_goes_on(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loop, "NOTED_EVERY", 0.5)
    with running(app):
        wait_until(lambda: last_turn(app) is not None)
        with busy(app):
            wait_until(lambda: "could not note its turn" in caplog.text)
        before = now()
        wait_until(lambda: (last_turn(app) or before) > before)

    said = [record for record in caplog.records if "note its turn" in record.message]
    assert {record.levelname for record in said} == {"WARNING"}
    assert "reason" in said[0].fields  # type: ignore[attr-defined]
    assert not any(record.exc_info for record in caplog.records)


def test_what_is_not_wanted_is_passed_over_in_one_write(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    alice.patch(url_of(shared, webhook["id"]), json={"kinds": ["deleted"]})
    for number in range(5):
        add_task(alice, shared, f"Task {number}")
    tasks = alice.get(f"/api/v1/tasks?project_id={shared['id']}").get_json()["items"]
    alice.delete(f"/api/v1/tasks/{tasks[0]['id']}")
    receiver.answers = [500]
    run_courier(app)
    assert alice.post(url_of(shared, webhook["id"], "skip")).status_code == 204
    run_courier(app)

    assert len(receiver.received) == 1  # the deletion was passed over, not the first task
