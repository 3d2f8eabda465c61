"""A proxy in front says who is calling: PROXY_AUTH_HEADER and PROXY_AUTH_SECRET"""

from __future__ import annotations

import dataclasses
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from tests import servers
from tests.auth.test_login import pair_of
from tests.conftest import PASSWORD, Client, Json, add, made, named, refused

SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
SETTINGS: Json = {"proxy_auth_header": "X-Forwarded-Email", "proxy_auth_secret": SECRET}
ME = "/api/v1/users/me"
TASKS = "/api/v1/tasks"
FORBIDDEN = (403, "forbidden")
NOBODY = (401, "unauthorized")


def configure(app: Flask, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    before = app.extensions["taskapp"]
    monkeypatch.setitem(app.extensions, "taskapp", dataclasses.replace(before, **settings))


def proxied(app: Flask, email: str = "alice@example.com", secret: str = SECRET) -> Client:
    """A browser behind the proxy, which says that it is this person."""
    client = app.test_client()
    assert isinstance(client, Client)
    client.environ_base |= {"HTTP_X_FORWARDED_EMAIL": email, "HTTP_X_PROXY_AUTH_SECRET": secret}
    return client


@pytest.fixture(autouse=True)
def on(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(app, monkeypatch, **SETTINGS)


@pytest.fixture
def proved(admin: Client, alice: Client) -> None:
    """Somebody has proved Alice's address before."""
    url = f"/api/v1/users/{alice.user['id']}"
    assert admin.patch(url, json={"email_verified": True}).status_code == 200


def test_the_proxys_word_is_a_credential(app: Flask, alice: Client, proved: None) -> None:
    browser = proxied(app, " Alice@Example.com ")

    assert browser.get(ME).get_json()["id"] == alice.user["id"]
    assert add(browser)["created_by"] == alice.user["id"]
    assert browser.get("/api/v1/auth/token").get_json() == {
        "kind": "proxy",
        "user_id": alice.user["id"],
        "scopes": ["read", "write"],
        "expires_at": None,
    }
    assert browser.get("/api/v1/auth/providers").get_json()["proxy"] is True


def test_an_admin_is_one_here_too(app: Flask, admin: Client) -> None:
    browser = proxied(app, "admin@example.com")

    assert browser.get("/api/v1/users").status_code == 200


@pytest.mark.parametrize("secret", ["", "wrong", SECRET[:-1], SECRET.upper(), f"{SECRET},{SECRET}"])
def test_without_the_right_secret_the_header_is_ignored_and_logged(
    app: Flask, caplog: pytest.LogCaptureFixture, secret: str
) -> None:
    browser = proxied(app, secret=secret)

    assert refused(browser.get(ME)) == NOBODY
    assert "X-Forwarded-Email came without the right X-Proxy-Auth-Secret" in caplog.text
    assert "alice" not in caplog.text
    assert SECRET not in caplog.text


def test_the_secret_alone_is_nobody(app: Flask) -> None:
    for email in ("", "  "):
        assert refused(proxied(app, email).get(ME)) == NOBODY


@pytest.mark.parametrize(
    "email", ["alice@example.com,bob@example.com", "alice@example.com, ", ",bob@example.com"]
)
def test_several_values_are_refused(app: Flask, email: str) -> None:
    response = proxied(app, email).get(ME)

    assert refused(response) == NOBODY
    assert "several values" in response.get_json()["detail"]


def test_the_header_sent_twice_is_refused_by_a_real_server(
    fresh_environment: dict[str, str],
) -> None:
    variables = {"PROXY_AUTH_HEADER": "X-Forwarded-Email", "PROXY_AUTH_SECRET": SECRET}
    with servers.gunicorn(**fresh_environment, **variables) as base:
        servers.sign_up(base, "dora@example.com")
        right = ["X-Forwarded-Email: dora@example.com", f"X-Proxy-Auth-Secret: {SECRET}"]

        def ask(*lines: str) -> int:
            head = ["GET /api/v1/users/me HTTP/1.1", "Host: localhost", *lines]
            request = "\r\n".join([*head, "Connection: close", "", ""])
            port = int(base.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(request.encode())
                return int(connection.makefile("rb").readline().split()[1])

        assert ask(*right) == 200
        assert ask(*right, "X-Forwarded-Email: root@example.com") == 401
        assert ask(*right, f"X-Proxy-Auth-Secret: {SECRET}") == 401
        assert ask("X_Forwarded_Email: dora@example.com", right[1]) in {400, 401}


def test_whom_nobody_knows_gets_an_account_where_that_is_set(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = proxied(app, "Finn@example.com")
    assert refused(browser.get(ME)) == NOBODY
    configure(app, monkeypatch, proxy_auth_create=True, registration="closed")

    user = browser.get(ME).get_json()

    assert (user["email"], user["name"]) == ("Finn@example.com", "Finn")
    assert (user["role"], user["email_verified"]) == ("user", True)
    assert browser.get(ME).get_json()["id"] == user["id"]
    assert refused(proxied(app, "no address").get(ME)) == NOBODY


def as_sent(email: str) -> str:
    """A header's bytes as a server hands them on (PEP 3333)."""
    return email.encode().decode("latin-1")


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("bob@stra\u00dfe.example", "bob@strasse.example"),
        ("\u017fam@x.example", "sam@x.example"),
        ("\u212aim@x.example", "kim@x.example"),
    ],
)
def test_an_address_that_looks_alike_opens_nothing(
    app: Flask, admin: Client, monkeypatch: pytest.MonkeyPatch, theirs: str, ours: str, create: bool
) -> None:
    configure(app, monkeypatch, proxy_auth_create=create)
    user = made(admin, "users", email=ours, name="Somebody", password=PASSWORD)

    assert refused(proxied(app, as_sent(theirs)).get(ME)) == NOBODY
    assert proxied(app, ours.upper()).get(ME).get_json()["id"] == user["id"]


def test_addresses_in_any_script_are_read_as_utf_8(app: Flask, admin: Client) -> None:
    user = made(admin, "users", email="j\u00fcrgen@x.example", name="J", password=PASSWORD)

    assert proxied(app, as_sent("J\u00dcrgen@x.example")).get(ME).get_json()["id"] == user["id"]
    assert refused(proxied(app, "j\u00fcrgen@x.example").get(ME)) == NOBODY


def test_of_many_first_requests_at_once_one_makes_the_account(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(app, monkeypatch, proxy_auth_create=True)

    def ask(_: int) -> int:
        return int(proxied(app, "finn@example.com").get(ME).get_json()["id"])

    with ThreadPoolExecutor(6) as pool:
        ids = set(pool.map(ask, range(6)))

    assert len(ids) == 1


def test_a_disabled_account_stays_out(app: Flask, admin: Client, bob: Client) -> None:
    url = f"/api/v1/users/{bob.user['id']}"
    assert admin.patch(url, json={"is_active": False}).status_code == 200

    assert refused(proxied(app, "bob@example.com").get(ME)) == (401, "token-revoked")


def test_who_had_not_proved_the_address_is_out_when_its_holder_comes(
    app: Flask, alice: Client, anonymous: Client
) -> None:
    token = made(alice, "auth/tokens", name="x", scopes=["write"])["token"]

    assert proxied(app).get(ME).get_json()["email_verified"] is True

    assert refused(alice.get(TASKS)) == (401, "token-revoked")
    assert refused(anonymous.as_token(token).get(TASKS)) == (401, "token-revoked")
    login = {"email": "alice@example.com", "password": PASSWORD}
    response = anonymous.post("/api/v1/auth/login", json=login)
    assert refused(response) == (401, "wrong-credentials")


def test_what_the_client_sends_itself_counts_first(
    app: Flask, alice: Client, bob: Client, proved: None
) -> None:
    """So scripts use their tokens and the page its session behind the proxy, too."""
    both = proxied(app, "bob@example.com")
    both.environ_base["HTTP_AUTHORIZATION"] = alice.environ_base["HTTP_AUTHORIZATION"]

    assert both.get(ME).get_json()["id"] == alice.user["id"]
    both.environ_base["HTTP_AUTHORIZATION"] = "Bearer x"
    assert refused(both.get(ME)) == (401, "invalid-token")


def test_it_makes_and_ends_no_credential(app: Flask, alice: Client, proved: None) -> None:
    browser = proxied(app)
    token = made(alice, "auth/tokens", name="x", scopes=["read"])
    password = {"current_password": PASSWORD, "new_password": "eleven quiet harbours"}
    proof = {"current_password": PASSWORD}
    for response in (
        browser.post("/api/v1/auth/tokens", json={"name": "x", "scopes": ["read"]}),
        browser.delete(f"/api/v1/auth/tokens/{token['id']}"),
        browser.post("/api/v1/auth/logout"),
        browser.delete("/api/v1/auth/sessions"),
        browser.post("/api/v1/auth/password", json=password),
        browser.post("/api/v1/auth/totp", json=proof),
        browser.patch(ME, json={**proof, "email": "new@example.com"}),
        browser.delete(ME, json=proof),
    ):
        assert refused(response) == FORBIDDEN
    assert browser.patch(ME, json={"name": "Al"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8080"},
        {"Origin": "https://localhost"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_writes_nothing(
    app: Flask, proved: None, task: Json, headers: dict[str, str]
) -> None:
    browser = proxied(app)
    url = f"{TASKS}/{task['id']}"
    for response in (
        browser.post(TASKS, json={"title": "x"}, headers=headers),
        browser.patch(url, json={"title": "x"}, headers=headers),
        browser.delete(url, headers=headers),
        browser.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers),
    ):
        assert response.status_code == 403
    assert browser.get(url, headers=headers).get_json()["title"] == task["title"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "HTTP://LOCALHOST"},
        {"Origin": "https://app.example.com", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_this_site_and_those_of_cors_origins_write(
    app: Flask, proved: None, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    configure(app, monkeypatch, cors_origins=("https://app.example.com",))

    response = proxied(app).post(TASKS, json={"title": "x"}, headers=headers)

    assert response.status_code == 201


def test_a_credential_that_no_browser_sends_by_itself_is_not_guarded(
    alice: Client, anonymous: Client
) -> None:
    """Another site does not know it, so nobody can write with it from there."""
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}

    assert alice.post(TASKS, json={"title": "x"}, headers=headers).status_code == 201
    login = {"email": "alice@example.com", "password": PASSWORD}
    response = anonymous.post("/api/v1/auth/login", json=login, headers=headers)
    assert response.status_code == 200


def test_public_addresses_stay_so_whatever_the_header_says(app: Flask) -> None:
    for browser in (proxied(app, "nobody@example.com"), proxied(app, "a,b"), proxied(app, "x")):
        assert browser.get("/health").status_code == 200
        assert browser.get("/api/v1/auth/providers").status_code == 200
        assert pair_of(browser)["token_type"] == "Bearer"


def test_is_off_until_it_is_set_up(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(app, monkeypatch, proxy_auth_header=None)
    browser = proxied(app)

    assert refused(browser.get(ME)) == NOBODY
    assert browser.get("/api/v1/auth/providers").get_json()["proxy"] is False


def test_names_what_is_wrong_as_for_everybody(app: Flask, proved: None) -> None:
    assert named(proxied(app).post(TASKS, json={"title": ""})) == ["/title"]
