"""The webhook endpoints"""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.conftest import Client, Json, named, refused
from tests.webhooks.conftest import Receiver, run_courier


def url_of(project: Json, *parts: Any) -> str:
    return "/".join([f"/api/v1/projects/{project['id']}/webhooks", *map(str, parts)])


def test_shows_its_secret_once(alice: Client, shared: Json, webhook: Json) -> None:
    assert webhook["secret"].startswith("whsec_")
    again = alice.get(url_of(shared, webhook["id"])).get_json()
    assert "secret" not in again
    assert (again["format"], again["kinds"], again["is_active"]) == ("standard", [], True)


def test_what_shows_a_secret_is_stored_nowhere(alice: Client, shared: Json) -> None:
    created = alice.post(url_of(shared), json={"url": "https://example.com/hook"})
    rotated = alice.post(url_of(shared, created.get_json()["id"], "rotate"))

    for response in (created, rotated):
        assert response.get_json()["secret"].startswith("whsec_")
        assert response.headers["Cache-Control"] == "no-store"


def test_is_for_owners(bob: Client, charlie: Client, shared: Json, webhook: Json) -> None:
    assert refused(bob.get(url_of(shared)))[0] == 403
    assert refused(charlie.get(url_of(shared)))[0] == 404


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://127.0.0.1/hook",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://user:secret@example.com/",
        "https://example.com\\@evil.example/",
        "https:///hook",
        "ftp://example.com/",
        "https://example.com/ hook",
        "https://example.com:99999/",
        "nonsense",
    ],
)
def test_may_not_call_everywhere(alice: Client, shared: Json, url: str) -> None:
    response = alice.post(url_of(shared), json={"url": url})

    assert named(response) == ["/url"]


def test_an_address_of_a_chat_is_masked(alice: Client, shared: Json) -> None:
    body = {"url": "https://hooks.slack.example/services/T0/B0/secret", "format": "slack"}
    created = alice.post(url_of(shared), json=body).get_json()

    assert created["url"] == "https://hooks.slack.example/…"


def test_there_are_only_so_many(alice: Client, shared: Json) -> None:
    for _ in range(20):
        created = alice.post(url_of(shared), json={"url": "https://example.com/"})
        assert created.status_code == 201
    response = alice.post(url_of(shared), json={"url": "https://example.com/"})

    assert refused(response) == (409, "quota-exceeded")
    assert "MAX_WEBHOOKS_PER_PROJECT" in response.get_json()["detail"]


def test_is_changed_only_as_it_was_seen(alice: Client, shared: Json, webhook: Json) -> None:
    url = url_of(shared, webhook["id"])
    tag = alice.get(url).headers["ETag"]
    changed = alice.patch(url, json={"kinds": ["created"]}, headers={"If-Match": tag})
    assert changed.get_json()["kinds"] == ["created"]

    stale = alice.patch(url, json={"is_active": False}, headers={"If-Match": tag})
    assert refused(stale) == (412, "precondition-failed")


def test_is_gone_when_it_is_deleted(alice: Client, shared: Json, webhook: Json) -> None:
    url = url_of(shared, webhook["id"])

    assert alice.delete(url).status_code == 204
    assert alice.get(url).status_code == 404


def test_replays_from_an_event(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    alice.post("/api/v1/tasks", json={"title": "Water", "project_id": shared["id"]})
    run_courier(app)
    event_id = int(receiver.received[0][0]["webhook-id"].removeprefix("evt_"))
    url = url_of(shared, webhook["id"], "replay")
    assert alice.post(url, json={"from_event": event_id}).status_code == 202
    run_courier(app)

    assert [headers["webhook-id"] for headers, _ in receiver.received] == [f"evt_{event_id}"] * 2
    assert named(alice.post(url, json={"from_event": 10**6})) == ["/from_event"]


def test_skips_nothing_while_nothing_fails(
    app: Flask, alice: Client, shared: Json, webhook: Json, receiver: Receiver
) -> None:
    alice.post("/api/v1/tasks", json={"title": "Water", "project_id": shared["id"]})
    assert alice.post(url_of(shared, webhook["id"], "skip")).status_code == 204
    run_courier(app)

    assert len(receiver.received) == 1
