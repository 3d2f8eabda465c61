"""`flask courier`: looks once a second for what is due, and delivers with several threads.

A thread stands by one target at a time, so a slow or dead one delays no other.
"""

import logging
import signal
import threading
import time
from types import FrameType

import click
import sqlalchemy as sa
from flask import Flask, current_app

from taskapp.courier import delivery, mailing, notices
from taskapp.database.session import now, read, transaction
from taskapp.extensions import db
from taskapp.ledger.horizon import Horizon
from taskapp.mail.access import note_turn
from taskapp.schema import Instant
from taskapp.tasks import reminders
from taskapp.tasks.models import TASKS

INTERVAL = 1.0  # seconds between looks
THREADS = 16
NOTED_EVERY = 15.0  # seconds
REMINDERS = 500  # tasks whose reminders are fired at once
log = logging.getLogger(__name__)
_MOMENT = sa.bindparam("moment", type_=Instant)
_REMINDER_IS_DUE = sa.select(TASKS.c.id).where(TASKS.c.next_reminder_at <= _MOMENT).limit(1)


class Courier:
    """Delivers until it is told to stop, and then finishes what it has begun."""

    def __init__(self, app: Flask, speed: float = 1.0) -> None:
        self.app, self.speed = app, speed
        self.stopping = threading.Event()
        self.free = threading.Semaphore(THREADS)
        self.busy: set[threading.Thread] = set()
        self.interval = INTERVAL / min(speed, 100.0)
        self.mailing = mailing.Mailing(speed)
        self.has_begun = False  # with mail
        self.note_at = 0.0  # of time.monotonic()
        self.horizon = Horizon()
        self.mailer: threading.Thread | None = None

    def run(self) -> None:
        """Look, deliver, wait; returns when it was told to stop and all threads have ended."""
        log.info("courier started")
        while not self.stopping.is_set():
            self._note_turn()
            self._fire_reminders()
            self._start_mailing()
            if not self._start_one():
                self.stopping.wait(self.interval)
        for thread in list(self.busy):
            thread.join()
        log.info("courier stopped")

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        self.stopping.set()

    def _note_turn(self) -> None:
        """Once in a while: it is what health and alerts go by."""
        if time.monotonic() < self.note_at:
            return
        self.note_at = time.monotonic() + NOTED_EVERY
        try:
            with self.app.app_context(), transaction():
                note_turn(db.session.connection())
        except Exception:
            log.exception("courier could not note its turn")

    def _fire_reminders(self) -> None:
        """Leave the events of reminders that are due; webhooks then tell of them."""
        try:
            with self.app.app_context():
                values = {"moment": now()}
                if read(_REMINDER_IS_DUE, values).first() is not None:
                    reminders.fire_due(values["moment"], REMINDERS)
        except Exception:
            log.exception("courier could not fire reminders")

    def _start_mailing(self) -> None:
        """Let a thread of its own send what waits: mails go one after another."""
        if self.mailer is not None and self.mailer.is_alive():
            return
        try:
            with self.app.app_context():
                if not self.has_begun:
                    mailing.start()
                    self.has_begun = True
                notices.read_all(self.horizon)
                notices.write_digests()
                is_due = self.mailing.is_due()
        except Exception:
            log.exception("courier could not look for mail")
            return
        if is_due:
            self.mailer = threading.Thread(target=self._send_mails)
            self.busy.add(self.mailer)
            self.mailer.start()

    def _send_mails(self) -> None:
        try:
            with self.app.app_context():
                self.mailing.send_all(self.stopping)
        except Exception:  # the lease runs out, and the mail is tried again
            log.exception("mailing broke off")
        finally:
            self.busy.discard(threading.current_thread())

    def _start_one(self) -> bool:
        """Take one webhook that is due and give it a thread; whether there was one."""
        if not self.free.acquire(timeout=INTERVAL):
            return True
        lease = None
        try:
            with self.app.app_context():
                lease = delivery.take_lease() if delivery.any_due() else None
        except Exception:
            log.exception("courier could not look for work")
            self.stopping.wait(INTERVAL)
        if lease is None:
            self.free.release()
            return False
        thread = threading.Thread(target=self._deliver, args=(lease,))
        self.busy.add(thread)
        thread.start()
        return True

    def _deliver(self, lease: delivery.Lease) -> None:
        try:
            with self.app.app_context():
                delivery.deliver(lease, self.speed)
        except Exception:  # the lease runs out, and the delivery is tried again
            log.exception("delivery broke off")
            time.sleep(INTERVAL)
        finally:
            self.busy.discard(threading.current_thread())
            self.free.release()


@click.option("--speed", default=1.0, hidden=True, help="Makes the schedule faster, for tests.")
def courier(speed: float) -> None:
    """Deliver webhooks and mail, until it is stopped."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy
    running = Courier(app, speed)
    signal.signal(signal.SIGTERM, running.stop)
    signal.signal(signal.SIGINT, running.stop)
    running.run()
