"""What users are mailed of tasks: reminders, assignments, a digest; and what they switch off"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.courier import notices
from taskapp.courier.mailing import Mailing
from taskapp.database.session import now, transaction
from taskapp.extensions import db
from taskapp.ledger.access import EVENTS
from taskapp.ledger.horizon import Horizon
from taskapp.mail.access import READERS, pause_mail
from taskapp.tasks.reminders import fire_due
from taskapp.users.access import USERS
from taskapp.users.notifications import next_digest
from tests.conftest import Client, Json, add, demote, named
from tests.mail.conftest import PostOffice, mails_of

ALICE, BOB = "alice@example.com", "bob@example.com"
ME = "/api/v1/users/me"
LONG_AGO = "2020-01-01T09:00:00Z"


@pytest.fixture
def turn(app: Flask) -> Callable[[], None]:
    """One turn of the courier, as far as mail goes."""

    def run() -> None:
        with app.app_context():
            fire_due(now(), 100)
            notices.read_all(Horizon())
            notices.write_digests()
            mailing = Mailing()
            if mailing.is_due():
                mailing.send_all(threading.Event())

    return run


Turn = Callable[[], None]


def subjects(office: PostOffice, address: str) -> list[str]:
    return [mail["Subject"] for mail in office.mails_to(address)]


def test_who_is_assigned_a_task_by_somebody_else_is_mailed_once(
    alice: Client, bob: Client, shared: Json, office: PostOffice, turn: Turn
) -> None:
    task = add(alice, "Water the fern", project_id=shared["id"], assignee_id=bob.user["id"])
    add(bob, "Rake", project_id=shared["id"], assignee_id=bob.user["id"])  # by himself
    alice.patch(f"/api/v1/tasks/{task['id']}", json={"title": "Water the yew"})
    turn()
    turn()

    (mail,) = office.mails_to(BOB)
    assert mail["Subject"] == "Yours now: Water the yew"
    assert f"https://tasks.example.com/#/today/list/{task['id']}" in mail.get_content()
    assert "in Garden" in mail.get_content()
    assert "mailto:tasks@example.com?subject=unsubscribe" in mail["List-Unsubscribe"]
    assert office.mails_to(ALICE) == []


def test_many_at_once_are_one_mail(
    alice: Client, bob: Client, shared: Json, office: PostOffice, turn: Turn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(notices, "EVENTS_AT_ONCE", 7)  # in several pieces
    body = {"project_id": shared["id"], "assignee_id": bob.user["id"]}
    creates = [{"op": "create", "body": {"title": f"Fern {n}", **body}} for n in range(30)]
    batch = alice.post("/api/v1/tasks/batch", json={"operations": creates})
    assert batch.status_code == 200
    revisions = {result["task"]["revision"] for result in batch.get_json()["results"]}
    turn()

    assert len(office.mails_to(BOB)) == len(revisions) == 1
    assert subjects(office, BOB) == ["Yours now in Garden"]


def test_a_reminder_is_mailed_to_whose_task_it_is(
    alice: Client, bob: Client, shared: Json, office: PostOffice, turn: Turn
) -> None:
    garden = {"project_id": shared["id"], "reminders": [LONG_AGO]}
    add(alice, "Bob's", assignee_id=bob.user["id"], **garden)
    add(alice, "Nobody's", due_at="2030-05-17T08:00:00Z", **garden)
    turn()
    turn()

    assert "Reminder: Bob's" in subjects(office, BOB)
    assert subjects(office, ALICE) == ["Reminder: Nobody's"]
    (mail,) = office.mails_to(ALICE)
    assert "due Friday, 2030-05-17 08:00 (UTC)" in mail.get_content()
    assert mail["Message-ID"].startswith("<reminder-")


def test_what_is_switched_off_is_not_mailed(
    alice: Client, bob: Client, shared: Json, office: PostOffice, turn: Turn
) -> None:
    off = bob.patch(ME, json={"notifications": {"assigned": False}}).get_json()
    assert off["notifications"] == {"reminder": True, "assigned": False, "digest_at": None}
    garden = {"project_id": shared["id"], "reminders": [LONG_AGO]}
    add(alice, "Water", assignee_id=bob.user["id"], **garden)
    turn()

    assert subjects(office, BOB) == ["Reminder: Water"]


def test_what_is_out_of_sight_or_done_by_then_is_not_mailed(
    alice: Client, bob: Client, shared: Json, office: PostOffice, turn: Turn, app: Flask
) -> None:
    """It was written down while the mail server was away."""
    office.close()
    garden = {"project_id": shared["id"], "assignee_id": bob.user["id"]}
    done = add(alice, "Done by then", **garden)
    add(alice, "Secret by then", **garden)
    turn()
    alice.patch(f"/api/v1/tasks/{done['id']}", json={"status": "done"})
    removed = alice.delete(f"/api/v1/projects/{shared['id']}/members/{bob.user['id']}")
    assert removed.status_code == 204
    office.open()
    turn()

    assert office.taken == []
    assert [status for _, status, _ in mails_of(app)] == ["dropped", "dropped"]


def test_a_viewer_is_mailed_and_an_outsider_is_not(
    alice: Client, bob: Client, shared: Json, office: PostOffice, turn: Turn
) -> None:
    add(alice, "Water", project_id=shared["id"], assignee_id=bob.user["id"])
    demote(alice, bob, shared["id"])
    turn()
    assert subjects(office, BOB) == ["Yours now: Water"]


def test_mail_begins_with_what_happens_next(
    app: Flask, alice: Client, bob: Client, shared: Json, office: PostOffice, turn: Turn
) -> None:
    """Also after a restore, once the operator says so."""
    add(alice, "Before", project_id=shared["id"], assignee_id=bob.user["id"])
    with app.app_context(), transaction():
        pause_mail(db.session.connection())
    add(alice, "Meanwhile", project_id=shared["id"], assignee_id=bob.user["id"])
    turn()
    assert app.test_cli_runner().invoke(args=["resume-mail"]).exit_code == 0
    add(alice, "After", project_id=shared["id"], assignee_id=bob.user["id"])
    turn()

    assert subjects(office, BOB) == ["Yours now: After"]


def test_the_bookmark_moves_with_its_mails_or_not_at_all(
    app: Flask, alice: Client, bob: Client, shared: Json, office: PostOffice,
    turn: Turn, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    add(alice, "Water", project_id=shared["id"], assignee_id=bob.user["id"])

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying, app.app_context():
        dying.setattr(notices, "now", die)  # after the mails, before the bookmark
        with pytest.raises(KeyboardInterrupt):
            notices.read_all(Horizon())
    assert mails_of(app) == []
    turn()
    turn()

    assert subjects(office, BOB) == ["Yours now: Water"]


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
def test_an_event_that_is_committed_late_is_not_passed_over(
    app: Flask, alice: Client, shared: Json
) -> None:
    """A writer that began first and has the smaller id commits after one of another project."""
    event = {"revision": 10**6, "kind": "updated", "changes": {}, "at": now()}
    horizon = Horizon()
    with app.app_context():
        before = horizon.advance()
        with db.engine.connect() as slow:
            insert = sa.insert(EVENTS).values(project_id=shared["id"], **event)
            early = slow.scalar(insert.returning(EVENTS.c.id))
            late = add(alice, "Of another project")
            assert late["id"]
            assert {horizon.advance() for _ in range(3)} == {before}
            slow.commit()
        newest = db.session.scalar(sa.select(sa.func.max(EVENTS.c.id)))
        assert early is not None
        assert newest is not None
        assert before < early < newest
        assert horizon.advance() == newest


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
def test_somebody_is_always_writing_and_the_horizon_moves(app: Flask, alice: Client) -> None:
    """Writers overlap, so there is never a moment without one."""
    horizon = Horizon()
    with app.app_context(), db.engine.connect() as first, db.engine.connect() as second:
        first.execute(sa.text("SELECT pg_current_xact_id()"))
        add(alice)
        newest = db.session.scalar(sa.select(sa.func.max(EVENTS.c.id)))
        horizon.advance()
        second.execute(sa.text("SELECT pg_current_xact_id()"))
        first.rollback()
        assert horizon.advance() == newest


def digest_due(app: Flask, user: Json, ago: dt.timedelta) -> None:
    with app.app_context(), transaction():
        is_it = USERS.c.id == user["id"]
        db.session.execute(sa.update(USERS).where(is_it).values(next_digest_at=now() - ago))


def test_a_digest_names_what_is_due_and_comes_once_a_day(
    app: Flask, alice: Client, bob: Client, shared: Json, office: PostOffice, turn: Turn
) -> None:
    today = now().date().isoformat()
    add(alice, "Mine, today", due_on=today)
    add(alice, "Mine, overdue", due_at=LONG_AGO)
    add(alice, "Mine, some day", due_on="2999-01-01")
    add(bob, "Alice's", due_on=today, project_id=shared["id"], assignee_id=alice.user["id"])
    add(bob, "Bob's", due_on=today, project_id=shared["id"], assignee_id=bob.user["id"])
    alice.patch(ME, json={"notifications": {"digest_at": "07:30", "assigned": False}})
    turn()
    assert office.mails_to(ALICE) == []

    digest_due(app, alice.user, dt.timedelta(hours=1))
    turn()
    turn()
    (mail,) = office.mails_to(ALICE)
    lines = mail.get_content().splitlines()
    shown = [line for line in lines if line.startswith(("Mine", "Alice", "Bob"))]
    assert sorted(shown) == ["Alice's", "Mine, overdue", "Mine, today"]
    assert shown[0] == "Mine, overdue"


def test_no_digest_where_nothing_is_due_or_it_is_half_a_day_late(
    app: Flask, alice: Client, office: PostOffice, turn: Turn
) -> None:
    alice.patch(ME, json={"notifications": {"digest_at": "07:30"}})
    digest_due(app, alice.user, dt.timedelta(hours=1))
    turn()
    assert mails_of(app) == [("digest", "dropped", 0)]

    add(alice, "Overdue", due_at=LONG_AGO)
    digest_due(app, alice.user, dt.timedelta(hours=13))
    turn()
    assert office.taken == []
    with app.app_context():
        later = db.session.scalar(sa.select(USERS.c.next_digest_at).filter_by(email=ALICE))
        assert later is not None
        assert later > now()


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2030-01-31T05:00", "2030-01-31T06:30"),  # 07:30 in winter
        ("2030-01-31T06:30", "2030-02-01T06:30"),
        ("2030-07-31T23:30", "2030-08-01T05:30"),  # 07:30 in summer, and it is tomorrow there
        ("2030-03-30T12:00", "2030-03-31T05:30"),  # the clocks change in between
    ],
)
def test_the_next_digest_is_at_the_hour_of_the_zone(after: str, expected: str) -> None:
    moment = dt.datetime.fromisoformat(after).replace(tzinfo=dt.UTC)
    found = next_digest("07:30", "Europe/Berlin", moment)

    assert found == dt.datetime.fromisoformat(expected).replace(tzinfo=dt.UTC)
    assert next_digest(None, "Europe/Berlin", moment) is None


def test_an_hour_that_is_missing_is_read_with_the_offset_before_it() -> None:
    before = dt.datetime(2030, 3, 31, 0, 30, tzinfo=dt.UTC)
    found = next_digest("02:30", "Europe/Berlin", before)

    assert found is not None
    assert found.astimezone(ZoneInfo("Europe/Berlin")).hour == 3


def test_a_new_zone_moves_the_digest(app: Flask, alice: Client) -> None:
    def moment() -> dt.datetime | None:
        with app.app_context():
            return db.session.scalar(sa.select(USERS.c.next_digest_at).filter_by(email=ALICE))

    alice.patch(ME, json={"notifications": {"digest_at": "07:30"}})
    utc = moment()
    alice.patch(ME, json={"timezone": "Asia/Tokyo"})
    tokyo = moment()
    assert utc is not None
    assert tokyo is not None
    assert (utc - tokyo).total_seconds() % 86_400 == 9 * 3600
    alice.patch(ME, json={"notifications": {"digest_at": None}})
    assert moment() is None


def test_notifications_are_shown_and_changed_as_a_merge_patch(alice: Client, admin: Client) -> None:
    assert alice.get(ME).get_json()["notifications"] == {
        "reminder": True,
        "assigned": True,
        "digest_at": None,
    }
    tag = alice.get(ME).headers["ETag"]
    assert alice.patch(ME, json={"notifications": {}}).headers["ETag"] == tag
    changed = alice.patch(ME, json={"notifications": {"digest_at": "23:59"}})
    assert changed.get_json()["notifications"]["digest_at"] == "23:59"
    assert changed.headers["ETag"] != tag
    for wrong in ({"digest_at": "24:00"}, {"digest_at": "7:30"}, {"digest_at": 7}):
        assert named(alice.patch(ME, json={"notifications": wrong})) == ["/notifications/digest_at"]
    assert named(alice.patch(ME, json={"notifications": {"sms": True}})) == ["/notifications/sms"]
    assert named(alice.patch(ME, json={"notifications": None})) == ["/notifications"]
    url = f"/api/v1/users/{alice.user['id']}"
    assert named(admin.patch(url, json={"notifications": {}})) == ["/notifications"]


def test_a_service_without_mail_reads_nothing(app: Flask, alice: Client, turn: Turn) -> None:
    add(alice, reminders=[LONG_AGO])
    turn()

    assert mails_of(app) == []
    with app.app_context():
        assert db.session.scalar(sa.select(READERS.c.name)) is None
