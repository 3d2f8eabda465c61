"""Mail over a real SMTP server: greylisting, a refused recipient, TLS, a day's outage, a kill"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

import config
from taskapp.courier import smtp
from taskapp.courier.loop import Courier
from taskapp.courier.mailing import Mailing, take
from taskapp.database.session import transaction
from taskapp.extensions import db
from taskapp.mail.access import READERS, pause_mail
from taskapp.mail.service import MAILS, queue
from taskapp.ops import checks
from tests.conftest import Client
from tests.mail.conftest import PostOffice, mail_over, mails_of, make_due, post_office
from tests.test_tls import certificate
from tests.webhooks.test_process import wait_until

Deliver = Callable[[], Mailing]
DORA, EMIL = "dora@example.com", "emil@example.com"


def write(app: Flask, address: str, **data: str) -> None:
    with app.app_context(), transaction():
        queue("letter", address, {"subject": "A fern", "text": "Water it.\n", **data})


def test_a_mail_says_who_when_and_which(app: Flask, office: PostOffice, deliver: Deliver) -> None:
    write(app, DORA, subject="Größe\n of the fern", text="Grüße,\nTasks\n")
    deliver()

    (mail,) = office.mails_to(DORA)
    assert mail["From"] == "Tasks <tasks@example.com>"
    assert (mail["To"], mail["Subject"]) == (DORA, "Größe of the fern")
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == ["Grüße,", "Tasks"]
    assert mail["Date"].datetime.tzinfo is not None
    assert mail["Message-ID"].endswith("@tasks.example.com>")
    assert mail["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    ("given", "name", "address"),
    [
        ("Acme, Inc. <tasks@example.com>", "Acme, Inc.", "tasks@example.com"),
        ('"Acme; Büro: Nord" <tasks@example.com>', "Acme; Büro: Nord", "tasks@example.com"),
        ("Tasks <tasks@müller.example>", "Tasks", "tasks@xn--mller-kva.example"),
        ("tasks@example.com", "", "tasks@example.com"),
    ],
)
def test_a_mail_is_from_one_mailbox_whatever_its_name(
    app: Flask, office: PostOffice, deliver: Deliver, given: str, name: str, address: str
) -> None:
    before = app.extensions["taskapp"]
    app.extensions["taskapp"] = replace(before, mail_from=config.mail_address(given))
    write(app, DORA)
    deliver()
    app.extensions["taskapp"] = before

    (mail,) = office.mails_to(DORA)
    (sender,) = mail["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (name, address)


def test_a_greylisted_mail_is_tried_again_and_holds_up_no_other(
    app: Flask, office: PostOffice, deliver: Deliver
) -> None:
    office.replies[DORA] = ["451 try again later"]
    write(app, DORA)
    write(app, EMIL)
    deliver()
    assert (office.mails_to(DORA), len(office.mails_to(EMIL))) == ([], 1)
    assert mails_of(app) == [("letter", "waiting", 1), ("letter", "sent", 0)]
    deliver()  # it is not time yet
    assert office.mails_to(DORA) == []

    make_due(app)
    deliver()
    assert len(office.mails_to(DORA)) == len(office.mails_to(EMIL)) == 1
    assert mails_of(app)[0] == ("letter", "sent", 1)


def test_a_refused_recipient_is_given_up_and_holds_up_no_other(
    app: Flask, office: PostOffice, deliver: Deliver
) -> None:
    office.replies[DORA] = ["550 no such user"]
    write(app, DORA)
    write(app, EMIL)
    deliver()
    make_due(app)
    deliver()

    assert [recipient for recipient, _ in office.taken] == [EMIL]
    assert mails_of(app) == [("letter", "failed", 0), ("letter", "sent", 0)]


def test_an_address_beyond_ascii_is_refused_alone(app: Flask, deliver: Deliver) -> None:
    """The server of this test knows no SMTPUTF8; a domain needs none."""
    with post_office(enable_SMTPUTF8=False) as office:
        with mail_over(app, f"smtp://127.0.0.1:{office.port}?tls=none"):
            write(app, "größe@example.com")
            write(app, "dora@müller.example")
            deliver()
        assert [recipient for recipient, _ in office.taken] == ["dora@xn--mller-kva.example"]

    assert [status for _, status, _ in mails_of(app)] == ["failed", "sent"]


def test_an_outage_loses_nothing_and_repeats_nothing(
    app: Flask, office: PostOffice, deliver: Deliver
) -> None:
    office.close()
    write(app, DORA)
    write(app, EMIL)
    for _ in range(3):
        mailing = deliver()
        assert mailing.not_before > time.monotonic()
    with app.app_context():
        assert not mailing.is_due()  # it leaves the server alone for a while
        assert "takes no mail since" in checks.mail().detail
    assert mails_of(app) == [("letter", "waiting", 0)] * 2

    office.open()
    deliver()
    deliver()
    assert sorted(recipient for recipient, _ in office.taken) == [DORA, EMIL]
    with app.app_context():
        assert checks.mail() == ("ok", "is sent", "")


def test_a_killed_courier_costs_at_most_a_repeat_that_can_be_recognised(
    app: Flask, office: PostOffice, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the server took the mail, and before that was written down."""
    write(app, DORA)
    with monkeypatch.context() as dying:
        dying.setattr("taskapp.courier.mailing._end", _die)
        with pytest.raises(KeyboardInterrupt):
            deliver()
    deliver()
    assert len(office.taken) == 1  # somebody may still be at it

    make_due(app)
    deliver()
    first, second = office.mails_to(DORA)
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]


