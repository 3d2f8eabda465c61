"""What the courier delivers: signed, in order, at least once, to nobody that it may not reach"""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from standardwebhooks import Webhook, WebhookVerificationError

from taskapp.courier import delivery, schedule, transport
from taskapp.courier.loop import fire_reminders
from taskapp.database.session import transaction
from taskapp.extensions import db
from taskapp.webhooks import addresses
from taskapp.webhooks.access import pause_webhooks
from taskapp.webhooks.service import WEBHOOKS
from tests.conftest import Client, Json, add
from tests.webhooks.conftest import Receiver, run_courier
from tests.webhooks.test_webhooks import url_of


def add_task(client: Client, project: Json, title: str) -> None:
    response = client.post("/api/v1/tasks", json={"title": title, "project_id": project["id"]})
    assert response.status_code == 201


def bodies(receiver: Receiver) -> list[Json]:
    return [json.loads(body) for _, body in receiver.received]


def titles(receiver: Receiver) -> list[str]:
    return [body["data"]["changes"]["title"][1] for body in bodies(receiver)]


def make_due(app: Flask) -> None:
    """As if the time of the next attempt had come."""
    with app.app_context(), transaction():
        past = WEBHOOKS.c.created_at
        db.session.execute(sa.update(WEBHOOKS).values(next_at=past, leased_until=past))


def test_the_official_package_verifies_every_delivery(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    add_task(alice, shared, "Water the fern")
    run_courier(app)

    headers, body = receiver.received[0]
    verified = Webhook(webhook["secret"]).verify(body, headers)
    assert verified["type"] == "created"
    assert verified["data"]["changes"]["title"] == [None, "Water the fern"]
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook["secret"]).verify(body + b" ", headers)


