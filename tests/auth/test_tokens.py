"""/api/v1/auth/tokens: personal tokens, for scripts"""

from __future__ import annotations

import base64
import datetime as dt

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.extensions import db
from tests.conftest import PASSWORD, Client, Json, add, made, named, refused

URL = "/api/v1/auth/tokens"
TASKS = "/api/v1/tasks"


def token_of(client: Client, *scopes: str, **fields: str) -> Json:
    return made(client, "auth/tokens", name="nightly", scopes=list(scopes), **fields)


def basic(anonymous: Client, user: str, secret: str) -> Client:
    credentials = base64.b64encode(f"{user}:{secret}".encode()).decode()
    client = anonymous.as_token("")
    client.environ_base["HTTP_AUTHORIZATION"] = f"Basic {credentials}"
    return client


def test_shows_its_secret_once(alice: Client) -> None:
    response = alice.post(URL, json={"name": " nightly ", "scopes": ["write"]})
    token = response.get_json()
    secret = token.pop("token")
    got = alice.get(response.headers["Location"])

    assert (response.status_code, response.headers["Cache-Control"]) == (201, "no-store")
    assert response.headers["Location"] == f"http://localhost{URL}/{token['id']}"
    assert token == {"id": token["id"], "name": "nightly", "scopes": ["write"], "expires_at": None}
    assert secret.startswith("tsk_")
    assert len(secret) >= 40
    assert got.get_json() == token
    assert got.headers["ETag"] == response.headers["ETag"]  # good for If-Match
    assert alice.get(URL).get_json()["items"] == [token]
    assert secret not in got.text + alice.get(URL).text


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Basic", "basic"])
def test_works_as_bearer_and_as_the_password_of_basic(
    alice: Client, anonymous: Client, scheme: str
) -> None:
    secret = token_of(alice, "write")["token"]
    client = anonymous.as_token(secret)
    if scheme.lower() == "basic":
        client = basic(anonymous, "anything", secret)

    assert add(client)["created_by"] == alice.user["id"]
    mine = client.get("/api/v1/auth/token").get_json()
    assert (mine["kind"], mine["scopes"]) == ("token", ["read", "write"])


def test_basic_takes_no_password_of_an_account(alice: Client, anonymous: Client) -> None:
    for client in (
        basic(anonymous, "alice@example.com", PASSWORD),
        basic(anonymous, "token", ""),
        basic(anonymous, "tsk_x", "y"),
    ):
        response = client.get(TASKS)
        assert refused(response) == (401, "unauthorized")
        assert response.headers["WWW-Authenticate"].startswith("Bearer ")
    assert refused(basic(anonymous, "token", "tsk_x").get(TASKS)) == (401, "invalid-token")


def test_may_do_what_its_scopes_say(alice: Client, anonymous: Client) -> None:
    for given, held, reads, writes in (
        (["read"], ["read"], 200, 403),
        (["write"], ["read", "write"], 200, 201),
        (["read", "write"], ["read", "write"], 200, 201),
        (["feed"], None, 403, 403),
        (["feed", "read"], ["feed", "read"], 200, 403),
    ):
        client = anonymous.as_token(token_of(alice, *given)["token"])
        assert client.get(TASKS).status_code == reads
        assert client.head(TASKS).status_code == reads
        assert client.post(TASKS, json={"title": "x"}).status_code == writes
        if held:
            assert client.get("/api/v1/auth/token").get_json()["scopes"] == held
        else:
            response = client.get(TASKS)
            assert refused(response) == (403, "insufficient-scope")
            challenge = response.headers["WWW-Authenticate"]
            assert challenge.startswith('Bearer realm="taskapp", error="insufficient_scope"')


def test_nobody_gives_what_they_lack(alice: Client, admin: Client) -> None:
    for client, scope, status in (
        (alice, "admin", 403),
        (alice, "feed", 201),
        (alice, "write", 201),
        (admin, "admin", 201),
    ):
        response = client.post(URL, json={"name": "x", "scopes": [scope]})
        assert response.status_code == status
        assert status == 201 or refused(response) == (403, "insufficient-scope")


def test_a_token_makes_and_ends_no_credential(
    alice: Client, admin: Client, anonymous: Client
) -> None:
    for owner, scope in ((alice, "write"), (admin, "admin")):
        other = token_of(owner, "read")
        client = anonymous.as_token(token_of(owner, scope)["token"])
        password = {"current_password": PASSWORD, "new_password": "eleven quiet harbours"}
        address = {"email": "new@example.com", "current_password": PASSWORD}
        for response in (
            client.post(URL, json={"name": "x", "scopes": ["read"]}),
            client.delete(f"{URL}/{other['id']}"),
            client.post("/api/v1/auth/logout"),
            client.delete("/api/v1/auth/sessions"),
            client.delete("/api/v1/auth/sessions/1"),
            client.post("/api/v1/auth/password", json=password),
            client.patch("/api/v1/users/me", json=address),
            client.delete("/api/v1/users/me", json={"current_password": PASSWORD}),
        ):
            assert refused(response) == (403, "forbidden")
        assert client.patch("/api/v1/users/me", json={"name": "Al"}).status_code == 200


