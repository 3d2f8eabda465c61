"""POST /api/v1/auth/login under attack: slowed, the same for all, and the owner gets in"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests import servers
from tests.calls import codes_of

OWNER = {"email": "owner@example.com", "password": "seven mossy lanterns"}
WRONG = "a wrong but long password"


@pytest.fixture(params=["file", "redis"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """A service with three workers behind a proxy that says where each request is from."""
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "WEB_CONCURRENCY": "3", "TRUSTED_PROXIES": "1"}
    if request.param == "redis":
        variables["REDIS_URL"] = request.getfixturevalue("redis_url")
        Redis.from_url(variables["REDIS_URL"]).flushdb()
    servers.migrate(**variables)
    variables["RATELIMIT_DEFAULT"] = "10000 per minute"
    return variables


def sign_in(base: str, address: str, **changes: str) -> tuple[int, Any]:
    url, body = f"{base}/api/v1/auth/login", {**OWNER, **changes}
    status, headers, answer = servers.ask(url, body, X_Forwarded_For=address)
    if status == 429:
        assert 0 < int(headers["Retry-After"]) <= 600
        answer = {**answer, "request_id": ""}
    return status, answer


def tries(base: str, address: str, times: int, **changes: str) -> list[int]:
    changes = {"password": WRONG, **changes}
    return [sign_in(base, address, **changes)[0] for _ in range(times)]


def test_failures_are_slowed_for_everybody_alike_and_a_restart_forgets_none(
    environment: dict[str, str],
) -> None:
    with servers.gunicorn(**environment) as base:
        servers.ask(f"{base}/api/v1/auth/register", {**OWNER, "name": "Owner"})
        assert tries(base, "192.0.2.1", 10) == [401] * 10
        assert tries(base, "192.0.2.2", 10, email="nobody@example.com") == [401] * 10

    with servers.gunicorn(**environment) as base:
        known = sign_in(base, "192.0.2.1")
        unknown = sign_in(base, "192.0.2.2", email="Nobody@Example.com")
        assert known == unknown
        assert known[0] == 429
        assert known[1]["code"] == "rate-limited"
        assert sign_in(base, "192.0.2.3")[0] == 200
        assert sign_in(base, "192.0.2.1", email="other@example.com")[0] == 401


def test_success_does_not_count_and_neither_does_a_refusal(environment: dict[str, str]) -> None:
    with servers.gunicorn(**environment) as base:
        servers.ask(f"{base}/api/v1/auth/register", {**OWNER, "name": "Owner"})
        assert [sign_in(base, "192.0.2.1")[0] for _ in range(12)] == [200] * 12
        assert tries(base, "192.0.2.1", 10) == [401] * 10


def test_the_owner_gets_in_from_a_known_address_while_others_guess(
    environment: dict[str, str],
) -> None:
    home, others = "2001:db8:1:2::1", [f"198.51.100.{n}" for n in range(1, 7)]
    with servers.gunicorn(**environment) as base:
        servers.ask(f"{base}/api/v1/auth/register", {**OWNER, "name": "Owner"})
        assert sign_in(base, home)[0] == 200
        statuses = [status for address in others for status in tries(base, address, 10)]

        assert statuses == [401] * 50 + [429] * 10
        assert sign_in(base, "203.0.113.9")[0] == 429
        assert sign_in(base, "2001:db8:1:2:ffff::7")[0] == 200  # the same /64
        assert tries(base, home, 2) == [401, 401]
        assert sign_in(base, home)[0] == 200


def test_one_address_cannot_go_through_many_accounts(environment: dict[str, str]) -> None:
    with servers.gunicorn(**environment) as base:
        statuses = [
            status
            for n in range(7)
            for status in tries(base, f"2001:db8::{n}", 9, email=f"victim{n}@example.com")
        ]

    assert statuses == [401] * 60 + [429] * 3


def test_whoever_holds_a_session_guesses_its_password_ten_times(
    environment: dict[str, str],
) -> None:
    with servers.gunicorn(**environment) as base:
        servers.ask(f"{base}/api/v1/auth/register", {**OWNER, "name": "Owner"})
        token = sign_in(base, "192.0.2.1")[1]["access_token"]
        wrong = {"current_password": WRONG, "new_password": "eleven quiet harbours"}
        url = f"{base}/api/v1/auth/password"
        guesses = [servers.ask(url, wrong, token=token) for _ in range(12)]
        right = servers.ask(url, {**wrong, "current_password": OWNER["password"]}, token=token)

        assert [status for status, *_ in guesses] == [401] * 10 + [429] * 2
        assert right[0] == 429
        assert sign_in(base, "192.0.2.1")[0] == 200


def test_codes_are_slowed_whichever_ticket_they_come_with(environment: dict[str, str]) -> None:
    home, proof = "192.0.2.1", {"current_password": OWNER["password"]}
    with servers.gunicorn(**environment) as base:
        servers.ask(f"{base}/api/v1/auth/register", {**OWNER, "name": "Owner"})
        token = sign_in(base, home)[1]["access_token"]
        seed = servers.ask(f"{base}/api/v1/auth/totp", proof, token=token)[2]["secret"]
        next_code = codes_of(seed)
        servers.ask(f"{base}/api/v1/auth/totp/confirm", {"code": next_code()}, token=token)

        def enter(address: str, code: str) -> int:
            ticket = sign_in(base, address)[1]["ticket"]
            body = {"ticket": ticket, "code": code}
            url = f"{base}/api/v1/auth/login/totp"
            return int(servers.ask(url, body, X_Forwarded_For=address)[0])

        others = [f"198.51.100.{n}" for n in range(1, 4)]
        guesses = [[enter(address, "nothing") for _ in range(11)] for address in others]

        assert guesses == [[401] * 10 + [429]] * 2 + [[429] * 11]
        assert enter("203.0.113.9", next_code()) == 429
        assert enter(home, next_code()) == 200
