"""`flask courier`: looks once a second for what is due, and delivers with several threads.

A thread stands by one target at a time, and while a target keeps it waiting, others are started: so
a slow or dead one delays no other. Reminders and mail have threads of their own.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

import click
import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.exc import OperationalError

from taskapp.courier import delivery, mailing, notices
from taskapp.database.session import now, read, transaction
from taskapp.extensions import db
from taskapp.ledger.horizon import Horizon
from taskapp.mail.access import note_turn
from taskapp.schema import Instant
from taskapp.tasks import reminders
from taskapp.tasks.models import TASKS

INTERVAL = 1.0  # seconds between looks
AT_WORK = 16  # threads; what the database and this processor are given to do at once
SLOW = 0.5  # seconds without an answer: that thread waits, and works no more
MOST_THREADS = 256  # with those that wait
NOTED_EVERY = 15.0  # seconds
REMINDERS = 500  # tasks whose reminders are fired at once
log = logging.getLogger(__name__)
_MOMENT = sa.bindparam("moment", type_=Instant)
_REMINDER_IS_DUE = sa.select(TASKS.c.id).where(TASKS.c.next_reminder_at <= _MOMENT).limit(1)


def log_failure(event: str, error: Exception) -> None:
    """A database that is busy or away is one line, with its reason; a bug has its traceback."""
    if isinstance(error, OperationalError):
        reason, *_ = str(error.orig).splitlines()
        log.warning(event, extra={"fields": {"reason": reason}})
        return
    log.error(event, exc_info=error)


class Work(threading.Thread):
    """Something that is done in the app's context, beside the rest."""

    def __init__(
        self, app: Flask, name: str, function: Callable[[], object], ended: threading.Event
    ) -> None:
        super().__init__(name=name)
        self.app, self.function, self.ended = app, function, ended
        self.is_over = False

    def run(self) -> None:
        try:
            with self.app.app_context():
                self.function()
        except Exception as error:  # noqa: BLE001 - a lease runs out, and it is tried again
            log_failure(f"{self.name} broke off", error)
            time.sleep(INTERVAL)
        finally:
            self.is_over = True
            self.ended.set()


class Courier:
    """Delivers until it is told to stop, and then finishes what it has begun."""

    def __init__(self, app: Flask, speed: float = 1.0, parent: int | None = None) -> None:
        self.app, self.speed = app, speed
        self.parent = parent  # the process that it ends with
        self.stopping = threading.Event()
        self.some_ended = threading.Event()
        self.deliveries: list[tuple[Work, delivery.Lease]] = []
        self.reminding: Work | None = None
        self.mailer: Work | None = None
        self.most_threads = MOST_THREADS
        self.interval = INTERVAL / min(speed, 100.0)
        self.mailing = mailing.Mailing(speed)
        self.has_begun = False  # with mail
        self.note_at = 0.0  # of time.monotonic()
        self.horizon = Horizon()

    def run(self) -> None:
        """Look, deliver, wait; returns when it was told to stop and all threads have ended."""
        log.info("courier started")
        while not self._is_to_stop():
            self._note_turn()
            self.reminding = self._start_again(self.reminding, "reminding", fire_reminders)
            self.mailer = self._start_again(self.mailer, "mailing", self._send_mails)
            self._deliver_due()
        self._finish()
        log.info("courier stopped")

    def _is_to_stop(self) -> bool:
        is_orphan = self.parent is not None and os.getppid() != self.parent
        return is_orphan or self.stopping.is_set()

    def _finish(self) -> None:
        delivering = [work for work, _ in self.deliveries]
        for work in (self.reminding, self.mailer, *delivering):
            if work is not None:
                work.join()

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
        except Exception as error:  # noqa: BLE001 - the next turn is noted
            log_failure("courier could not note its turn", error)

    def _start(self, name: str, function: Callable[[], object]) -> Work:
        work = Work(self.app, name, function, self.some_ended)
        work.start()
        return work

    def _start_again(self, last: Work | None, name: str, function: Callable[[], object]) -> Work:
        """Start it, unless it is still at it."""
        if last is not None and not last.is_over:
            return last
        return self._start(name, function)

    def _send_mails(self) -> None:
        """Write the mails that events and the hour call for, and send them one after another."""
        if not self.has_begun:
            mailing.start()
            self.has_begun = True
        notices.read_all(self.horizon)
        notices.write_digests()
        if self.mailing.is_due():
            self.mailing.send_all(self.stopping)

    def _deliver_due(self) -> None:
        """Give each webhook that is due a thread, until none is or it is time for another look."""
        until = time.monotonic() + INTERVAL
        while not self.stopping.is_set() and time.monotonic() < until:
            self.some_ended.clear()
            if not self._has_room():
                self.some_ended.wait(SLOW / 10)
                continue
            lease = self._take_lease()
            if lease is None:
                self.stopping.wait(self.interval)
                return
            deliver = partial(delivery.deliver, lease, self.speed)
            self.deliveries.append((self._start("delivery", deliver), lease))

    def _has_room(self) -> bool:
        """Whether one more delivery may begin: those that wait for their target do not count."""
        self.deliveries = [each for each in self.deliveries if not each[0].is_over]
        since = time.monotonic() - SLOW
        at_work = [lease for _, lease in self.deliveries if lease.moved_at > since]
        return len(at_work) < AT_WORK and len(self.deliveries) < self.most_threads

    def _take_lease(self) -> delivery.Lease | None:
        try:
            with self.app.app_context():
                return delivery.take_lease() if delivery.any_due() else None
        except Exception as error:  # noqa: BLE001 - it looks again
            log_failure("courier could not look for work", error)
            self.stopping.wait(INTERVAL)
            return None


def fire_reminders() -> None:
    """Leave the events of reminders that are due; webhooks then tell of them."""
    moment = now()
    if read(_REMINDER_IS_DUE, {"moment": moment}).first() is not None:
        reminders.fire_due(moment, REMINDERS)


@click.option("--speed", default=1.0, hidden=True, help="Makes the schedule faster, for tests.")
def courier(speed: float) -> None:
    """Deliver webhooks and mail, until it is stopped."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy
    running = Courier(app, speed)
    signal.signal(signal.SIGTERM, running.stop)
    signal.signal(signal.SIGINT, running.stop)
    running.run()