@pytest.mark.parametrize("scope", ["read", "write"])
def test_a_token_may_delete_itself(alice: Client, anonymous: Client, scope: str) -> None:
    token = token_of(alice, scope)
    client = anonymous.as_token(token["token"])

    assert client.delete(f"{URL}/{token['id']}").status_code == 204
    assert refused(client.get(TASKS)) == (401, "token-revoked")


def test_a_feed_token_says_where_its_calendar_is(alice: Client) -> None:
    token = token_of(alice, "feed")

    assert token["feed_url"] == f"http://localhost/api/v1/feeds/{token['token']}.ics"
    assert "feed_url" not in token_of(alice, "read")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"name": ""}, ["/name"]),
        ({"scopes": []}, ["/scopes"]),
        ({"scopes": ["all"]}, ["/scopes/0"]),
        ({"scopes": "read"}, ["/scopes"]),
        ({"expires_at": "2001-01-01T00:00:00Z"}, ["/expires_at"]),
        ({"expires_at": 3600}, ["/expires_at"]),
        ({"token": "tsk_mine"}, ["/token"]),
        ({"user_id": 1}, ["/user_id"]),
    ],
)
def test_names_what_is_wrong(alice: Client, changes: Json, names: list[str]) -> None:
    body = {"name": "x", "scopes": ["read"], **changes}

    assert named(alice.post(URL, json=body)) == names


def test_runs_out(alice: Client, anonymous: Client, app: Flask) -> None:
    at = dt.datetime.now(dt.UTC)
    token = token_of(alice, "read", expires_at=(at + dt.timedelta(days=1)).isoformat())
    client = anonymous.as_token(token["token"])
    assert client.get("/api/v1/auth/token").get_json()["expires_at"] == token["expires_at"]

    with app.app_context(), db.engine.begin() as connection:
        tokens = db.metadata.tables["personal_tokens"]
        connection.execute(sa.update(tokens).values(expires_at=at))

    assert refused(client.get(TASKS)) == (401, "token-expired")


def test_is_refused_at_once_when_it_is_deleted(alice: Client, anonymous: Client) -> None:
    token = token_of(alice, "write")
    client, url = anonymous.as_token(token["token"]), f"{URL}/{token['id']}"
    assert client.get(TASKS).status_code == 200

    assert alice.delete(url).status_code == 204

    assert refused(client.get(TASKS)) == (401, "token-revoked")
    for method in ("GET", "DELETE"):
        assert refused(alice.open(url, method=method)) == (404, "not-found")
    assert alice.get(URL).get_json()["items"] == []


def test_ends_for_good_with_its_user(alice: Client, admin: Client, anonymous: Client) -> None:
    client = anonymous.as_token(token_of(alice, "read")["token"])
    url = f"/api/v1/users/{alice.user['id']}"

    for active in (False, True):
        admin.patch(url, json={"is_active": active})
        assert refused(client.get(TASKS)) == (401, "token-revoked")
        assert refused(alice.get(TASKS)) == (401, "token-revoked")
    admin.delete(url)
    assert refused(client.get(TASKS)) == (401, "invalid-token")


def test_an_admins_token_ends_to_be_one_with_the_role(
    admin: Client, bob: Client, anonymous: Client
) -> None:
    url = f"/api/v1/users/{bob.user['id']}"
    admin.patch(url, json={"role": "admin"})
    client = anonymous.as_token(token_of(bob, "admin")["token"])
    assert client.get("/api/v1/users").status_code == 200

    admin.patch(url, json={"role": "user"})

    assert refused(client.get("/api/v1/users")) == (403, "forbidden")
    assert client.get("/api/v1/auth/token").get_json()["scopes"] == ["read", "write"]


def test_belongs_to_one_user(alice: Client, bob: Client) -> None:
    url = f"{URL}/{token_of(alice, 'read')['id']}"

    for method in ("GET", "DELETE"):
        assert refused(bob.open(url, method=method)) == (404, "not-found")
    assert bob.get(URL).get_json()["items"] == []
    assert alice.get(url).status_code == 200


def test_outlives_sessions_and_is_none(alice: Client, anonymous: Client) -> None:
    client = anonymous.as_token(token_of(alice, "write")["token"])

    assert alice.delete("/api/v1/auth/sessions").status_code == 204
    assert refused(alice.get(TASKS)) == (401, "token-revoked")
    assert client.get(TASKS).status_code == 200


def test_keeps_no_secret_in_clear(alice: Client, app: Flask) -> None:
    secret = token_of(alice, "read")["token"]
    with app.app_context(), db.engine.connect() as connection:
        kept = repr(connection.execute(sa.text("SELECT * FROM personal_tokens")).all())

    assert "nightly" in kept
    assert secret[4:] not in kept


def test_deletes_only_what_it_has_seen(alice: Client) -> None:
    first, second = (f"{URL}/{token_of(alice, 'read')['id']}" for _ in range(2))
    tag = {"If-Match": alice.get(first).headers["ETag"]}

    assert refused(alice.delete(second, headers=tag)) == (412, "precondition-failed")
    assert alice.delete(first, headers=tag).status_code == 204
