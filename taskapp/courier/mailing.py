"""Send the mails that wait: each by a lease, in one session with the server while there are more.

A mail that the server does not take now is tried again on the schedule of webhooks, one that it
refuses for good is over, and neither holds up another. While the server takes none at all, nothing
is tried in between: a day without it loses nothing, and repeats nothing.
"""

import datetime as dt
import logging
import smtplib
import threading
import time
from contextlib import suppress
from random import uniform

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from taskapp.courier import letters, schedule, smtp
from taskapp.database.session import Body, Row, now, read, transaction
from taskapp.extensions import db
from taskapp.mail import access, service
from taskapp.mail.access import MAIL, READERS
from taskapp.mail.service import MAILS
from taskapp.schema import Instant

LEASE = dt.timedelta(minutes=5)  # longer than a session
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0  # seconds after the server was unreachable
log = logging.getLogger(__name__)
_AT = sa.bindparam("at", type_=Instant)
_WAITS = sa.and_(MAILS.c.status == "waiting", MAILS.c.next_at <= _AT)
_IS_FREE = MAILS.c.leased_until <= _AT
_DUE = sa.select(MAILS.c.id).where(_WAITS, _IS_FREE).order_by(MAILS.c.next_at, MAILS.c.id).limit(1)
_IS_ON = sa.select(READERS.c.is_active).where(READERS.c.name == MAIL)


class Mailing:
    """The sending of mail, with a memory of when the server was away."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self.failures = 0
        self.not_before = 0.0  # of time.monotonic()

    def is_due(self) -> bool:
        """Whether a mail waits, and may be tried: one or two indexed queries."""
        if not service.is_set_up() or time.monotonic() < self.not_before:
            return False
        if read(_DUE, {"at": now()}).first() is None:
            return False
        return read(_IS_ON).scalar_one_or_none() is True

    def send_all(self, stopping: threading.Event) -> None:
        """Send until nothing waits, the server is unreachable, or it is time to stop."""
        try:
            with smtp.session() as connection:
                began = time.monotonic()
                while not stopping.is_set() and time.monotonic() - began < smtp.DEADLINE / 2:
                    mail = take()
                    if mail is None:
                        break
                    self._send(connection, mail)
        except smtp.Unreachable as error:
            self._pause(str(error))
        else:
            self._succeed()

    def _send(self, connection: smtplib.SMTP, mail: Row) -> None:
        letter = letters.letter_of(mail)
        if letter is None:
            _end(mail, "dropped")
            return
        try:
            message = letters.message_of(mail, letter)
        except ValueError:  # an address that stands in no header
            log.warning("mail cannot be written", extra={"fields": {"mail_id": mail.id}})
            _end(mail, "failed")
            return
        try:
            smtp.send(connection, message, letters.recipient_of(mail))
        except smtp.Refused as refusal:
            self._refused(mail, refusal)
        except smtp.Unreachable:
            _write(mail, {"leased_until": now()})
            raise
        else:
            _end(mail, "sent")

    def _refused(self, mail: Row, refusal: smtp.Refused) -> None:
        given_up = now() - mail.created_at >= schedule.GIVEN_UP_AFTER / self.speed
        fields = {"mail_id": mail.id, "code": refusal.code}
        log.warning("mail was not taken", extra={"fields": fields})
        if refusal.is_permanent or given_up:
            _end(mail, "failed")
            return
        attempts = mail.attempts + 1
        later = now() + schedule.delay(attempts, None, self.speed)
        _write(mail, {"attempts": attempts, "next_at": later, "leased_until": now()})

    def _pause(self, reason: str) -> None:
        pause = min(FIRST_PAUSE * 2**self.failures, LONGEST_PAUSE)
        self.failures += 1
        jitter = uniform(1 - schedule.JITTER, 1 + schedule.JITTER)  # noqa: S311 - no secret
        self.not_before = time.monotonic() + pause * jitter / self.speed
        log.warning("mail server takes no mail", extra={"fields": {"reason": reason}})
        since = sa.func.coalesce(READERS.c.failing_since, now())
        _write_reader({"attempts": READERS.c.attempts + 1, "failing_since": since})

    def _succeed(self) -> None:
        if self.failures:
            log.info("mail server takes mail again")
        self.failures = 0
        _write_reader({"attempts": 0, "failing_since": None})


def start() -> None:
    """A reader that begins now, where mail is set up for the first time."""
    if service.is_set_up():
        with suppress(IntegrityError), transaction():  # another courier was quicker
            access.start_mail(db.session.connection())


def take() -> Row | None:
    """Take a mail that is due, or None."""
    at = now()
    with transaction():
        due = _DUE.with_for_update(skip_locked=True)
        mail_id = db.session.scalar(due, {"at": at})
        if mail_id is None:
            return None
        leased = sa.update(MAILS).where(MAILS.c.id == mail_id).values(leased_until=at + LEASE)
        return db.session.execute(leased.returning(*MAILS.c)).one()


def _end(mail: Row, status: str) -> None:
    """What it was about is not needed any more."""
    _write(mail, {"status": status, "ended_at": now(), "data": {}})


def _write(mail: Row, values: Body) -> None:
    with transaction():
        db.session.execute(sa.update(MAILS).where(MAILS.c.id == mail.id).values(values))


def _write_reader(values: Body) -> None:
    with transaction():
        db.session.execute(sa.update(READERS).where(READERS.c.name == MAIL).values(values))
