"""POST /api/v1/auth/login, and what credentials are worth afterwards"""

from __future__ import annotations

import base64
import json
import logging
import statistics
import time
from typing import Any

import jwt
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from config import Settings
from taskapp.extensions import db
from tests.conftest import PASSWORD, Client, Json, named, refused

URL = "/api/v1/auth/login"
ALICE: Json = {"email": "alice@example.com", "password": PASSWORD}


def settings_of(client: Client) -> Settings:
    made_with: Settings = client.application.extensions["taskapp"]
    return made_with


def pair_of(client: Client, **changes: str) -> Json:
    response = client.post(URL, json={**ALICE, **changes})
    assert response.status_code == 200
    return dict(response.get_json())


def test_gives_two_tokens(anonymous: Client) -> None:
    response = anonymous.post(URL, json={**ALICE, "email": "Alice@Example.Com"})
    pair = response.get_json()

    assert response.status_code == 200
    assert pair.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 600 * 60)
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "wrong", [{"email": "nobody@example.com"}, {"password": "seven mossy lantern"}]
)
def test_says_the_same_whatever_was_wrong(anonymous: Client, wrong: Json) -> None:
    response = anonymous.post(URL, json={**ALICE, **wrong})
    problem = response.get_json()

    assert refused(response) == (401, "wrong-credentials")
    assert problem["detail"] == "The e-mail address and the password do not belong together."
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_disabled_user_is_told_nothing_more(admin: Client, anonymous: Client) -> None:
    bob = next(user for user in admin.get("/api/v1/users?q=bob@").get_json()["items"])  # by address
    admin.patch(f"/api/v1/users/{bob['id']}", json={"is_active": False})

    assert refused(anonymous.post(URL, json={**ALICE, "email": bob["email"]})) == (
        401,
        "wrong-credentials",
    )


def test_names_what_is_missing(anonymous: Client) -> None:
    assert sorted(named(anonymous.post(URL, json={}))) == ["/email", "/password"]


def test_stores_argon2id_and_no_secret_in_clear(anonymous: Client, app: Any) -> None:
    pair = pair_of(anonymous)
    with app.app_context(), db.engine.connect() as connection:
        names = set(sa.inspect(connection).get_table_names())
        names.discard("task_words")  # of SQLite: it keeps no text, and cannot be read
        tables = [sa.select(sa.text("*")).select_from(sa.table(name)) for name in names]
        dump = "".join(repr(connection.execute(table).all()) for table in tables)

    assert "$argon2id$v=19$m=19456,t=2,p=1$" in dump
    assert PASSWORD not in dump
    assert pair["access_token"] not in dump
    assert pair["refresh_token"] not in dump


def test_a_hash_of_older_parameters_is_renewed_at_the_next_sign_in(
    anonymous: Client, app: Any
) -> None:
    older = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE users SET password_hash = :older"), {"older": older})

    assert anonymous.post(URL, json={**ALICE, "password": "another one"}).status_code == 401
    assert hash_of_alice(app) == older
    pair_of(anonymous)
    renewed = hash_of_alice(app)
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    pair_of(anonymous)
    assert hash_of_alice(app) == renewed


def hash_of_alice(app: Any) -> str:
    select = sa.text("SELECT password_hash FROM users WHERE email_key = :email")
    with app.app_context(), db.engine.begin() as connection:
        return str(connection.scalar(select, {"email": ALICE["email"]}))


def test_logs_no_secret(anonymous: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    pair = pair_of(anonymous)
    anonymous.post(URL, json={**ALICE, "password": "a wrong but secret one"})
    anonymous.as_token(pair["access_token"]).get("/api/v1/tasks")

    for secret in (PASSWORD, "a wrong but secret one", *list(pair.values())[:2]):
        assert str(secret) not in caplog.text


def test_tells_what_the_credential_is(anonymous: Client, admin: Client) -> None:
    alice = anonymous.as_token(pair_of(anonymous)["access_token"])
    mine = alice.get("/api/v1/auth/token").get_json()

    assert (mine["kind"], mine["scopes"]) == ("session", ["read", "write"])
    assert mine["user_id"] == alice.get("/api/v1/users/me").get_json()["id"]
    assert mine["expires_at"].endswith("Z")
    assert admin.get("/api/v1/auth/token").get_json()["scopes"] == ["admin", "read", "write"]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "unauthorized"),
        ("", "unauthorized"),
        (
            "Basic " + base64.b64encode(b"alice@example.com:seven mossy lanterns").decode(),
            "unauthorized",
        ),
        ("Basic é", "unauthorized"),
        ("Basic a", "unauthorized"),
        ("Basic /w==", "unauthorized"),
        ("Bearer", "invalid-token"),
        ("Bearer a b", "invalid-token"),
        ("Bearer garbage", "invalid-token"),
        ("Bearer " + "x" * 5000, "invalid-token"),
        ("Bearer é.ü.ö", "invalid-token"),
        ("Token abc", "unauthorized"),
    ],
)
def test_refuses_what_is_no_token(anonymous: Client, header: str | None, code: str) -> None:
    headers = {} if header is None else {"Authorization": header.encode().decode("latin-1")}
    response = anonymous.get("/api/v1/tasks", headers=headers)

    assert refused(response) == (401, code)
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="taskapp"')
    assert ("error=" in challenge) == (code != "unauthorized")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_compares_the_scheme_without_case(anonymous: Client, scheme: str) -> None:
    token = pair_of(anonymous)["access_token"]
    response = anonymous.get("/api/v1/tasks", headers={"Authorization": f"{scheme} {token}"})

    assert response.status_code == 200


