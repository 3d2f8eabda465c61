"""taskapp's courier: an event waits in the database, and its bookmark moves after the answer.

Each job is an event of a project of its own, with a webhook that leads to a receiver beside the
courier; the receiver does the work and then answers 204.

python -m lab.experiments.queue_crash.courier_app runs the worker.
"""

from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade

import config
from lab.experiments.queue_crash.work import work
from lab.servers import free_port
from taskapp import create_app
from taskapp.courier.loop import Courier
from taskapp.database.sealing import seal
from taskapp.database.session import now
from taskapp.extensions import db
from taskapp.ledger.access import EVENTS, PROJECTS
from taskapp.webhooks.service import LONG_AGO, WEBHOOKS, new_secret

FOLDER = Path(os.environ["CRASH_LOG"]).parent
PORT = FOLDER / "port"


def service() -> Flask:
    environment = {"TASKAPP_INSTANCE": str(FOLDER), "WEBHOOK_NETWORKS": "127.0.0.0/8"}
    return create_app(config.load({**environment, "LOG_LEVEL": "error"}))


def enqueue(number: int) -> None:
    """As a request does it: the event is committed with what it is about."""
    with service().app_context():
        if not PORT.exists():
            upgrade()
            PORT.write_text(str(free_port()))
        url = f"http://127.0.0.1:{PORT.read_text()}/"
        at = now()
        project = {"name": "Jobs", "description": "", "revision": 1}
        inserted = sa.insert(PROJECTS).values(**project, created_at=at, updated_at=at)
        project_id = db.session.scalar(inserted.returning(PROJECTS.c.id))
        hook = {"project_id": project_id, "url": url, "kinds": [], "format": "standard"}
        hook |= {"is_active": True, "event_id": 0, "test_requested": False, "attempts": 0}
        hook |= {"next_at": at, "leased_until": LONG_AGO, "created_at": at}
        hook |= {"sealed_url": seal(url), "sealed_secret": seal(new_secret())}
        db.session.execute(sa.insert(WEBHOOKS).values(hook))
        event = {"project_id": project_id, "revision": 1, "kind": "created", "at": at}
        changes = {"title": [None, str(number)]}
        db.session.execute(sa.insert(EVENTS).values(**event, changes=changes))
        db.session.commit()


def recover() -> None:
    """As if the minute of a dead courier's lease had passed."""
    with service().app_context():
        db.session.execute(sa.update(WEBHOOKS).values(leased_until=LONG_AGO))
        db.session.commit()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        work(int(body["data"]["changes"]["title"][1]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def main() -> None:
    """A courier with one thread, as the other engines have one, and its receiver."""
    receiver = ThreadingHTTPServer(("127.0.0.1", int(PORT.read_text())), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    courier = Courier(service())
    courier.most_threads = 1
    courier.run()


if __name__ == "__main__":
    main()
