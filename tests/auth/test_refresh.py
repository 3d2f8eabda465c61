"""POST /api/v1/auth/refresh"""

from __future__ import annotations

import dataclasses
import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.database.session import now
from taskapp.extensions import db
from tests.auth.test_login import pair_of
from tests.conftest import Client, named, refused

URL = "/api/v1/auth/refresh"


def change_sessions(app: Flask, **values: Any) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.update(db.metadata.tables["sessions"]).values(values))


def test_swaps_the_pair_for_a_new_one(anonymous: Client) -> None:
    pair = pair_of(anonymous)
    response = anonymous.post(URL, json={"refresh_token": pair["refresh_token"]})
    fresh = response.get_json()

    assert response.status_code == 200
    assert fresh["refresh_token"] != pair["refresh_token"]
    assert anonymous.as_token(fresh["access_token"]).get("/api/v1/tasks").status_code == 200
    again = anonymous.post(URL, json={"refresh_token": fresh["refresh_token"]})
    assert again.status_code == 200


def test_the_same_token_has_the_same_successor_for_a_moment(anonymous: Client) -> None:
    token = pair_of(anonymous)["refresh_token"]
    answers = [anonymous.post(URL, json={"refresh_token": token}).get_json() for _ in range(3)]

    for name in ("access_token", "refresh_token"):
        assert len({answer[name] for answer in answers}) == 1
    client = anonymous.as_token(answers[0]["access_token"])
    assert client.get("/api/v1/tasks").status_code == 200


def test_reuse_after_its_successor_was_used_ends_the_whole_session(anonymous: Client) -> None:
    pair = pair_of(anonymous)
    second = anonymous.post(URL, json={"refresh_token": pair["refresh_token"]}).get_json()
    third = anonymous.post(URL, json={"refresh_token": second["refresh_token"]}).get_json()

    reused = anonymous.post(URL, json={"refresh_token": pair["refresh_token"]})

    assert refused(reused) == (401, "token-reused")
    client = anonymous.as_token(third["access_token"])
    assert refused(client.get("/api/v1/tasks")) == (401, "token-revoked")
    ended = anonymous.post(URL, json={"refresh_token": third["refresh_token"]})
    assert refused(ended) == (401, "token-revoked")


def test_reuse_after_half_a_minute_ends_the_whole_session(anonymous: Client, app: Flask) -> None:
    pair = pair_of(anonymous)
    fresh = anonymous.post(URL, json={"refresh_token": pair["refresh_token"]}).get_json()
    half_a_minute_ago = now() - dt.timedelta(seconds=31)
    change_sessions(app, last_used_at=half_a_minute_ago)

    reused = anonymous.post(URL, json={"refresh_token": pair["refresh_token"]})

    assert refused(reused) == (401, "token-reused")
    client = anonymous.as_token(fresh["access_token"])
    assert refused(client.get("/api/v1/tasks")) == (401, "token-revoked")


def test_leaves_other_sessions_alone(anonymous: Client, alice: Client) -> None:
    pair = pair_of(anonymous)
    second = anonymous.post(URL, json={"refresh_token": pair["refresh_token"]}).get_json()
    for token in (second["refresh_token"], pair["refresh_token"]):
        anonymous.post(URL, json={"refresh_token": token})

    assert alice.get("/api/v1/tasks").status_code == 200


def test_many_at_once_get_the_same_successor(anonymous: Client) -> None:
    token = pair_of(anonymous)["refresh_token"]

    def swap(_: int) -> str:
        client = anonymous.application.test_client()
        return str(client.post(URL, json={"refresh_token": token}).get_json()["refresh_token"])

    with ThreadPoolExecutor(8) as pool:
        successors = set(pool.map(swap, range(20)))

    assert len(successors) == 1


def test_a_session_whose_id_comes_again_is_another_one(
    anonymous: Client, alice: Client, app: Flask
) -> None:
    """As after a restore, which may give ids a second time."""
    pair = pair_of(anonymous)
    client = anonymous.as_token(pair["access_token"])
    assert client.get("/api/v1/tasks").status_code == 200
    change_sessions(app, nonce="of another session")

    assert refused(client.get("/api/v1/tasks")) == (401, "token-revoked")
    response = anonymous.post(URL, json={"refresh_token": pair["refresh_token"]})
    assert refused(response) == (401, "token-revoked")
    with app.app_context(), db.engine.connect() as connection:
        ended = connection.scalars(sa.select(db.metadata.tables["sessions"].c.ended_at)).all()
    assert set(ended) == {None}