def forged(token: str, key: str, drop: str = "", algorithm: str = "HS256", **claims: Any) -> str:
    """The same token with other claims, signed with a key."""
    payload = jwt.decode(token, options={"verify_signature": False})
    payload.update(claims)
    payload.pop(drop, None)
    return jwt.encode(payload, key, algorithm)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"drop": "exp"}, "invalid-token"),
        ({"drop": "jti"}, "invalid-token"),
        ({"drop": "sid"}, "invalid-token"),
        ({"drop": "sub"}, "invalid-token"),
        ({"drop": "aud"}, "invalid-token"),
        ({"drop": "iss"}, "invalid-token"),
        ({"aud": "elsewhere"}, "invalid-token"),
        ({"iss": "elsewhere"}, "invalid-token"),
        ({"type": "refresh"}, "invalid-token"),
        ({"sub": "1" + "0" * 30}, "invalid-token"),
        ({"sub": "-1"}, "token-revoked"),
        ({"sub": "007"}, "invalid-token"),
        ({"sid": 7}, "invalid-token"),
        ({"algorithm": "HS384"}, "invalid-token"),
        ({"exp": 1}, "token-expired"),
        ({"exp": "soon"}, "invalid-token"),
        ({"nbf": 32503680000}, "invalid-token"),
        ({"iat": 32503680000}, "invalid-token"),
        ({"exp": int(time.time()) - 5}, "token-expired"),
        ({"sid": "999999"}, "token-revoked"),
        ({"sub": "999999"}, "token-revoked"),
    ],
)
def test_checks_every_claim(anonymous: Client, changes: Json, code: str) -> None:
    token = pair_of(anonymous)["access_token"]
    key = settings_of(anonymous).secret_key
    drop = changes.get("drop", "")
    others = {name: value for name, value in changes.items() if name != "drop"}

    response = anonymous.as_token(forged(token, key, drop, **others)).get("/api/v1/tasks")

    assert refused(response) == (401, code)


def test_a_clock_that_was_put_right_ends_no_session(anonymous: Client) -> None:
    """Nor one that goes after another's: the token then comes from a moment ahead."""
    token, soon = pair_of(anonymous)["access_token"], int(time.time()) + 20
    ahead = forged(token, settings_of(anonymous).secret_key, iat=soon, nbf=soon)

    assert anonymous.as_token(ahead).get("/api/v1/tasks").status_code == 200


def test_refuses_another_key_and_no_signature(anonymous: Client) -> None:
    token = pair_of(anonymous)["access_token"]
    body = token.split(".")[1]
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode()

    for bad in (forged(token, "k" * 40), f"{none.rstrip('=')}.{body}.", token[:-3] + "abc"):
        response = anonymous.as_token(bad).get("/api/v1/tasks")
        assert refused(response) == (401, "invalid-token")


def test_a_token_ends_with_its_time_although_it_was_seen_before(anonymous: Client) -> None:
    token = pair_of(anonymous)["access_token"]
    soon = forged(token, settings_of(anonymous).secret_key, exp=int(time.time()) + 2)
    client = anonymous.as_token(soon)

    assert client.get("/api/v1/tasks").status_code == 200
    time.sleep(2.1)
    assert refused(client.get("/api/v1/tasks")) == (401, "token-expired")


def test_unknown_users_cost_the_same(app: Any, anonymous: Client) -> None:
    """Medians of the worker's own time, each pair measured side by side: one may not tell."""

    def cost(email: str) -> float:
        began = time.process_time()
        body = {"email": email, "password": "eleven quiet harbours"}
        assert anonymous.post(URL, json=body).status_code == 401
        return time.process_time() - began

    pairs = [(cost(f"alice@{n}.example"), cost("alice@example.com")) for n in range(9)]
    unknown, known = (statistics.median(costs) for costs in zip(*pairs, strict=True))

    assert 0.7 < unknown / known < 1.4
