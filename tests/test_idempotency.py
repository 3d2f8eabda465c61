"""Idempotency-Key: a POST that is sent again has one effect and one answer"""

from __future__ import annotations

import datetime as dt
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from taskapp.database import long_writes
from taskapp.extensions import db
from tests import servers
from tests.calls import ADMIN, AGENT, CALLS, names_for
from tests.conftest import PASSWORD, Client, Json, add, named, refused

pytestmark = pytest.mark.usefixtures("with_mail")
URL = "/api/v1/tasks"
KEY = {"Idempotency-Key": "5f3c-retry-me"}
BODY = {"title": "Water the fern"}
GIVE_OUT = ("login", "login/totp", "refresh", "password/forgot", "password/reset", "email/verify")
GIVE_OUT += ("oidc/token",)
NEVER_TWICE = {f"/api/v1/auth/{step}" for step in GIVE_OUT}
# After these the credential, or the password that was sent, is not the same any more.
ENDS_ITSELF = {"/api/v1/auth/logout"}
POSTS = [
    call
    for call in CALLS
    if call.method == "POST" and call.level != AGENT and call.path not in NEVER_TWICE | ENDS_ITSELF
]
OWN_HEADERS = {"X-Request-ID", "Server-Timing", "Idempotency-Replayed"}


def headers_of(response: TestResponse) -> list[tuple[str, str]]:
    """Without those that every request has of its own."""
    return [(name, text) for name, text in response.headers if name not in OWN_HEADERS]


def count(client: Client, url: str = URL) -> int:
    return int(client.get(f"{url}?total=true&limit=1").get_json()["total"])


def test_every_post_is_replayed_byte_for_byte(alice: Client, admin: Client, shared: Json) -> None:
    names = names_for(alice, alice, shared)
    for call in (call.filled(names) for call in POSTS):
        caller = admin if call.level == ADMIN else alice

        first, second, third = (call.send(caller, headers=KEY) for _ in range(3))

        assert first.status_code < 300, call.path
        assert "Idempotency-Replayed" not in first.headers
        for again in (second, third):
            assert (again.status_code, again.data) == (first.status_code, first.data)
            assert again.headers["Idempotency-Replayed"] == "true"
            assert headers_of(again) == headers_of(first)


def test_has_one_effect(alice: Client) -> None:
    ids = {alice.post(URL, json=BODY, headers=KEY).get_json()["id"] for _ in range(3)}

    assert (len(ids), count(alice)) == (1, 1)


def test_a_quoted_key_is_the_same_key(alice: Client) -> None:
    quoted = {"Idempotency-Key": '"5f3c-retry-me"'}
    first = alice.post(URL, json=BODY, headers=KEY)

    assert alice.post(URL, json=BODY, headers=quoted).data == first.data


def test_spelling_makes_no_other_payload(alice: Client) -> None:
    first = alice.post(URL, json=BODY, headers=KEY)
    spelled = alice.post(
        URL, data=b'{ "title":"Water the fern" }', headers=KEY, content_type="application/json"
    )

    assert spelled.data == first.data


def test_another_payload_is_refused(alice: Client) -> None:
    alice.post(URL, json=BODY, headers=KEY)
    response = alice.post(URL, json={"title": "Sweep"}, headers=KEY)

    assert refused(response) == (422, "idempotency-mismatch")
    assert count(alice) == 1


def test_a_key_belongs_to_one_user_and_path(alice: Client, bob: Client) -> None:
    made = {alice.post(URL, json=BODY, headers=KEY).get_json()["id"]}
    made.add(bob.post(URL, json=BODY, headers=KEY).get_json()["id"])
    project = alice.post("/api/v1/projects", json={"name": "x"}, headers=KEY)

    assert len(made) == 2
    assert project.status_code == 201
    assert "Idempotency-Replayed" not in project.headers


@pytest.mark.parametrize("key", ["", "short", "x" * 256, "with space", "ümlaut-key", '"half-key'])
def test_names_a_bad_key(alice: Client, key: str) -> None:
    headers = {"Idempotency-Key": key.encode().decode("latin-1")}

    assert named(alice.post(URL, json=BODY, headers=headers)) == ["Idempotency-Key"]
    assert count(alice) == 0


def test_a_refusal_is_not_kept(alice: Client, bob: Client, shared: Json) -> None:
    body = {**BODY, "project_id": shared["id"], "external_id": "A"}
    taken = add(alice, **body)
    member = f"/api/v1/projects/{shared['id']}/members/{bob.user['id']}"
    for wrong, mend in ((409, lambda: alice.delete(f"{URL}/{taken['id']}")), (201, lambda: None)):
        assert bob.post(URL, json=body, headers=KEY).status_code == wrong
        mend()
    other = {"Idempotency-Key": "another-key"}
    alice.patch(member, json={"role": "viewer"})
    assert refused(bob.post(URL, json={"title": ""}, headers=other))[0] == 422
    task = {"title": "x", "project_id": shared["id"]}
    assert refused(bob.post(URL, json=task, headers=other)) == (403, "forbidden")
    alice.patch(member, json={"role": "editor"})
    assert bob.post(URL, json=task, headers=other).status_code == 201


