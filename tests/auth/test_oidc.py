"""Signing in at an identity provider: /api/v1/auth/oidc, /providers"""

from __future__ import annotations

import datetime as dt
import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import jwt
import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from taskapp.auth import fetch
from taskapp.auth import provider as known_providers
from taskapp.database.session import now
from taskapp.extensions import db
from taskapp.schema import Base
from tests import servers
from tests.auth.test_login import pair_of
from tests.auth.test_proxy import configure
from tests.calls import codes_of
from tests.conftest import PASSWORD, Client, Json, made, named, refused
from tests.provider import CLIENT, SECRET, Key, Provider, provider

AUTH = "/api/v1/auth"
LOGIN, CALLBACK, TOKEN = (f"{AUTH}/oidc/{step}" for step in ("login", "callback", "token"))
ENDED = (401, "invalid-token")
REFUSED = (401, "wrong-credentials")
DOWN = (503, "provider-unavailable")
ALICE = "alice@example.com"


@pytest.fixture
def idp() -> Iterator[Provider]:
    with provider() as running:
        known_providers.KNOWN.pop(running.issuer, None)  # of a test before, at the same port
        yield running


@pytest.fixture(autouse=True)
def on(app: Flask, idp: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service with this provider set up."""
    settings: Json = {"oidc_issuer": idp.issuer, "oidc_name": "Acme"}
    settings |= {"oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
    configure(app, monkeypatch, **settings)


@pytest.fixture
def browser(anonymous: Client) -> Client:
    return anonymous


def another(browser: Client) -> Client:
    client = browser.application.test_client()
    assert isinstance(client, Client)
    return client


def begin(browser: Client, path: str = LOGIN) -> Json:
    """Go to the provider; returns what it gets from the browser."""
    response = browser.get(path)
    assert response.status_code == 303, response.get_json()
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query))


def come_back(browser: Client, **query: str) -> TestResponse:
    return browser.get(f"{CALLBACK}?{urlencode(query)}")


def code_in(response: TestResponse) -> str:
    assert response.status_code == 303, response.get_json()
    return unquote(urlsplit(response.headers["Location"]).fragment.removeprefix("code="))


def swap(browser: Client, code: str) -> TestResponse:
    return browser.post(TOKEN, json={"code": code})


def sign_in(browser: Client, idp: Provider, **claims: Any) -> TestResponse:
    """All of it; returns the last answer, or the first that is none to go on with."""
    request = begin(browser)
    back = come_back(browser, code=idp.vouch(request, **claims), state=request["state"])
    return swap(browser, code_in(back)) if back.status_code == 303 else back


def user_of(browser: Client, response: TestResponse) -> Json:
    assert response.status_code == 200, response.get_json()
    client = browser.as_token(response.get_json()["access_token"])
    return dict(client.get("/api/v1/users/me").get_json())


def rows(app: Flask, table: str) -> list[Json]:
    with app.app_context(), db.engine.connect() as connection:
        found = connection.execute(sa.select(Base.metadata.tables[table]))
        return [dict(row._mapping) for row in found]


# == The way there and back


def test_sends_the_browser_with_pkce_state_and_nonce(browser: Client, idp: Provider) -> None:
    response = browser.get(LOGIN)
    address = urlsplit(response.headers["Location"])
    request = dict(parse_qsl(address.query))

    assert address._replace(query="").geturl() == f"{idp.issuer}/authorize"
    assert request["tenant"] == "acme"
    assert request["response_type"] == "code"
    assert request["client_id"] == CLIENT
    assert request["redirect_uri"] == f"http://localhost{CALLBACK}"
    assert request["scope"] == "openid email profile"
    assert request["code_challenge_method"] == "S256"
    assert len(request["code_challenge"]) == 43
    again = begin(browser)
    for name in ("state", "nonce", "code_challenge"):
        assert len(request[name]) >= 43
        assert again[name] != request[name]


def test_the_cookie_is_kept_to_this_host_and_from_scripts(browser: Client) -> None:
    cookie = browser.get(LOGIN).headers["Set-Cookie"]
    name, *attributes = re.split(r"[=;] ?", cookie, maxsplit=1)

    assert name == "__Host-taskapp-sign-in"
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"):
        assert attribute in attributes[0]
    assert "Domain" not in cookie


def test_signs_in_whoever_the_provider_vouches_for(browser: Client, idp: Provider) -> None:
    user = user_of(browser, sign_in(browser, idp))

    assert (user["email"], user["name"]) == ("finn@example.com", "Finn")
    assert (user["role"], user["email_verified"]) == ("user", True)


def test_the_page_goes_on_where_it_wants_with_a_code_that_is_no_token(
    browser: Client, idp: Provider
) -> None:
    request = begin(browser, f"{LOGIN}?next=/?view=board")
    back = come_back(browser, code=idp.vouch(request), state=request["state"])

    assert back.headers["Location"].startswith("http://localhost/?view=board#code=")
    assert back.headers["Cache-Control"] == "no-store"
    assert "Max-Age=60" in back.headers["Set-Cookie"]
    client = browser.as_token(code_in(back))
    assert refused(client.get("/api/v1/tasks")) == ENDED


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "evil.example",
        "/../x",
        "/a/..",
        "/%2e%2E/x",
        "/.%2e/x",
        "/%2",
        "/a#code=x",
        "/a b",
        "/\té",
        "javascript:alert(1)",
    ],
)
def test_goes_on_nowhere_else(browser: Client, path: str) -> None:
    response = browser.get(f"{LOGIN}?{urlencode({'next': path})}")

    assert named(response) == ["next"]


@pytest.mark.parametrize("path", ["/", "/?q=%C3%A9&view=a/b", "/.well-known/a..b/.", "/a//b/"])
def test_goes_on_to_any_path_of_this_service(browser: Client, idp: Provider, path: str) -> None:
    request = begin(browser, f"{LOGIN}?{urlencode({'next': path})}")
    back = come_back(browser, code=idp.vouch(request), state=request["state"])

    assert back.headers["Location"].startswith(f"http://localhost{path}#code=")


def test_below_a_path_everything_stays_there(
    app: Flask, browser: Client, idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(app, monkeypatch, public_url="http://localhost/tasks")
    request = begin(browser, f"{LOGIN}?next=/tasks/")
    back = come_back(browser, code=idp.vouch(request), state=request["state"])

    assert request["redirect_uri"] == f"http://localhost/tasks{CALLBACK}"
    assert back.headers["Location"].startswith("http://localhost/tasks/#code=")
    for path in ("/other/", "/tasksother", "/tasks/../x", "/tasks/%2e%2e/x"):
        assert named(browser.get(f"{LOGIN}?next={path}")) == ["next"]
    start = browser.get(f"{AUTH}/providers").get_json()["oidc"]["start"]
    assert start == f"http://localhost/tasks{LOGIN}"


def test_takes_whatever_else_a_provider_sends_along(browser: Client, idp: Provider) -> None:
    request = begin(browser)
    more = {"iss": idp.issuer, "session_state": "x", "authuser": "0"}

    back = come_back(browser, code=idp.vouch(request), state=request["state"], **more)

    assert back.status_code == 303


# == What is refused


def test_a_state_of_somebody_else_is_refused(browser: Client, idp: Provider) -> None:
    """Who sends a victim an address with a code of their own signs nobody in."""
    request, others = begin(browser), begin(another(browser))
    code = idp.vouch(others)

    assert refused(come_back(browser, code=code, state=others["state"])) == ENDED
    assert refused(come_back(browser, code=code, state="x")) == ENDED
    assert refused(come_back(browser, code=code)) == ENDED
    assert refused(come_back(another(browser), code=code, state=request["state"])) == ENDED
    assert "/token" not in idp.asked


HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("query", [{"error": "access_denied"}, {"code": "x", "state": "x"}])
def test_a_person_is_told_how_to_go_on(
    app: Flask, browser: Client, monkeypatch: pytest.MonkeyPatch, query: Json
) -> None:
    configure(app, monkeypatch, public_url="http://localhost/tasks")
    request = begin(browser)
    address = f"{CALLBACK}?{urlencode({'state': request['state'], **query})}"

    page = browser.get(address, headers=HTML)

    assert (page.status_code, page.mimetype) == (401, "text/html")
    assert page.headers["Cache-Control"] == "no-store"
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert 'href="/tasks/"' in page.text
    assert "begin it again" in page.text
    assert page.headers["X-Request-ID"] in page.text
    assert browser.get(address).mimetype == "application/problem+json"


def test_a_person_is_told_that_the_provider_is_down(browser: Client, idp: Provider) -> None:
    idp.metadata = {"issuer": "https://evil.example"}

    page = browser.get(LOGIN, headers=HTML)

    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert int(page.headers["Retry-After"]) > 0
    assert "You are not signed in" in page.text


def test_an_attempt_is_good_for_ten_minutes(
    browser: Client, idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = begin(browser)
    code = idp.vouch(request)
    late = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: late)

    assert refused(come_back(browser, code=code, state=request["state"])) == ENDED


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 5},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"exp": int(time.time()) - 120},
        {"exp": None},
        {"iat": int(time.time()) + 3600},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": 7},
        {"nbf": int(time.time()) + 3600},
    ],
)
def test_an_id_token_that_is_not_good_signs_nobody_in(
    browser: Client, idp: Provider, app: Flask, wrong: Json
) -> None:
    before = rows(app, "users")

    assert refused(sign_in(browser, idp, **wrong)) == REFUSED
    assert rows(app, "users") == before


def test_takes_an_audience_of_several_that_is_meant_for_us(browser: Client, idp: Provider) -> None:
    claims = {"aud": [CLIENT, "another"], "azp": CLIENT}

    assert sign_in(browser, idp, **claims).status_code == 200


def test_another_issuer_in_the_answer_is_refused(browser: Client, idp: Provider) -> None:
    request = begin(browser)
    code = idp.vouch(request)

    back = come_back(browser, code=code, state=request["state"], iss="https://evil.example")

    assert refused(back) == REFUSED
    assert "/token" not in idp.asked


def test_who_is_sent_back_without_a_code_is_not_signed_in(browser: Client) -> None:
    request = begin(browser)

    back = come_back(browser, error="access_denied", state=request["state"])

    assert refused(back) == REFUSED


@pytest.mark.parametrize("algorithm", ["none", "HS256", "forged"])
def test_a_token_that_the_provider_did_not_sign_is_refused(
    browser: Client, idp: Provider, algorithm: str
) -> None:
    request = begin(browser)
    code = idp.vouch(request)
    claims = idp.codes[code]["claims"]
    if algorithm == "forged":
        token = Key("first").sign(claims)
    else:
        secret = None if algorithm == "none" else "x" * 32
        token = jwt.encode(claims, secret, algorithm, headers={"kid": "first"})
    idp.answers["/token"] = {"access_token": "opaque", "id_token": token}

    assert refused(come_back(browser, code=code, state=request["state"])) == REFUSED


@pytest.mark.parametrize("answer", [{}, {"id_token": None}, {"id_token": 5}, {"id_token": "x.y"}])
def test_an_answer_without_a_token_is_refused(browser: Client, idp: Provider, answer: Json) -> None:
    idp.answers["/token"] = answer

    assert refused(sign_in(browser, idp)) == REFUSED


# == Keys


def test_keys_are_fetched_once_and_again_when_they_were_rotated(
    browser: Client, idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert sign_in(browser, idp).status_code == 200
    assert idp.asked.count("/keys") == 1
    assert idp.asked.count("/.well-known/openid-configuration") == 1
    idp.keys = [Key("second")]

    assert refused(sign_in(browser, idp)) == REFUSED  # within the same minute
    monkeypatch.setattr(known_providers, "FETCH_KEYS_EVERY", 0.0)
    assert sign_in(browser, idp).status_code == 200
    assert idp.asked.count("/keys") == 2


def test_unknown_keys_are_looked_for_once_a_minute(browser: Client, idp: Provider) -> None:
    idp.signs_with = Key("unknown")

    for _ in range(3):
        assert refused(sign_in(browser, idp)) == REFUSED
    assert idp.asked.count("/keys") == 1


def test_a_key_that_was_withdrawn_signs_nobody_in(
    browser: Client, idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_providers, "FETCH_KEYS_EVERY", 0.0)
    old, new = idp.keys[0], Key("second")
    idp.keys = [new]
    idp.signs_with = old

    assert refused(sign_in(browser, idp)) == REFUSED


def test_a_single_key_needs_no_name(browser: Client, idp: Provider) -> None:
    request = begin(browser)
    code = idp.vouch(request)
    unnamed = jwt.encode(idp.codes[code]["claims"], idp.keys[0].private, "ES256")
    idp.answers["/token"] = {"id_token": unnamed}

    assert come_back(browser, code=code, state=request["state"]).status_code == 303


# == A provider that is down, slow, or another one


def test_a_provider_that_is_down_is_said_so(
    app: Flask, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        configure(app, monkeypatch, oidc_issuer=f"http://127.0.0.1:{port}")
        response = browser.get(LOGIN)

    assert refused(response) == DOWN
    assert int(response.headers["Retry-After"]) > 0
    assert str(port) not in response.text
    assert pair_of(another(browser))["token_type"] == "Bearer"


@pytest.mark.parametrize("path", ["/token", "/keys", "/.well-known/openid-configuration"])
@pytest.mark.parametrize(
    "raw",
    [
        (500, b"{}", 0),
        (302, b"{}", 0),
        (200, b"", 0),
        (200, b"[]", 0),
        (200, b"<html>", 0),
        (200, b'{"a": "' + b"x" * 300_000 + b'"}', 0),
    ],
    ids=["500", "redirect", "empty", "list", "html", "huge"],
)
def test_an_answer_that_makes_no_sense_is_said_so(
    browser: Client, idp: Provider, path: str, raw: tuple[int, bytes, float]
) -> None:
    request: Json = {}
    if path != "/.well-known/openid-configuration":
        request = begin(browser)
    idp.raw[path] = raw

    if request:
        response = come_back(browser, code=idp.vouch(request), state=request["state"])
    else:
        response = browser.get(LOGIN)

    assert refused(response) == DOWN
    assert "/elsewhere" not in idp.asked


@pytest.mark.parametrize("body", [b'{"id_token": "x", "more": "' + b"x" * 80 + b'"}'])
def test_a_slow_provider_is_waited_for_three_seconds_in_all(
    browser: Client, idp: Provider, body: bytes
) -> None:
    """However often it sends a few bytes, so that no read by itself takes long."""
    request = begin(browser)
    idp.raw["/token"] = (200, body, 20.0)
    began = time.monotonic()

    response = come_back(browser, code=idp.vouch(request), state=request["state"])

    assert refused(response) == DOWN
    assert fetch.MOST_SECONDS - 0.5 < time.monotonic() - began < fetch.MOST_SECONDS + 1.5


def test_one_worker_at_a_time_waits_for_it(browser: Client, idp: Provider) -> None:
    waiting, other = another(browser), another(browser)
    requests = [begin(client) for client in (waiting, other)]
    idp.raw["/token"] = (200, b"{}" + b" " * 20, 20.0)

    def finish(client: Client, request: Json) -> tuple[TestResponse, float]:
        began = time.monotonic()
        response = come_back(client, code="any", state=request["state"])
        return response, time.monotonic() - began

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(finish, waiting, requests[0])
        time.sleep(0.5)
        response, seconds = finish(other, requests[1])

    assert refused(response) == DOWN
    assert "Others are signing in" in response.get_json()["detail"]
    assert seconds < 2
    assert refused(first.result()[0]) == DOWN


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": 5},
    ],
)
def test_a_provider_that_describes_itself_wrongly_is_not_used(
    browser: Client, idp: Provider, metadata: Json
) -> None:
    idp.metadata = metadata

    assert refused(browser.get(LOGIN)) == DOWN


def test_the_secret_goes_into_the_form_where_the_provider_wants_that(
    browser: Client, idp: Provider
) -> None:
    idp.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    assert sign_in(browser, idp).status_code == 200


def test_a_wrong_secret_is_refused(
    app: Flask, browser: Client, idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(app, monkeypatch, oidc_client_secret="another")

    assert refused(sign_in(browser, idp)) == REFUSED


# == The code for the page


def test_a_code_works_once(browser: Client, idp: Provider) -> None:
    request = begin(browser)
    back = come_back(browser, code=idp.vouch(request), state=request["state"])
    code = code_in(back)

    assert swap(browser, code).status_code == 200
    assert refused(swap(browser, code)) == ENDED


def test_of_many_at_once_one_swaps_it(browser: Client, idp: Provider) -> None:
    sign_in(browser, idp)
    request = begin(browser)
    back = come_back(browser, code=idp.vouch(request), state=request["state"])
    code = code_in(back)

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(lambda _: swap(browser, code).status_code, range(6)))

    assert statuses == [200] + [401] * 5


def test_a_code_is_good_for_the_browser_that_got_it(browser: Client, idp: Provider) -> None:
    request = begin(browser)
    code = code_in(come_back(browser, code=idp.vouch(request), state=request["state"]))
    thief = another(browser)

    assert refused(swap(thief, code)) == ENDED
    begin(thief)
    assert refused(swap(thief, code)) == ENDED
    assert swap(browser, code).status_code == 200


def test_a_code_is_good_for_a_minute(
    browser: Client, idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = begin(browser)
    code = code_in(come_back(browser, code=idp.vouch(request), state=request["state"]))
    late = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: late)

    assert refused(swap(browser, code)) == ENDED


def test_refuses_what_is_no_code(browser: Client, idp: Provider) -> None:
    begin(browser)
    cookie = browser.get_cookie("__Host-taskapp-sign-in")
    assert cookie is not None

    for code in ("x", "a:b", cookie.decoded_value):
        assert refused(swap(browser, code)) == ENDED


# == Whose account it is


def test_an_identity_is_issuer_and_subject(browser: Client, idp: Provider) -> None:
    """Neither another address nor another name makes it another account."""
    first = user_of(browser, sign_in(browser, idp))
    second = user_of(browser, sign_in(browser, idp, email="f@example.com", name="F"))

    assert second["id"] == first["id"]
    assert second["email"] == "finn@example.com"
    assert (
        user_of(browser, sign_in(browser, idp, sub="2", email="f@x.example"))["id"] != first["id"]
    )


@pytest.mark.parametrize("linking", [False, True])
@pytest.mark.parametrize("verified", [True, False, None, "true", 1])
def test_a_strangers_address_takes_over_nothing(
    app: Flask,
    browser: Client,
    idp: Provider,
    monkeypatch: pytest.MonkeyPatch,
    linking: bool,
    verified: Any,
) -> None:
    """Not by default, and never an address that the provider has not verified."""
    configure(app, monkeypatch, oidc_link_by_email=linking)
    response = sign_in(browser, idp, email="Alice@Example.com", email_verified=verified)

    if linking and verified is True:
        assert user_of(browser, response)["email"] == ALICE
    else:
        assert refused(response) == (409, "email-taken")
        assert rows(app, "identities") == []


def test_who_had_not_proved_the_address_is_out_when_its_holder_comes(
    app: Flask, alice: Client, browser: Client, idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else somebody could prepare an account for a victim, and wait for them to fill it."""
    configure(app, monkeypatch, oidc_link_by_email=True)
    token = made(alice, "auth/tokens", name="x", scopes=["write"])["token"]

    user = user_of(browser, sign_in(browser, idp, email=ALICE))

    assert user["id"] == alice.user["id"]
    assert user["email_verified"] is True
    assert refused(alice.get("/api/v1/tasks")) == (401, "token-revoked")
    assert refused(browser.as_token(token).get("/api/v1/tasks")) == (401, "token-revoked")
    login = {"email": ALICE, "password": PASSWORD}
    assert refused(browser.post(f"{AUTH}/login", json=login)) == REFUSED


def test_an_identity_that_waits_for_the_holder_of_an_address_is_out(
    app: Flask, browser: Client, idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody signs in as themselves, then calls themselves what a victim is called."""
    configure(app, monkeypatch, oidc_link_by_email=True)
    first = sign_in(browser, idp, sub="somebody", email="somebody@x.example")
    client = browser.as_token(first.get_json()["access_token"])
    inbox = client.get("/api/v1/users/me").get_json()["inbox_id"]
    webhooks = f"projects/{inbox}/webhooks"
    made(client, webhooks, url="https://hooks.example/x")
    assert client.patch("/api/v1/users/me", json={"email": "victim@x.example"}).status_code == 200

    victim = sign_in(another(browser), idp, sub="victim", email="victim@x.example")
    holder = browser.as_token(victim.get_json()["access_token"])

    identities = [row["subject"] for row in rows(app, "identities")]
    assert identities == ["victim"]
    hooks = holder.get(f"/api/v1/{webhooks}").get_json()["items"]
    assert [hook["is_active"] for hook in hooks] == [False]
    again = sign_in(another(browser), idp, sub="somebody", email="somebody@x.example")
    assert user_of(browser, again)["id"] != user_of(browser, victim)["id"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("wei\u00df@x.example", "weiss@x.example"),
        ("\u017fam@x.example", "sam@x.example"),
        ("\u212aim@x.example", "kim@x.example"),
    ],
)
def test_an_address_that_looks_alike_joins_nothing(
    app: Flask,
    admin: Client,
    browser: Client,
    idp: Provider,
    monkeypatch: pytest.MonkeyPatch,
    theirs: str,
    ours: str,
) -> None:
    configure(app, monkeypatch, oidc_link_by_email=True)
    made(admin, "users", email=ours, name="Somebody", password=PASSWORD)

    assert refused(sign_in(browser, idp, email=theirs)) == (409, "email-taken")
    assert sign_in(browser, idp, email=ours.upper()).status_code == 200


def test_who_had_proved_it_keeps_password_and_sessions(
    app: Flask,
    admin: Client,
    alice: Client,
    browser: Client,
    idp: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(app, monkeypatch, oidc_link_by_email=True)
    url = f"/api/v1/users/{alice.user['id']}"
    assert admin.patch(url, json={"email_verified": True}).status_code == 200

    assert user_of(browser, sign_in(browser, idp, email=ALICE))["id"] == alice.user["id"]
    assert alice.get("/api/v1/tasks").status_code == 200
    assert pair_of(another(browser))["token_type"] == "Bearer"


def test_a_closed_registration_lets_known_people_in_only(
    app: Flask, browser: Client, idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sign_in(browser, idp).status_code == 200
    configure(app, monkeypatch, registration="closed")

    assert sign_in(browser, idp).status_code == 200
    stranger = sign_in(browser, idp, sub="2", email="eve@example.com")
    assert refused(stranger) == (403, "registration-closed")


def test_a_disabled_account_stays_out(admin: Client, browser: Client, idp: Provider) -> None:
    user = user_of(browser, sign_in(browser, idp))
    admin.patch(f"/api/v1/users/{user['id']}", json={"is_active": False})

    assert refused(sign_in(browser, idp)) == REFUSED


def test_a_deleted_account_is_a_new_one_next_time(
    app: Flask, browser: Client, idp: Provider
) -> None:
    response = sign_in(browser, idp)
    client = browser.as_token(response.get_json()["access_token"])
    before = client.get("/api/v1/users/me").get_json()
    assert client.delete("/api/v1/users/me", json={}).status_code == 204

    assert rows(app, "identities") == []
    assert user_of(browser, sign_in(browser, idp))["id"] != before["id"]


def test_has_no_password_until_one_is_set(app: Flask, browser: Client, idp: Provider) -> None:
    response = sign_in(browser, idp)
    client = browser.as_token(response.get_json()["access_token"])
    login = {"email": "finn@example.com", "password": PASSWORD}
    assert refused(browser.post(f"{AUTH}/login", json=login)) == REFUSED

    body = {"new_password": PASSWORD}
    assert client.post(f"{AUTH}/password", json=body).status_code == 204
    assert browser.post(f"{AUTH}/login", json=login).status_code == 200
    with app.app_context(), db.engine.begin() as connection:
        sessions = Base.metadata.tables["sessions"]
        connection.execute(sa.update(sessions).values(created_at=now() - dt.timedelta(hours=1)))
    assert named(client.delete("/api/v1/users/me", json={})) == ["/current_password"]


def test_asks_for_no_second_factor_of_ours(browser: Client, idp: Provider) -> None:
    """Who signs in at a provider has the provider's."""
    client = browser.as_token(sign_in(browser, idp).get_json()["access_token"])
    seed = client.post(f"{AUTH}/totp", json={}).get_json()["secret"]
    code = {"code": codes_of(seed)()}
    assert client.post(f"{AUTH}/totp/confirm", json=code).status_code == 200

    assert sign_in(browser, idp).status_code == 200


def test_the_address_may_come_from_the_userinfo(browser: Client, idp: Provider) -> None:
    idp.userinfo = {"sub": "subject-1", "email": "finn@example.com", "email_verified": True}
    user = user_of(browser, sign_in(browser, idp, email=None, email_verified=None, name=None))

    assert (user["email"], user["name"]) == ("finn@example.com", "finn")


def test_the_userinfo_of_somebody_else_is_refused(browser: Client, idp: Provider) -> None:
    idp.userinfo = {"sub": "another", "email": "finn@example.com", "email_verified": True}

    assert refused(sign_in(browser, idp, email=None)) == REFUSED


def test_without_an_address_there_is_no_account(browser: Client, idp: Provider) -> None:
    idp.userinfo = {"sub": "subject-1"}
    response = sign_in(browser, idp, email=None)

    assert refused(response) == REFUSED
    assert "e-mail address" in response.get_json()["detail"]
    assert named(sign_in(browser, idp, email="no address")) == ["/email"]
    assert named(sign_in(browser, idp, name="x" * 900)) == ["/name"]


# == Off, and said so


def test_says_how_one_can_sign_in(
    app: Flask, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{AUTH}/providers"
    start = f"http://localhost{LOGIN}"
    assert browser.get(url).get_json() == {
        "password": True,
        "oidc": {"name": "Acme", "start": start},
        "proxy": False,
    }
    configure(app, monkeypatch, oidc_issuer=None)
    assert browser.get(url).get_json() == {"password": True, "oidc": None, "proxy": False}


def test_is_off_until_it_is_set_up(
    app: Flask, browser: Client, idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(app, monkeypatch, oidc_issuer=None)

    for response in (browser.get(LOGIN), come_back(browser, code="x"), swap(browser, "x")):
        assert refused(response) == (404, "not-found")
    assert idp.asked == []


def test_secrets_stay_out_of_the_log(
    browser: Client, idp: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    request = begin(browser)
    back = come_back(browser, code=idp.vouch(request), state=request["state"])
    pair = swap(browser, code_in(back)).get_json()
    cookie = browser.get_cookie("__Host-taskapp-sign-in")
    assert cookie is not None

    for secret in (SECRET, code_in(back), cookie.value, pair["access_token"], request["state"]):
        assert secret not in caplog.text


def test_works_with_a_provider_that_nobody_here_wrote(
    app: Flask, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """oidc-provider-mock, in a process of its own."""
    port = servers.free_port()
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    issuer = f"http://localhost:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port)
            configure(app, monkeypatch, oidc_issuer=issuer)
            location = browser.get(LOGIN).headers["Location"]
            claims = {"email": "gina@example.com", "email_verified": True, "name": "Gina"}
            send(port, "PUT", "/users/gina", json.dumps(claims), "application/json")
            target = urlsplit(location)._replace(scheme="", netloc="").geturl()
            back = send(port, "POST", target, "sub=gina", "application/x-www-form-urlencoded")
            response = browser.get(urlsplit(back)._replace(scheme="", netloc="").geturl())
            user = user_of(browser, swap(browser, code_in(response)))
        finally:
            process.terminate()

    assert (user["email"], user["name"]) == ("gina@example.com", "Gina")


def send(port: int, method: str, target: str, body: str, media_type: str) -> str:
    """A request to the mock; returns where it redirects to."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, target, body, {"Content-Type": media_type})
    response = connection.getresponse()
    connection.close()
    assert response.status < 400
    return response.headers.get("Location", "")


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.1)