def test_events_arrive_in_order_and_once(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    for number in range(5):
        add_task(alice, shared, f"Task {number}")
    run_courier(app)
    run_courier(app)

    assert titles(receiver) == [f"Task {number}" for number in range(5)]


def test_only_the_kinds_that_are_wanted_are_sent(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    alice.patch(url_of(shared, webhook["id"]), json={"kinds": ["deleted"]})
    add_task(alice, shared, "Water the fern")
    tasks = alice.get(f"/api/v1/tasks?project_id={shared['id']}").get_json()["items"]
    alice.delete(f"/api/v1/tasks/{tasks[0]['id']}")
    run_courier(app)

    assert [body["type"] for body in bodies(receiver)] == ["deleted"]


def test_a_failed_delivery_holds_up_its_own_webhook_and_is_tried_again(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    receiver.answers = [500]
    add_task(alice, shared, "First")
    add_task(alice, shared, "Second")
    run_courier(app)
    assert titles(receiver) == ["First"]
    failing = alice.get(url_of(shared, webhook["id"])).get_json()
    assert failing["failing_since"] is not None

    make_due(app)
    run_courier(app)
    assert titles(receiver) == ["First", "First", "Second"]
    ids = [headers["webhook-id"] for headers, _ in receiver.received]
    assert ids[0] == ids[1] != ids[2]
    assert alice.get(url_of(shared, webhook["id"])).get_json()["failing_since"] is None


def test_what_is_gone_is_switched_off_and_leaves_an_event(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    receiver.answers = [410]
    add_task(alice, shared, "First")
    run_courier(app)
    assert alice.get(url_of(shared, webhook["id"])).get_json()["is_active"] is False

    alice.patch(url_of(shared, webhook["id"]), json={"is_active": True})
    run_courier(app)
    kinds = [body["type"] for body in bodies(receiver)]
    assert kinds == ["created", "created", "webhook-disabled"]


@pytest.mark.parametrize("what", ["webhook", "project"])
def test_what_is_deleted_while_it_is_delivered_to_is_no_failure(
    alice: Client, app: Flask, shared: Json, webhook: Json, receiver: Receiver, what: str
) -> None:
    add(alice, project_id=shared["id"])
    with app.app_context():
        lease = delivery.take_lease()
        assert lease is not None
        url = f"/api/v1/projects/{shared['id']}"
        if what == "webhook":
            url += f"/webhooks/{webhook['id']}"
        assert alice.delete(url).status_code == 204
        delivery.deliver(lease)

    assert len(receiver.received) == 1
    assert run_courier(app) == 0


def test_an_event_can_be_passed_over(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    receiver.answers = [400]
    add_task(alice, shared, "Poison")
    add_task(alice, shared, "Second")
    run_courier(app)
    assert alice.post(url_of(shared, webhook["id"], "skip")).status_code == 204
    run_courier(app)

    assert titles(receiver) == ["Poison", "Second"]


def test_a_test_event_is_sent_on_demand(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    assert alice.post(url_of(shared, webhook["id"], "test")).status_code == 202
    run_courier(app)

    assert [body["type"] for body in bodies(receiver)] == ["test"]
    Webhook(webhook["secret"]).verify(receiver.received[0][1], receiver.received[0][0])


def test_both_secrets_sign_after_a_rotation(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    rotated = alice.post(url_of(shared, webhook["id"], "rotate")).get_json()
    add_task(alice, shared, "Water the fern")
    run_courier(app)

    headers, body = receiver.received[0]
    for secret in (webhook["secret"], rotated["secret"]):
        assert Webhook(secret).verify(body, headers)


def test_deliveries_say_what_came_of_each_attempt(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    receiver.answers = [500]
    add_task(alice, shared, "First")
    run_courier(app)
    make_due(app)
    run_courier(app)

    listed = alice.get(url_of(shared, webhook["id"], "deliveries")).get_json()["items"]
    assert [(each["status"], each["code"]) for each in listed] == [
        *(("failed", 500), ("delivered", 204))
    ]
    assert listed[0]["next_at"] is not None


@pytest.mark.parametrize(
    ("webhook_format", "member"), [("slack", "text"), ("discord", "content"), ("text", None)]
)
def test_a_chat_gets_a_line_for_people(
    app: Flask,
    alice: Client,
    shared: Json,
    receiver: Receiver,
    loopback_allowed: None,
    webhook_format: str,
    member: str | None,
) -> None:
    body = {"url": receiver.url, "format": webhook_format}
    assert alice.post(url_of(shared), json=body).status_code == 201
    add_task(alice, shared, "Water the fern")
    run_courier(app)

    text = receiver.received[0][1].decode()
    line = json.loads(text)[member] if member else text
    assert line.startswith("Garden: ")
    assert line.endswith("created: Water the fern")


def test_a_line_says_nothing_of_a_task_that_has_moved_away(
    app: Flask, alice: Client, shared: Json, receiver: Receiver, loopback_allowed: None
) -> None:
    task = add(alice, "Water the fern", project_id=shared["id"])
    body = {"url": receiver.url, "format": "text"}
    assert alice.post(url_of(shared), json=body).status_code == 201
    url = f"/api/v1/tasks/{task['id']}"
    assert alice.patch(url, json={"status": "done"}).status_code == 200
    assert alice.patch(url, json={"project_id": alice.user["inbox_id"]}).status_code == 200
    assert alice.patch(url, json={"title": "Only for me"}).status_code == 200
    run_courier(app)

    lines = [body.decode() for _, body in receiver.received]
    number = f"task {task['id']}"
    assert [line.split(": ", 2)[2] for line in lines] == [
        f"updated: {number}",
        f"moved away: {number}",
    ]


def test_a_deletion_names_no_other_task_of_a_series(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    repeat = {"rule": "FREQ=DAILY", "from": "due", "timezone": "UTC"}
    task = add(alice, due_on="2030-05-17", repeat=repeat, project_id=shared["id"])
    url = f"/api/v1/tasks/{task['id']}"
    assert alice.patch(url, json={"status": "done"}).status_code == 200
    assert alice.delete(url).status_code == 204
    run_courier(app)

    data = bodies(receiver)[-1]["data"]
    assert data["changes"]["repeat"] == [repeat, None]
    assert data["changes"].keys() <= task.keys()


def test_a_long_value_is_cut_and_says_so(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    body = {"title": "x", "description": "ä" * 15_000, "project_id": shared["id"]}
    alice.post("/api/v1/tasks", json=body)
    run_courier(app)

    data = bodies(receiver)[0]["data"]
    assert len(data["changes"]["description"][1]) == 1000
    assert data["truncated"] is True


def test_a_name_that_leads_inside_is_refused_at_connect(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolver(*_: Any, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 443))]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", resolver)
    with app.app_context():
        answer = transport.post("https://hook.example.test/", b"{}", {})

    assert answer.code is None


def test_a_redirect_is_not_followed(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    receiver.answers, receiver.headers = [302], {"Location": receiver.url}
    add_task(alice, shared, "First")
    run_courier(app)

    assert len(receiver.received) == 1
    assert alice.get(url_of(shared, webhook["id"])).get_json()["failing_since"] is not None


def test_nobody_is_called_after_a_restore(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    add_task(alice, shared, "Before the restore")
    with app.app_context(), transaction():
        assert pause_webhooks(db.session.connection()) == 1
    run_courier(app)
    assert receiver.received == []

    alice.patch(url_of(shared, webhook["id"]), json={"is_active": True})
    add_task(alice, shared, "After it")
    run_courier(app)
    assert titles(receiver) == ["After it"]


def test_a_reminder_is_fired_once_and_told(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    body = {"title": "Call", "project_id": shared["id"], "reminders": ["2020-01-01T09:00:00Z"]}
    assert alice.post("/api/v1/tasks", json=body).status_code == 201
    for _ in range(2):
        with app.app_context():
            fire_reminders()
        run_courier(app)

    assert [body["type"] for body in bodies(receiver)] == ["created", "reminder"]


def test_the_schedule_is_that_of_the_contract() -> None:
    waits = [schedule.delay(attempts, None).total_seconds() for attempts in range(1, 12)]
    planned = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400, 86_400, 86_400]

    assert all(0.89 * p <= w <= 1.11 * p for p, w in zip(planned, waits, strict=True))
    assert schedule.delay(1, 60.0).total_seconds() == 60
    assert schedule.delay(1, 10.0**9).total_seconds() == 86_400
