"""Sessions and passwords: /api/v1/auth/sessions, /logout, /password"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

import pytest
from flask import Flask

from taskapp.database.session import now
from tests import servers
from tests.auth.test_login import pair_of
from tests.auth.test_refresh import change_sessions
from tests.conftest import PASSWORD, Client, Json, add, named, refused

URL = "/api/v1/auth/sessions"
TASKS = "/api/v1/tasks"
NEW = "eleven quiet harbours"


def another(anonymous: Client) -> Client:
    """Alice at another machine."""
    return anonymous.as_token(pair_of(anonymous)["access_token"])


def test_lists_mine_and_marks_the_one_in_use(alice: Client, anonymous: Client) -> None:
    elsewhere = another(anonymous)

    sessions = elsewhere.get(URL).get_json()["items"]

    assert [session["current"] for session in sessions] == [False, True]
    assert sessions[0]["user_agent"].startswith("Werkzeug")


def test_pages_through_them(alice: Client, anonymous: Client) -> None:
    another(anonymous)
    first = alice.get(f"{URL}?limit=1&total=true").get_json()
    second = alice.get(f"{URL}?limit=1&cursor={first['next_cursor']}").get_json()

    assert first["total"] == 2
    assert first["items"] != second["items"]
    assert second["next_cursor"] is None


def test_logging_out_works_at_once(alice: Client, anonymous: Client) -> None:
    elsewhere = another(anonymous)

    for _ in range(2):
        assert elsewhere.post("/api/v1/auth/logout").status_code == 204
    assert refused(elsewhere.get("/api/v1/tasks")) == (401, "token-revoked")
    assert alice.get("/api/v1/tasks").status_code == 200


def test_ends_one(alice: Client, anonymous: Client) -> None:
    elsewhere = another(anonymous)
    session_id = elsewhere.get(URL).get_json()["items"][1]["id"]

    assert alice.delete(f"{URL}/{session_id}").status_code == 204
    assert refused(elsewhere.get("/api/v1/tasks")) == (401, "token-revoked")
    assert refused(alice.delete(f"{URL}/{session_id}")) == (404, "not-found")


def test_hides_those_of_others(alice: Client, bob: Client) -> None:
    session_id = alice.get(URL).get_json()["items"][0]["id"]

    assert refused(bob.delete(f"{URL}/{session_id}")) == (404, "not-found")
    assert alice.get("/api/v1/tasks").status_code == 200


def test_ends_all_of_mine(alice: Client, anonymous: Client, bob: Client) -> None:
    elsewhere = another(anonymous)

    assert alice.delete(URL).status_code == 204
    for client in (alice, elsewhere):
        assert refused(client.get("/api/v1/tasks")) == (401, "token-revoked")
    assert bob.get("/api/v1/tasks").status_code == 200


def test_a_new_password_ends_all_other_sessions(alice: Client, anonymous: Client) -> None:
    elsewhere = another(anonymous)
    body = {"current_password": PASSWORD, "new_password": NEW}

    assert alice.post("/api/v1/auth/password", json=body).status_code == 204
    assert refused(elsewhere.get("/api/v1/tasks")) == (401, "token-revoked")
    assert alice.get("/api/v1/tasks").status_code == 200
    old = {"email": "alice@example.com", "password": PASSWORD}
    assert refused(anonymous.post("/api/v1/auth/login", json=old)) == (401, "wrong-credentials")
    assert pair_of(anonymous, password=NEW)["token_type"] == "Bearer"


def test_a_new_password_wants_the_old_one(alice: Client) -> None:
    body = {"current_password": "not that one, sorry", "new_password": NEW}

    response = alice.post("/api/v1/auth/password", json=body)

    assert refused(response) == (401, "wrong-credentials")


@pytest.mark.parametrize("password", ["short", "alice@example.com", "password1234"])
def test_a_new_password_must_not_be_guessable(alice: Client, password: str) -> None:
    body = {"current_password": PASSWORD, "new_password": password}

    assert named(alice.post("/api/v1/auth/password", json=body)) == ["/new_password"]


def test_keys_can_be_exchanged(fresh_environment: dict[str, str]) -> None:
    """SECRET_KEY_PREVIOUS keeps people signed in; a key that is in neither does not."""
    old, new, third = "0123456789abcdef" * 2, "fedcba9876543210" * 2, "02468ace13579bdf" * 2
    with servers.gunicorn(**fresh_environment, SECRET_KEY=old) as base:
        token = servers.sign_up(base, "dora@example.com")

    for previous, status in ((old, 200), (third, 401)):
        keys = {"SECRET_KEY": new, "SECRET_KEY_PREVIOUS": previous}
        with servers.gunicorn(**fresh_environment, **keys) as base:
            assert servers.ask(f"{base}/api/v1/tasks", token=token)[0] == status


def test_a_retry_after_the_key_was_lost_does_nothing_twice(
    fresh_environment: dict[str, str],
) -> None:
    """The first answer cannot be opened any more; that it was given is still known."""
    task, login = {"title": "Once"}, {"email": "dora@example.com", "password": PASSWORD}
    with servers.gunicorn(**fresh_environment, SECRET_KEY="0123456789abcdef" * 2) as base:
        token = servers.sign_up(base, login["email"])
        once = {"token": token, "Idempotency_Key": "5f3c-retry-me"}
        assert servers.ask(f"{base}/api/v1/tasks", task, **once)[0] == 201

    with servers.gunicorn(**fresh_environment, SECRET_KEY="02468ace13579bdf" * 2) as base:
        once["token"] = servers.ask(f"{base}/api/v1/auth/login", login)[2]["access_token"]
        status, _, problem = servers.ask(f"{base}/api/v1/tasks", task, **once)
        assert (status, problem["code"]) == (409, "conflict")
        assert len(servers.ask(f"{base}/api/v1/tasks", token=once["token"])[2]["items"]) == 1


@pytest.mark.parametrize("end_tokens", [True, False])
def test_a_new_password_ends_tokens_where_that_is_wanted(
    alice: Client, anonymous: Client, end_tokens: bool
) -> None:
    secret = alice.post("/api/v1/auth/tokens", json={"name": "x", "scopes": ["read"]})
    body = {"current_password": PASSWORD, "new_password": NEW, "end_tokens": end_tokens}

    assert alice.post("/api/v1/auth/password", json=body).status_code == 204
    client = anonymous.as_token(secret.get_json()["token"])
    assert client.get("/api/v1/tasks").status_code == (401 if end_tokens else 200)


def test_a_retried_change_is_answered_as_the_first_was(alice: Client) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    key = {"Idempotency-Key": "the-same-change"}
    answers = [alice.post("/api/v1/auth/password", json=body, headers=key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert answers[1].headers["Idempotency-Replayed"] == "true"


def test_logging_out_wants_a_credential(anonymous: Client) -> None:
    assert refused(anonymous.post("/api/v1/auth/logout")) == (401, "unauthorized")
    forged = anonymous.as_token("eyJ.x.y")
    assert refused(forged.post("/api/v1/auth/logout")) == (401, "invalid-token")


def test_lists_no_session_that_is_over(alice: Client, anonymous: Client, app: Flask) -> None:
    elsewhere = another(anonymous)
    assert elsewhere.post("/api/v1/auth/logout").status_code == 204
    assert len(alice.get(URL).get_json()["items"]) == 1

    change_sessions(app, expires_at=now() - dt.timedelta(seconds=1))

    assert alice.get(URL).get_json()["items"] == []


def test_a_session_lasts_as_long_as_it_is_used(anonymous: Client, app: Flask) -> None:
    pair = pair_of(anonymous)
    long_ago = now() - dt.timedelta(days=20)
    change_sessions(app, last_used_at=long_ago, expires_at=long_ago + dt.timedelta(days=30))
    before = session_in_use(anonymous.as_token(pair["access_token"]))

    body = {"refresh_token": pair["refresh_token"]}
    fresh = anonymous.post("/api/v1/auth/refresh", json=body).get_json()
    after = session_in_use(anonymous.as_token(fresh["access_token"]))

    assert before["id"] == after["id"]
    days = [dt.datetime.fromisoformat(each["expires_at"]) - now() for each in (before, after)]
    assert [round(left / dt.timedelta(days=1)) for left in days] == [10, 30]
    assert after["created_at"] == before["created_at"]


def session_in_use(client: Client) -> dict[str, Any]:
    sessions = client.get(URL).get_json()["items"]
    return dict(next(session for session in sessions if session["current"]))


def test_a_program_with_a_long_name_signs_in(anonymous: Client) -> None:
    anonymous.environ_base["HTTP_USER_AGENT"] = "fern/" + "1" * 5000

    client = anonymous.as_token(pair_of(anonymous)["access_token"])

    assert session_in_use(client)["user_agent"] == "fern/" + "1" * 195


def test_the_log_tells_tries_apart_and_names_nobody(
    anonymous: Client, alice: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for email in ("nobody@example.com", "Nobody@example.com", "noone@example.com"):
        body = {"email": email, "password": PASSWORD}
        assert anonymous.post("/api/v1/auth/login", json=body).status_code == 401
    wrong = {"email": "alice@example.com", "password": "eleven quiet harbours"}
    assert anonymous.post("/api/v1/auth/login", json=wrong).status_code == 401
    refusals = [record for record in caplog.records if record.message == "sign-in refused"]
    accounts = [vars(record)["fields"]["account"] for record in refusals]

    assert accounts[0] == accounts[1] != accounts[2]
    assert accounts[3] == alice.user["id"]
    assert "nobody" not in caplog.text.casefold()


def test_a_role_counts_from_the_next_request_on(alice: Client, admin: Client) -> None:
    url = f"/api/v1/users/{alice.user['id']}"
    seen = []
    for role in ("admin", "user"):
        assert admin.patch(url, json={"role": role}).status_code == 200
        seen.append(alice.get("/api/v1/auth/token").get_json()["scopes"])

    assert seen == [["admin", "read", "write"], ["read", "write"]]


def test_an_ended_session_stays_ended_whoever_ends_it_again(
    alice: Client, anonymous: Client
) -> None:
    pair = pair_of(anonymous)
    elsewhere = anonymous.as_token(pair["access_token"])
    session_id = session_in_use(elsewhere)["id"]
    assert alice.delete(f"{URL}/{session_id}").status_code == 204

    assert elsewhere.post("/api/v1/auth/logout").status_code == 204
    assert alice.delete(URL).status_code == 204

    body = {"refresh_token": pair["refresh_token"]}
    response = anonymous.post("/api/v1/auth/refresh", json=body)
    assert refused(response) == (401, "token-revoked")


def test_what_is_asked_along_with_a_session_changes_no_refusal(
    alice: Client, bob: Client, admin: Client, task: Json
) -> None:
    """A task or a list comes in one statement with the session: neither hides what the other is."""
    there, absent, others = f"{TASKS}/{task['id']}", f"{TASKS}/{10**9}", add(bob)
    assert alice.get(there).get_json() == task
    for path in (absent, f"{TASKS}/{others['id']}"):
        assert refused(alice.get(path)) == (404, "not-found")
    assert refused(alice.get(f"{TASKS}?limit=x")) == (422, "validation-error")

    tag = alice.get(there).headers["ETag"]
    assert alice.get(there, headers={"If-None-Match": tag}).status_code == 304
    whose = alice.user["id"]
    admin.patch(f"/api/v1/users/{whose}", json={"is_active": False})
    for path in (there, absent, TASKS, f"{TASKS}?limit=x"):
        response = alice.get(path, headers={"If-None-Match": tag})
        assert refused(response) == (401, "token-revoked")
