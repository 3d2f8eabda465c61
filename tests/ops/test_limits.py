"""Limits: who is counted, by how many workers, and what a client is told"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import upgrade

import config
from taskapp import create_app
from taskapp.database.counters import CountersFile
from taskapp.extensions import limiter
from taskapp.web.rate_limits import UNLIMITED
from tests import servers
from tests.conftest import PASSWORD, Client, Json, refused
from tests.document import Document
from tests.ops.conftest import LIMIT

URL = "/api/v1/tasks"
MakeClient = Callable[..., Client]
POLICY = f'"default";q={LIMIT};w=60, "address";q=3000;w=60'


@pytest.fixture
def limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeClient]:
    """Makes clients of apps of their own that have limits; all apps share the limiter."""
    apps = []
    for name, value in vars(limiter).items():
        monkeypatch.setattr(limiter, name, value)

    def make(**variables: str) -> Client:
        app = create_app(config.load({"TASKAPP_INSTANCE": str(tmp_path), **variables}))
        apps.append(app)
        app.test_client_class = Client
        with app.app_context():
            upgrade()
        Client.document = Document(app)
        client = app.test_client()
        assert isinstance(client, Client)
        return client

    yield make
    for app in apps:
        servers.close(app)


def call(base: str, address: str, token: str = "", path: str = URL) -> tuple[int, Any, Any]:
    return servers.ask(base + path, token=token, X_Forwarded_For=address)


def left(headers: Any) -> int:
    """How many requests the client is told it has."""
    found = re.match(r'"default";r=(\d+);t=(\d+), "address";r=', headers["RateLimit"])
    assert found
    assert 1 <= int(found[2]) <= 60
    return int(found[1])


def test_says_what_is_left_also_to_refused_credentials(behind_a_proxy: str, address: str) -> None:
    for token, code in (("", "unauthorized"), ("garbage", "invalid-token"), ("tsk_x", None)):
        status, headers, problem = call(behind_a_proxy, address, token)
        assert (status, headers["RateLimit-Policy"]) == (401, POLICY)
        assert code in (None, problem["code"])
    assert left(headers) == LIMIT - 3


def test_two_workers_hold_one_limit(behind_a_proxy: str, address: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: call(behind_a_proxy, address), range(LIMIT + 5)))

    assert sorted(status for status, *_ in answers) == [401] * LIMIT + [429] * 5
    _, headers, problem = next(answer for answer in answers if answer[0] == 429)
    assert problem["code"] == "rate-limited"
    assert 1 <= int(headers["Retry-After"]) <= 60
    assert (headers["RateLimit-Policy"], left(headers)) == (POLICY, 0)
    assert call(behind_a_proxy, "203.0.113.77")[0] == 401


def test_the_last_proxy_says_who_is_calling(behind_a_proxy: str, address: str) -> None:
    for number in range(3):
        answer = call(behind_a_proxy, f"203.0.113.{number}, {address}")

    assert left(answer[1]) == LIMIT - 3


def test_counts_ipv6_by_64_bits(behind_a_proxy: str, address: str) -> None:
    block = "2001:db8:1:" + address.rpartition(".")[2]
    for host in ("::1", "::2", ":ffff:ffff:ffff:ffff"):
        headers = call(behind_a_proxy, block + host)[1]

    assert left(headers) == LIMIT - 3
    assert left(call(behind_a_proxy, f"{block}9::1")[1]) == LIMIT - 1


def test_counts_by_user_where_there_is_one(behind_a_proxy: str, address: str) -> None:
    emails = (f"{who}-{address}@example.com" for who in ("alice", "bob"))
    alice, bob = (
        servers.sign_up(behind_a_proxy, email, X_Forwarded_For=address) for email in emails
    )

    seen = [left(call(behind_a_proxy, f"203.0.113.{n}", alice)[1]) for n in range(3)]

    assert seen == [LIMIT - 1, LIMIT - 2, LIMIT - 3]
    assert left(call(behind_a_proxy, address, bob)[1]) == LIMIT - 1
    assert left(call(behind_a_proxy, address)[1]) == LIMIT - 5  # two registered and signed in


def test_signing_in_has_a_limit_of_its_own_beside(behind_a_proxy: str, address: str) -> None:
    _, headers, _ = servers.ask(f"{behind_a_proxy}/api/v1/auth/login", {}, X_Forwarded_For=address)

    default, address = POLICY.split(", ")
    assert headers["RateLimit-Policy"] == f'{default}, "login";q=60;w=60, {address}'
    assert re.match(r'"default";r=9;t=\d+, "login";r=59;t=\d+, "address"', headers["RateLimit"])


def test_an_address_has_a_wider_limit_whoever_calls_from_it(limited: MakeClient) -> None:
    client = limited(RATELIMIT_ADDRESS="3 per minute")
    token = sign_up(client)

    first, second = (client.get(URL, headers=token) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 429)
    assert refused(second) == (429, "rate-limited")
    assert second.headers["RateLimit-Policy"] == (
        '"address";q=3;w=60, "default";q=300;w=60'  # the tightest first
    )
    assert 1 <= int(second.headers["Retry-After"]) <= 60
    elsewhere = client.get(URL, headers=token, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert elsewhere.status_code == 200


def test_several_rates_all_count_and_each_is_named(limited: MakeClient) -> None:
    rates = "100 per hour;2 per minute"
    client = limited(RATELIMIT_DEFAULT=rates)

    answers = [client.get(URL) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert answers[0].headers["RateLimit-Policy"] == (
        '"default-2";q=2;w=60, "default";q=100;w=3600, "address";q=3000;w=60'
    )
    assert answers[0].headers["RateLimit"].startswith('"default-2";r=1;t=')


def test_an_address_registers_thirty_accounts_an_hour(limited: MakeClient) -> None:
    client = limited()
    statuses = [client.post("/api/v1/auth/register", json={}).status_code for _ in range(31)]
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}

    assert statuses == [422] * 30 + [429]
    response = client.post("/api/v1/auth/register", json={}, environ_base=elsewhere)
    assert '"register";q=30;w=3600' in response.headers["RateLimit-Policy"]
    assert response.status_code == 422


def sign_up(client: Client) -> Json:
    body = {"email": "dora@example.com", "password": PASSWORD, "name": "Dora"}
    assert client.post("/api/v1/auth/register", json=body).status_code == 201
    del body["name"]
    pair = client.post("/api/v1/auth/login", json=body).get_json()
    return {"Authorization": f"Bearer {pair['access_token']}"}


def test_probes_are_exempt(behind_a_proxy: str, address: str) -> None:
    for path in ("/health", "/health/ready", "/health/startup"):
        for _ in range(LIMIT + 1):
            status, headers, _ = call(behind_a_proxy, address, path=path)
            assert (status, "RateLimit" in headers) == (200, False)


@pytest.mark.parametrize("path", ["/", "/problems", "/problems/conflict", "/openapi.json"])
def test_explanations_have_the_limit_of_all(behind_a_proxy: str, address: str, path: str) -> None:
    for used in range(1, LIMIT + 1):
        status, headers, _ = call(behind_a_proxy, address, path=path)
        assert (status, left(headers)) == (200, LIMIT - used)

    status, headers, problem = call(behind_a_proxy, address, path=path)
    assert (status, problem["code"]) == (429, "rate-limited")
    assert int(headers["Retry-After"]) >= 1


def test_each_route_has_a_limit_or_stands_among_those_without(limited: MakeClient) -> None:
    """Whatever is asked, by any method, counts: refused, unknown and not allowed as well."""
    client = limited(RATELIMIT_DEFAULT="100000 per minute")
    rules = list(client.application.url_map.iter_rules())
    without = set()
    for rule in rules:
        url = re.sub("<[^>]+>", "1", rule.rule)
        for method in {*(rule.methods or ()), "GET", "POST", "DELETE", "TRACE"}:
            response = client.open(url, method=method)
            if "RateLimit" not in response.headers and response.status_code != 405:
                without.add(rule.endpoint)

    assert without == UNLIMITED
    assert {rule.endpoint for rule in rules} >= UNLIMITED
    for url, method in (("/nothing", "GET"), (URL, "PUT"), ("/api/v1/tasks/01", "GET")):
        assert "RateLimit" in client.open(url, method=method).headers


def test_counters_past_their_time_go_when_a_worker_opens_their_file(tmp_path: Path) -> None:
    first, second = (CountersFile(tmp_path / "counters.db") for _ in range(2))
    first.add("over", 1, 0)
    first.add("under way", 1, 60)

    assert second.sweep() == 0  # it was gone already
    assert second.get("under way")[0] == 1
    for file in (first, second):
        file.connection.close()


def test_of_all_hooks_only_ours_run(limited: MakeClient) -> None:
    app = limited().application

    tables = (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs)
    hooks = [hook for table in tables for hook in table[None]]
    assert [f"{hook.__module__.rpartition('.')[2]}.{hook.__name__}" for hook in hooks] == [
        *("hooks.enter", "hooks.leave", "hooks.end")
    ]


def test_a_clock_that_is_put_back_keeps_nobody_out(tmp_path: Path) -> None:
    file = CountersFile(tmp_path / "counters.db")
    assert file.add("tries", 1, 60)[0] == 1
    assert file.add("tries", 1, 60)[0] == 2
    file.connection.execute("UPDATE counters SET expires = expires + 3600")

    count, ends = file.add("tries", 1, 60)
    assert (count, ends - time.time() <= 60) == (1, True)
    file.connection.close()


@pytest.mark.parametrize("fast", ["1", "0"])
def test_requests_count_in_a_table_and_sign_ins_in_the_file_that_lasts(
    tmp_path: Path, fast: str
) -> None:
    """By FAST=0 everything counts in the file."""
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "FAST": fast}
    servers.migrate(**variables)
    wrong = {"email": "a@example.com", "password": "wrong but long enough"}
    with servers.gunicorn(**variables) as base:
        assert servers.ask(f"{base}/api/v1/auth/login", wrong)[0] == 401

    with closing(sqlite3.connect(tmp_path / "counters.db")) as file:
        keys = [key for (key,) in file.execute("SELECT key FROM counters")]
    of_requests = {key for key in keys if key.endswith(("/300/1/minute", "/3000/1/minute"))}
    assert len(keys) - len(of_requests) >= 2
    assert len(of_requests) == (0 if fast == "1" else 2)
    assert (tmp_path / "counters.table").exists() == (fast == "1")
