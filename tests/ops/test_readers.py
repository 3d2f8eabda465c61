"""The courier and its readers, as health, doctor, /metrics and purge see them"""

from __future__ import annotations

import datetime as dt
import re

import sqlalchemy as sa
from flask import Flask

from taskapp.courier.loop import Courier
from taskapp.database.session import now, transaction
from taskapp.extensions import db
from taskapp.mail.access import READERS
from taskapp.ops import checks, exposition
from taskapp.webhooks.service import WEBHOOKS
from tests.conftest import Client, Json, add
from tests.mail.conftest import PostOffice, office
from tests.ops.test_purge import count, make_old
from tests.webhooks.conftest import Receiver, loopback_allowed, receiver, run_courier, webhook
from tests.webhooks.test_courier import make_due

__all__ = ["loopback_allowed", "office", "receiver", "webhook"]  # fixtures


def turn(app: Flask) -> None:
    """As a courier that looks for work."""
    Courier(app)._note_turn()


def age_turn(app: Flask, seconds: int) -> None:
    with app.app_context(), transaction():
        at = now() - dt.timedelta(seconds=seconds)
        db.session.execute(sa.update(READERS).values(at=at))


def gauges(app: Flask) -> dict[str, float]:
    with app.app_context():
        text = exposition.exposition().decode()
    found = re.findall(r"^(taskapp_(?:reader|courier)\S+) (\S+)$", text, re.MULTILINE)
    return {name: float(number) for name, number in found}


def courier_check(admin: Client) -> Json:
    found: Json = admin.get("/health/detailed").get_json()["checks"]["courier"]
    return found


def test_nobody_misses_a_courier_that_has_nothing_to_do(app: Flask, admin: Client) -> None:
    found = courier_check(admin)

    assert (found["status"], found["detail"]) == ("ok", "not needed")
    assert gauges(app) == {}


def test_a_courier_that_is_missed_is_named(app: Flask, admin: Client, webhook: Json) -> None:
    assert courier_check(admin)["status"] == "degraded"
    assert "No courier at work ever" in courier_check(admin)["detail"]
    turn(app)
    assert courier_check(admin)["status"] == "ok"
    assert abs(gauges(app)["taskapp_courier_last_turn_timestamp_seconds"] - now().timestamp()) < 60

    age_turn(app, 150)
    found = courier_check(admin)
    assert found["detail"].startswith("No courier at work since 20")
    assert found["remedy"] == "Run flask --app wsgi courier"


def test_a_reminder_that_is_due_wants_a_courier(app: Flask, admin: Client, alice: Client) -> None:
    add(alice, reminders=["2020-01-01T09:00:00Z"])

    assert courier_check(admin)["status"] == "degraded"


def test_each_reader_has_its_lag_and_its_failures(
    app: Flask, admin: Client, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    reader = f"webhook-{webhook['id']}"
    turn(app)
    receiver.answers = [500]
    add(alice, project_id=shared["id"])
    run_courier(app)
    with app.app_context():
        make_old("events", "at")
    found = gauges(app)
    assert found[f'taskapp_reader_lag_seconds{{reader="{reader}"}}'] > 10**6
    assert found[f'taskapp_reader_failures{{reader="{reader}"}}'] == 1
    assert re.search(rf"{reader} \d+ s \(1 failures\)", courier_check(admin)["detail"])
    assert courier_check(admin)["status"] == "ok"  # its target fails, and not the courier

    make_due(app)
    run_courier(app)
    assert gauges(app)[f'taskapp_reader_lag_seconds{{reader="{reader}"}}'] == 0


def test_a_reader_that_is_behind_without_a_failure_wants_a_second_courier(
    app: Flask, admin: Client, alice: Client, shared: Json, webhook: Json
) -> None:
    turn(app)
    add(alice, project_id=shared["id"])
    with app.app_context():
        make_old("events", "at")

    assert courier_check(admin)["status"] == "degraded"
    assert courier_check(admin)["remedy"] == "Run a second courier"


def test_mail_is_a_reader_too(app: Flask, alice: Client, office: PostOffice) -> None:
    assert gauges(app)['taskapp_reader_lag_seconds{reader="mail"}'] == 0
    alice.post("/api/v1/auth/email/verify/send")
    with app.app_context():
        make_old("mails", "created_at")

    assert gauges(app)['taskapp_reader_lag_seconds{reader="mail"}'] > 10**6
    assert gauges(app)['taskapp_reader_failures{reader="mail"}'] == 0


def test_a_turn_is_noted_once_in_a_while(app: Flask) -> None:
    courier = Courier(app)
    courier._note_turn()
    age_turn(app, 150)
    courier._note_turn()  # it is not time yet
    with app.app_context():
        at = db.session.scalar(sa.select(READERS.c.at))
        assert at is not None
        assert now() - at > dt.timedelta(seconds=100)
        assert checks.courier().detail == "not needed"

    courier.note_at = 0.0
    courier._note_turn()
    with app.app_context():
        assert "last turn 0 s ago" in checks.courier().detail


def test_purge_keeps_what_a_reader_has_not_read(
    app: Flask, alice: Client, shared: Json, webhook: Json
) -> None:
    """Up to twice the retention, and only while it is on."""

    def purge_events(days: int) -> int:
        with app.app_context():
            before = count("events")
            with transaction():
                table = sa.table("events", sa.column("at", sa.DateTime(timezone=True)))
                moment = now() - dt.timedelta(days=days)
                db.session.execute(sa.update(table).values(at=moment))
            assert app.test_cli_runner().invoke(args=["purge"]).exit_code == 0
            return before - count("events")

    gone = add(alice, project_id=shared["id"])
    alice.delete(f"/api/v1/tasks/{gone['id']}")
    assert purge_events(40) == 0
    assert purge_events(61) == 2
    second = add(alice, project_id=shared["id"])
    alice.delete(f"/api/v1/tasks/{second['id']}")
    with app.app_context(), transaction():
        db.session.execute(sa.update(WEBHOOKS).values(is_active=False))
    assert purge_events(40) == 2


def test_purge_keeps_what_mail_has_not_read(app: Flask, alice: Client, office: PostOffice) -> None:
    gone = add(alice)
    alice.delete(f"/api/v1/tasks/{gone['id']}")
    with app.app_context():
        before = count("events")
        with transaction():
            table = sa.table("events", sa.column("at", sa.DateTime(timezone=True)))
            month = now() - dt.timedelta(days=40)
            db.session.execute(sa.update(table).values(at=month))
        app.test_cli_runner().invoke(args=["purge"])
        assert count("events") == before

        with transaction():
            db.session.execute(sa.update(READERS).values(event_id=2**40))
        app.test_cli_runner().invoke(args=["purge"])
        assert count("events") == before - 2


def test_mails_that_have_ended_and_tokens_that_have_run_out_are_purged(
    app: Flask, alice: Client, office: PostOffice
) -> None:
    alice.post("/api/v1/auth/email/verify/send")
    with app.app_context():
        output = app.test_cli_runner().invoke(args=["purge"]).output
        assert "0 mails\n0 mailed tokens\n" in output
        make_old("mails", "ended_at")
        assert "1 mails\n" in app.test_cli_runner().invoke(args=["purge"]).output
