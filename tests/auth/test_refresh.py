"""POST /api/v1/auth/refresh"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.auth.test_login import pair_of
from tests.conftest import Client, named, refused

URL = "/api/v1/auth/refresh"


def test_swaps_the_pair_for_a_new_one(anonymous: Client) -> None:
    pair = pair_of(anonymous)
    response = anonymous.post(URL, json={"refresh_token": pair["refresh_token"]})
    fresh = response.get_json()

    assert response.status_code == 200
    assert fresh["refresh_token"] != pair["refresh_token"]
    assert anonymous.as_token(fresh["access_token"]).get("/api/v1/tasks").status_code == 200
    again = anonymous.post(URL, json={"refresh_token": fresh["refresh_token"]})
    assert again.status_code == 200


def test_reuse_ends_the_whole_session(anonymous: Client) -> None:
    pair = pair_of(anonymous)
    fresh = anonymous.post(URL, json={"refresh_token": pair["refresh_token"]}).get_json()

    reused = anonymous.post(URL, json={"refresh_token": pair["refresh_token"]})

    assert refused(reused) == (401, "token-reused")
    client = anonymous.as_token(fresh["access_token"])
    assert refused(client.get("/api/v1/tasks")) == (401, "token-revoked")
    ended = anonymous.post(URL, json={"refresh_token": fresh["refresh_token"]})
    assert refused(ended) == (401, "token-revoked")


def test_leaves_other_sessions_alone(anonymous: Client, alice: Client) -> None:
    pair = pair_of(anonymous)
    for _ in range(2):
        anonymous.post(URL, json={"refresh_token": pair["refresh_token"]})

    assert alice.get("/api/v1/tasks").status_code == 200


def test_has_one_winner_among_many_at_once(anonymous: Client) -> None:
    token = pair_of(anonymous)["refresh_token"]

    def swap(_: int) -> int:
        client = anonymous.application.test_client()
        return client.post(URL, json={"refresh_token": token}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(swap, range(20)))

    assert statuses == [200] + [401] * 19


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