def test_of_twenty_at_once_all_have_one_answer(alice: Client) -> None:
    def post(_: int) -> Any:
        return alice.post(URL, json=BODY, headers=KEY)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(post, range(20)))

    done = [answer for answer in answers if answer.status_code == 201]
    waiting = [answer for answer in answers if answer.status_code != 201]
    assert all(refused(answer) == (409, "request-in-progress") for answer in waiting)
    assert len({answer.data for answer in done}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in done) == 1
    assert count(alice) == 1


@pytest.mark.parametrize("stage", ["sqlite"], indirect=True)
def test_behind_a_long_write_of_others_it_is_no_request_that_is_in_progress(
    alice: Client, app: Flask
) -> None:
    """A client that knows its key takes a 409 for good, where 503 says when to try again"""
    with ThreadPoolExecutor(1) as pool, app.app_context():
        long_writes.begin()
        os.utime(app.extensions["taskapp"].instance / "long-write.lock", (0, 0))  # long ago
        with db.engine.begin():
            response = pool.submit(alice.post, URL, json=BODY, headers=KEY).result()
        long_writes.end()

    assert refused(response) == (503, "database-busy")
    assert int(response.headers["Retry-After"]) > 0
    assert alice.post(URL, json=BODY, headers=KEY).status_code == 201


def test_a_dry_run_is_replayed_though_it_takes_everything_back(alice: Client) -> None:
    rows = {"items": [{"title": "Fern", "external_id": "fern"}]}
    first = alice.post(f"{URL}/import?dry_run=true", json=rows, headers=KEY)
    assert alice.post(f"{URL}/import", json=rows).get_json()["created"] == 1
    again = alice.post(f"{URL}/import?dry_run=true", json=rows, headers=KEY)
    carried_out = alice.post(f"{URL}/import", json=rows, headers=KEY)

    assert (first.get_json()["created"], again.data) == (1, first.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert refused(carried_out) == (422, "idempotency-mismatch")


def test_of_dry_runs_at_once_none_breaks(alice: Client) -> None:
    def send(_: int) -> TestResponse:
        rows = {"items": [{"title": "Fern"}]}
        return alice.post(f"{URL}/import?dry_run=true", json=rows, headers=KEY)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(12)))

    done = {answer.data for answer in answers if answer.status_code == 200}
    waiting = [answer for answer in answers if answer.status_code != 200]
    assert all(refused(answer) == (409, "request-in-progress") for answer in waiting)
    assert (len(done), count(alice)) == (1, 0)


def test_of_many_at_once_that_change_nothing_none_breaks(alice: Client) -> None:
    """What changes nothing rolls back, its key too, which another request may take meanwhile."""
    task_id = add(alice, title="Water the fern")["id"]
    nothing = {"op": "update", "id": task_id, "body": {"title": "Water the fern"}}

    def send(_: int) -> int:
        return alice.post(f"{URL}/batch", json={"operations": [nothing]}, headers=KEY).status_code

    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(send, range(24))} == {200}


def test_a_key_is_forgotten_after_a_day(alice: Client, app: Flask) -> None:
    first = alice.post(URL, json=BODY, headers=KEY).get_json()
    for hours, again in ((23.9, True), (24.1, False)):
        with app.app_context(), db.engine.begin() as connection:
            made_at = dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)
            keys = db.metadata.tables["idempotency_keys"]
            connection.execute(sa.update(keys).values(created_at=made_at))
        second = alice.post(URL, json=BODY, headers=KEY).get_json()
        assert (second["id"] == first["id"]) is again


def test_keeps_no_secret_in_clear(alice: Client, app: Flask) -> None:
    body = {"name": "x", "scopes": ["read"]}
    token = alice.post("/api/v1/auth/tokens", json=body, headers=KEY).get_json()["token"]
    with app.app_context(), db.engine.connect() as connection:
        kept = repr(connection.execute(sa.text("SELECT * FROM idempotency_keys")).all())

    for secret in (token, KEY["Idempotency-Key"]):
        assert secret not in kept


def test_a_key_on_other_requests_changes_nothing(alice: Client, anonymous: Client) -> None:
    login = {"email": "alice@example.com", "password": PASSWORD}
    pairs = [anonymous.post("/api/v1/auth/login", json=login, headers=KEY) for _ in range(2)]
    assert pairs[0].data != pairs[1].data
    task = add(alice)
    for title in ("a", "b"):
        changed = alice.patch(f"{URL}/{task['id']}", json={"title": title}, headers=KEY)
        assert changed.get_json()["title"] == title


def test_a_worker_killed_before_it_answers_has_had_its_effect_once(
    fresh_environment: dict[str, str],
) -> None:
    with servers.gunicorn("tests.dying:app", **fresh_environment) as base:
        token = servers.sign_up(base, "alice@example.com")
        url = f"{base}/api/v1/tasks"
        headers = {"Idempotency_Key": "killed-in-between"}
        with pytest.raises(OSError):  # noqa: PT011 - the connection ends, each time in its own words
            servers.ask(url, BODY, token=token, X_Die="now", **headers)
        status, replayed, task = servers.ask(url, BODY, token=token, **headers)
        page = servers.ask(f"{url}?total=true", token=token)[2]

    assert (status, replayed["Idempotency-Replayed"]) == (201, "true")
    assert (page["total"], page["items"]) == (1, [task])
