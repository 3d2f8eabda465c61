"""A real SMTP server on loopback, and a service that hands its mail in there."""

from __future__ import annotations

import email
import email.policy
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from typing import Any

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from flask import Flask

import config
from taskapp.courier import mailing
from taskapp.courier.mailing import Mailing
from taskapp.database.session import transaction
from taskapp.extensions import db
from taskapp.mail.service import MAILS
from tests import servers

PUBLIC_URL = "https://tasks.example.com"
TOKEN = re.compile(r'"token": "([^"]+)"')


@dataclass
class PostOffice:
    """An SMTP server: keeps what it takes, and refuses recipients with the replies in `replies`."""

    port: int
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)  # (recipient, mail)
    replies: dict[str, list[str]] = field(default_factory=dict)
    logins: list[LoginPassword] = field(default_factory=list)
    controller: Controller | None = None
    options: dict[str, Any] = field(default_factory=dict)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        replies = self.replies.get(address)
        if replies:
            return replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        (recipient,) = envelope.rcpt_tos
        self.taken.append((recipient, mail))
        return "250 OK"

    def authenticate(self, _server: Any, _session: Any, _e: Any, _m: str, given: Any) -> AuthResult:
        self.logins.append(given)
        return AuthResult(success=given == LoginPassword(b"taskapp", b"p@ss word"))

    def open(self) -> None:
        self.controller = Controller(self, "127.0.0.1", self.port, **self.options)
        self.controller.start()

    def close(self) -> None:
        if self.controller is not None:
            self.controller.stop()
            self.controller = None

    def mails_to(self, address: str) -> list[EmailMessage]:
        return [mail for recipient, mail in self.taken if recipient == address]


@contextmanager
def post_office(**options: Any) -> Iterator[PostOffice]:
    """An office of its own, with aiosmtpd's options."""
    office = PostOffice(servers.free_port())
    office.options = {**options, "authenticator": office.authenticate}
    office.open()
    try:
        yield office
    finally:
        office.close()


@contextmanager
def mail_over(app: Flask, url: str) -> Iterator[None]:
    """As with this SMTP_URL."""
    before = app.extensions["taskapp"]
    changes = {"smtp_url": config.mail_server(url), "mail_from": "Tasks <tasks@example.com>"}
    app.extensions["taskapp"] = replace(before, public_url=PUBLIC_URL, **changes)
    with app.app_context():
        mailing.start()
    yield
    app.extensions["taskapp"] = before


@pytest.fixture
def office(app: Flask) -> Iterator[PostOffice]:
    """Where the app of this test hands its mail in, without TLS."""
    with post_office() as opened, mail_over(app, f"smtp://127.0.0.1:{opened.port}?tls=none"):
        yield opened


@pytest.fixture
def deliver(app: Flask) -> Callable[[], Mailing]:
    """Send all that is due now, with a mailing of its own."""

    def run() -> Mailing:
        one = Mailing()
        with app.app_context():
            if one.is_due():
                one.send_all(threading.Event())
        return one

    return run


def make_due(app: Flask) -> None:
    """As if the time of the next attempt had come."""
    with app.app_context(), transaction():
        past = MAILS.c.created_at
        db.session.execute(sa.update(MAILS).values(next_at=past, leased_until=past))


def mails_of(app: Flask) -> list[tuple[str, str, int]]:
    """(kind, status, attempts) of each mail."""
    with app.app_context(), db.engine.connect() as connection:
        columns = sa.select(MAILS.c.kind, MAILS.c.status, MAILS.c.attempts)
        return [tuple(row) for row in connection.execute(columns.order_by(MAILS.c.id))]


def token_in(mail: EmailMessage) -> str:
    found = TOKEN.search(mail.get_content())
    assert found is not None
    return found[1]
