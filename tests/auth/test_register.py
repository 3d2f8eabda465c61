"""POST /api/v1/auth/register"""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from tests import servers
from tests.conftest import Client, Json, named, refused

URL = "/api/v1/auth/register"
LONGEST = "".join(chr(97 + (n * n * 7 + n // 3) % 26) for n in range(1024))
DORA: Json = {"email": "Dora@Example.com", "password": "eleven quiet harbours", "name": " Dora "}


def test_makes_an_account_with_an_inbox(anonymous: Client) -> None:
    response = anonymous.post(URL, json=DORA)
    user = response.get_json()
    pair = anonymous.post("/api/v1/auth/login", json={k: DORA[k] for k in ("email", "password")})
    dora = anonymous.as_token(pair.get_json()["access_token"])

    assert response.status_code == 201
    assert response.headers["Location"] == f"http://localhost/api/v1/users/{user['id']}"
    assert dora.get(response.headers["Location"]).get_json() == user
    assert response.headers["ETag"].startswith('"')
    assert (user["email"], user["name"], user["role"]) == ("Dora@Example.com", "Dora", "user")
    assert user["is_active"] is True
    assert "password" not in response.text
    kinds = [project["kind"] for project in dora.get("/api/v1/projects").get_json()["items"]]
    assert kinds == ["inbox"]


def test_answers_never_stay_in_a_cache(anonymous: Client) -> None:
    assert anonymous.post(URL, json=DORA).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("email", ["alice@example.com", "ALICE@example.COM", " alice@example.com "])
def test_compares_addresses_without_case(anonymous: Client, email: str) -> None:
    response = anonymous.post(URL, json={**DORA, "email": email})

    assert refused(response) == (409, "email-taken")


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "password1234",
        "aaaaaaaaaaaaaaaa",
        "dora@example.com",
        "qwertyuiop123456",
    ],
)
def test_refuses_guessable_passwords(anonymous: Client, password: str) -> None:
    assert named(anonymous.post(URL, json={**DORA, "password": password})) == ["/password"]


@pytest.mark.parametrize(
    "password", ["vier kleine Störche", "пять тихих гаваней", "🦊 nine foxes under 🌙", LONGEST]
)
def test_takes_any_unicode_up_to_1024_bytes(anonymous: Client, password: str) -> None:
    assert anonymous.post(URL, json={**DORA, "password": password}).status_code == 201
    login = {"email": DORA["email"], "password": password}
    assert anonymous.post("/api/v1/auth/login", json=login).status_code == 200


@pytest.mark.parametrize("password", ["é" * 513, "x" * 1025, "a" * 1_000_000, "\ud800" * 12])
def test_refuses_endless_passwords_unhashed(anonymous: Client, password: str) -> None:
    body = '{"email": "d@example.com", "name": "D", "password": "%s"}'
    text = body % password.encode("ascii", "backslashreplace").decode().replace("\\x", "\\u00")

    response = anonymous.post(URL, data=text, content_type="application/json")

    assert named(response) == ["/password"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "no-address"),
        ("email", ""),
        ("email", "a@" + "b" * 260 + ".example"),
        ("email", 5),
        ("email", None),
        ("name", "   "),
        ("name", "n" * 201),
        ("name", "a\x00b"),
        ("role", "admin"),
        ("is_active", True),
        ("id", 7),
    ],
)
def test_names_each_bad_or_foreign_field(anonymous: Client, field: str, value: object) -> None:
    assert named(anonymous.post(URL, json={**DORA, field: value})) == [f"/{field}"]


def test_names_every_missing_field(anonymous: Client) -> None:
    assert sorted(named(anonymous.post(URL, json={}))) == ["/email", "/name", "/password"]


def test_can_be_closed(fresh_environment: dict[str, str]) -> None:
    with servers.gunicorn(**fresh_environment, REGISTRATION="closed") as base:
        status, _, problem = servers.ask(f"{base}{URL}", DORA)

    assert (status, problem["code"]) == (403, "registration-closed")


def test_a_password_made_of_the_services_host_is_guessable(
    anonymous: Client, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(app.extensions["taskapp"], trusted_hosts=("localhost", "gardenplan.example"))
    monkeypatch.setitem(app.extensions, "taskapp", settings)
    body = {"email": "erin@example.com", "password": "gardenplan12", "name": "Erin"}

    assert named(anonymous.post("/api/v1/auth/register", json=body)) == ["/password"]