@pytest.mark.parametrize("changes", [{"type": None}, {"type": "refresh"}, {"exp": None}])
def test_a_token_without_its_type_or_its_end_is_refused(
    anonymous: Client, app: Flask, changes: dict[str, Any]
) -> None:
    token = pair_of(anonymous)["access_token"]
    key = app.config["JWT_SECRET_KEY"]
    claims = jwt.decode(token, options={"verify_signature": False})
    headers = jwt.get_unverified_header(token)
    forged = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    same = jwt.encode(claims, key, "HS256", headers=headers)
    client = anonymous.as_token(jwt.encode(forged, key, "HS256", headers=headers))

    assert anonymous.as_token(same).get("/api/v1/tasks").status_code == 200
    assert refused(client.get("/api/v1/tasks")) == (401, "invalid-token")


def test_each_token_is_good_for_one_purpose(anonymous: Client) -> None:
    pair = pair_of(anonymous)

    as_refresh = anonymous.post(URL, json={"refresh_token": pair["access_token"]})
    as_access = anonymous.as_token(pair["refresh_token"]).get("/api/v1/tasks")

    assert refused(as_refresh) == (401, "invalid-token")
    assert refused(as_access) == (401, "invalid-token")


def test_a_disabled_user_gets_no_new_pair(anonymous: Client, admin: Client, alice: Client) -> None:
    pair = pair_of(anonymous)
    admin.patch(f"/api/v1/users/{alice.user['id']}", json={"is_active": False})

    response = anonymous.post(URL, json={"refresh_token": pair["refresh_token"]})

    assert refused(response) == (401, "token-revoked")


def test_refuses_garbage(anonymous: Client) -> None:
    assert refused(anonymous.post(URL, json={"refresh_token": "x"})) == (401, "invalid-token")
    assert named(anonymous.post(URL, json={"refresh_token": ""})) == ["/refresh_token"]
    assert named(anonymous.post(URL, json={"refresh_token": 5})) == ["/refresh_token"]


def lasting(app: Flask, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    settings = dataclasses.replace(app.extensions["taskapp"], session_max_days=days)
    monkeypatch.setitem(app.extensions, "taskapp", settings)


def expiry_of(token: str) -> dt.datetime:
    claims = jwt.decode(token, options={"verify_signature": False})
    return dt.datetime.fromtimestamp(claims["exp"], dt.UTC)


def test_a_session_in_use_ends_after_its_longest_time(
    app: Flask, anonymous: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasting(app, monkeypatch, 40)
    pair = pair_of(anonymous)
    began = now() - dt.timedelta(days=39, hours=23, minutes=58)
    change_sessions(app, created_at=began)

    fresh = anonymous.post(URL, json={"refresh_token": pair["refresh_token"]}).get_json()

    ends = began + dt.timedelta(days=40)
    for name in ("access_token", "refresh_token"):
        assert abs(expiry_of(fresh[name]) - ends) < dt.timedelta(seconds=1)
    assert fresh["expires_in"] <= 120
    listed = anonymous.as_token(fresh["access_token"]).get("/api/v1/auth/sessions").get_json()
    (current,) = [session for session in listed["items"] if session["current"]]
    assert current["expires_at"][:19] == f"{ends:%Y-%m-%dT%H:%M:%S}"


def test_a_session_that_lasted_too_long_is_refreshed_no_more(
    app: Flask, anonymous: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = pair_of(anonymous)["refresh_token"]
    change_sessions(app, created_at=now() - dt.timedelta(days=366))

    assert refused(anonymous.post(URL, json={"refresh_token": token})) == (401, "token-expired")
    lasting(app, monkeypatch, 367)
    assert anonymous.post(URL, json={"refresh_token": token}).status_code == 200


def test_a_sign_in_lasts_no_longer_than_the_longest_session(
    app: Flask, anonymous: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasting(app, monkeypatch, 1)

    ends = expiry_of(pair_of(anonymous)["refresh_token"])

    assert ends - now() <= dt.timedelta(days=1)