def _die(*_: Any) -> None:
    raise KeyboardInterrupt


def test_two_couriers_share_the_mails(app: Flask, office: PostOffice) -> None:
    for number in range(4):
        write(app, f"{number}@example.com")
    taken = []
    with app.app_context():
        while (mail := take()) is not None:
            taken.append(mail.address)

    assert taken == [f"{number}@example.com" for number in range(4)]


def test_nobody_is_mailed_after_a_restore_until_the_operator_says_so(
    app: Flask, office: PostOffice, deliver: Deliver
) -> None:
    write(app, DORA)
    with app.app_context(), transaction():
        assert pause_mail(db.session.connection()) == 1
    write(app, EMIL)
    deliver()
    assert office.taken == []
    with app.app_context():
        assert checks.mail().remedy == "Run flask --app wsgi resume-mail"

    resumed = app.test_cli_runner().invoke(args=["resume-mail"])
    assert resumed.output == "mail goes on from now\n"
    assert app.test_cli_runner().invoke(args=["resume-mail"]).output == "mail is not paused\n"
    deliver()
    assert [recipient for recipient, _ in office.taken] == [EMIL]


def test_a_service_without_mail_writes_none(app: Flask, deliver: Deliver) -> None:
    write(app, DORA)
    deliver()

    assert mails_of(app) == []
    with app.app_context():
        assert checks.mail() == ("ok", "not set up: nothing is mailed", "")


@pytest.fixture
def pem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate for localhost, which this process trusts."""
    path = certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


@pytest.fixture(params=["starttls", "implicit"])
def secure(
    app: Flask, pem: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[PostOffice, str]]:
    """An office that wants TLS and a password, and its SMTP_URL."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    options: dict[str, Any] = {"ssl_context": context, "auth_require_tls": False}
    if request.param == "starttls":
        options = {"tls_context": context, "require_starttls": True, "auth_required": True}
    with post_office(**options) as office:
        yield office, f"smtp://taskapp:p%40ss%20word@localhost:{office.port}?tls={request.param}"


def test_mail_goes_over_tls_with_a_password(
    app: Flask, secure: tuple[PostOffice, str], deliver: Deliver
) -> None:
    office, url = secure
    with mail_over(app, url):
        write(app, DORA)
        deliver()

    assert len(office.mails_to(DORA)) == 1
    assert office.logins[0].password == b"p@ss word"


@pytest.mark.parametrize(
    ("changed", "into"), [("localhost", "127.0.0.1"), ("p%40ss", "guess"), ("starttls", "implicit")]
)
def test_nothing_is_sent_where_something_is_wrong(
    app: Flask,
    secure: tuple[PostOffice, str],
    deliver: Deliver,
    monkeypatch: pytest.MonkeyPatch,
    changed: str,
    into: str,
) -> None:
    """A certificate of another name, another password, or another kind of TLS."""
    monkeypatch.setattr(smtp, "TIMEOUT", 2.0)  # a server that wants TLS first waits in silence
    office, url = secure
    wrong = url.replace(changed, into)
    if wrong == url:
        wrong = url.replace("implicit", "starttls")
    with mail_over(app, wrong):
        write(app, DORA)
        mailing = deliver()
        assert mailing.failures == 1

    assert office.taken == []
    assert mails_of(app) == [("letter", "waiting", 0)]


def test_a_server_without_starttls_gets_nothing(
    app: Flask, office: PostOffice, deliver: Deliver
) -> None:
    with mail_over(app, f"smtp://127.0.0.1:{office.port}"):
        write(app, DORA)
        assert deliver().failures == 1

    assert office.taken == []


def test_the_courier_sends_beside_webhooks(app: Flask, office: PostOffice) -> None:
    with app.app_context(), transaction():
        db.session.execute(sa.delete(READERS))  # as on the very first start
    courier = Courier(app)
    write(app, DORA)
    running = threading.Thread(target=courier.run)
    running.start()
    wait_until(lambda: office.taken != [])
    courier.stop()
    running.join()
    assert office.mails_to(DORA)


def test_a_deleted_account_takes_its_mails_along(
    app: Flask, alice: Client, office: PostOffice, deliver: Deliver
) -> None:
    assert alice.post("/api/v1/auth/email/verify/send").status_code == 202
    with app.app_context(), transaction():
        mine = MAILS.c.user_id == alice.user["id"]
        assert db.session.scalar(sa.select(sa.func.count()).where(mine)) == 1
    body = {"current_password": "seven mossy lanterns"}
    assert alice.delete("/api/v1/users/me", json=body).status_code == 204
    deliver()

    assert (office.taken, mails_of(app)) == ([], [])
