"""Behind proxies and below a path: who is calling, and where the client sees the service"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_migrate import upgrade
from werkzeug.test import create_environ, run_wsgi_app

import config
from taskapp import create_app
from taskapp.extensions import db
from tests import servers
from tests.conftest import PASSWORD, refused

Serve = Callable[..., FlaskClient]
TASKS = "/api/v1/tasks"
PROXIED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "tasks.example.com",
    "X-Forwarded-Prefix": "/team/tasks",
}
BASE = "https://tasks.example.com/team/tasks"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Makes a service with settings of its own."""
    apps = []

    def make(**variables: str) -> FlaskClient:
        # The apps of a process share the limiter: with limits here, the others would have them.
        environment = {"TASKAPP_INSTANCE": str(tmp_path), "RATELIMIT_ENABLED": "false"}
        app = create_app(config.load({**environment, **variables}))
        apps.append(app)
        with app.app_context():
            upgrade()
        return app.test_client(use_cookies=False)

    yield make
    for app in apps:
        servers.close(app)


def sign_up(client: FlaskClient, email: str = "alice@example.com") -> dict[str, str]:
    account = {"email": email, "password": PASSWORD, "name": "Alice"}
    client.post("/api/v1/auth/register", json=account)
    del account["name"]
    pair = client.post("/api/v1/auth/login", json=account).get_json()
    return {"Authorization": f"Bearer {pair['access_token']}"}


def address_of_sign_in(client: FlaskClient, forwarded_for: str) -> str:
    """The address that a sign-in was seen from."""
    account = {"email": "alice@example.com", "password": PASSWORD}
    headers = {"X-Forwarded-For": forwarded_for}
    client.post("/api/v1/auth/login", json=account, headers=headers)
    with client.application.app_context(), db.engine.connect() as connection:
        newest = "SELECT address FROM sessions ORDER BY id DESC LIMIT 1"
        return str(connection.exec_driver_sql(newest).scalar_one())


@pytest.mark.parametrize(
    ("hops", "sent", "seen"),
    [
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "203.0.113.7:51234", "203.0.113.7"),
        (1, "[2001:db8::1]:443", "2001:db8::/64"),
        (1, '"[2001:db8::1]:443"', "2001:db8::/64"),
        (1, "[2001:db8::1]", "2001:db8::/64"),
        (1, "2001:DB8::1", "2001:db8::/64"),
        (1, "::ffff:203.0.113.7", "203.0.113.7"),
        (1, "[::ffff:203.0.113.7]:80", "203.0.113.7"),
        (1, "fe80::1%eth0", "fe80::/64"),
        (1, "unknown", "127.0.0.1"),
        (1, "_hidden", "127.0.0.1"),
        (1, "", "127.0.0.1"),
        (1, " , ", "127.0.0.1"),
        (1, '"', "127.0.0.1"),
        (1, "192.0.2.1, 203.0.113.7", "203.0.113.7"),
        (2, "192.0.2.1, 203.0.113.7:80, 10.0.0.1", "203.0.113.7"),
        (2, "192.0.2.1, unknown, 10.0.0.1", "10.0.0.1"),
        (0, "203.0.113.7", "127.0.0.1"),
    ],
)
def test_the_client_is_whom_the_trusted_proxy_saw(
    serve: Serve, hops: int, sent: str, seen: str
) -> None:
    client = serve(TRUSTED_PROXIES=str(hops))
    sign_up(client)

    assert address_of_sign_in(client, sent) == seen


def test_every_address_in_an_answer_is_the_clients(serve: Serve) -> None:
    client = serve(TRUSTED_PROXIES="1", TRUSTED_HOSTS="tasks.example.com,localhost")
    bearer = {**sign_up(client), **PROXIED}
    made = client.post(TASKS, json={"title": "Fern"}, headers=bearer)
    client.post(TASKS, json={"title": "Moss"}, headers=bearer)
    page = client.get(f"{TASKS}?limit=1", headers=bearer)
    token = {"name": "calendar", "scopes": ["feed"]}
    feed = client.post("/api/v1/auth/tokens", json=token, headers=bearer).get_json()["feed_url"]

    assert made.headers["Location"] == f"{BASE}{TASKS}/{made.get_json()['id']}"
    assert f"<{BASE}{TASKS}?limit=1&cursor=" in page.headers["Link"]
    assert f'<{BASE}/openapi.json>; rel="service-desc"' in page.headers["Link"]
    assert feed.startswith(f"{BASE}/api/v1/feeds/tsk_")
    assert client.get("/", headers=PROXIED).get_json()["links"]["docs"] == f"{BASE}/docs"
    document = client.get("/openapi.json", headers=PROXIED).get_json()
    assert document["servers"] == [{"url": BASE}]
    assert f"{BASE}/static/SECURITY.md" in client.get(
        "/.well-known/security.txt", headers=PROXIED
    ).get_data(as_text=True)


@pytest.mark.parametrize("script_name", ["/team/tasks", "/team/tasks/"])
def test_below_a_path_that_the_proxy_leaves_on(serve: Serve, script_name: str) -> None:
    client = serve(SCRIPT_NAME=script_name)
    bearer = sign_up(client)
    base = "http://localhost/team/tasks"

    for path in ("/team/tasks", ""):  # a probe comes past the proxy
        assert client.get(f"{path}/health").status_code == 200
        task = client.post(f"{path}{TASKS}", json={"title": "Fern"}, headers=bearer)
        assert task.headers["Location"] == f"{base}{TASKS}/{task.get_json()['id']}"
        problem = client.get(f"{path}/nowhere").get_json()
        assert (problem["status"], problem["type"]) == (404, "/team/tasks/problems/not-found")
    for path in ("/team/taskshealth", "/team/health", "/team/tasks/team/tasks/health"):
        assert refused(client.get(path)) == (404, "not-found"), path


def test_the_prefix_of_a_proxy_is_the_one_that_clients_see(serve: Serve) -> None:
    client = serve(SCRIPT_NAME="/inside", TRUSTED_PROXIES="1")

    for path in ("/inside/nowhere", "/nowhere"):
        problem = client.get(path, headers=PROXIED).get_json()
        assert problem["type"] == "/team/tasks/problems/not-found"


@pytest.mark.parametrize("fast", ["true", "false"])
def test_a_server_below_a_path_answers_what_comes_without_it(
    fresh_environment: dict[str, str], fast: str
) -> None:
    with servers.gunicorn(**fresh_environment, SCRIPT_NAME="/team", FAST=fast) as base:
        for path, status in (("/team/health", 200), ("/health", 200), ("/teamhealth", 404)):
            assert servers.ask(f"{base}{path}")[0] == status


def test_problem_types_stay_references(serve: Serve) -> None:
    client = serve(TRUSTED_PROXIES="1")

    problem = client.get("/nowhere", headers=PROXIED).get_json()

    assert problem["type"] == "/team/tasks/problems/not-found"


def test_what_is_remembered_or_stored_is_right_for_the_next_client_too(serve: Serve) -> None:
    client = serve(TRUSTED_PROXIES="1")
    bearer = sign_up(client)
    keyed = {**bearer, "Idempotency-Key": "calendar-2026"}
    token = {"name": "calendar", "scopes": ["feed"]}
    for title in "ab":
        client.post(TASKS, json={"title": title}, headers=bearer)
    for base, proxied in (("http://localhost", {}), (BASE, PROXIED)):
        page = client.get(f"{TASKS}?limit=1", headers={**bearer, **proxied})
        made = client.post("/api/v1/auth/tokens", json=token, headers={**keyed, **proxied})

        assert f"<{base}{TASKS}?limit=1" in page.headers["Link"]
        assert made.headers["Location"].startswith(f"{base}/api/v1/auth/tokens/")
        assert made.get_json()["feed_url"].startswith(f"{base}/api/v1/feeds/")
    assert made.headers["Idempotency-Replayed"] == "true"


def test_a_public_url_is_the_address_whatever_a_request_says(serve: Serve) -> None:
    client = serve(TRUSTED_PROXIES="1", PUBLIC_URL="https://t.example.org/x/")
    headers = {**PROXIED, "Host": "10.0.0.7:8000"}

    made = client.get("/nowhere", headers=headers)

    assert '<https://t.example.org/x/openapi.json>; rel="service-desc"' in made.headers["Link"]
    assert made.get_json()["type"] == "/x/problems/not-found"


def test_pages_and_their_scripts_work_below_a_path(serve: Serve) -> None:
    client = serve(TRUSTED_PROXIES="1")
    for page in ("/docs", "/redoc"):
        html = client.get(page, headers=PROXIED).get_data(as_text=True)
        assert 'src="/team/tasks/static/' in html
        assert 'src="/static/' not in html
    for script in ("swagger-ui", "redoc"):
        start = client.get(f"/static/{script}/start.js", buffered=True)
        assert b'"openapi.json"' in start.data
    browser = {**PROXIED, "Accept": "text/html"}
    assert b'src="/team/tasks/static/' in client.get("/", headers=browser).data
    assert b'href="/team/tasks/problems/conflict"' in client.get("/problems", headers=browser).data


@pytest.mark.parametrize(
    "prefix", ["javascript:alert(1)", "//evil.net", "/a b", "/a/../b?c", "/<b>", "a", "/é"]
)
def test_a_prefix_that_is_no_path_has_no_effect(serve: Serve, prefix: str) -> None:
    client = serve(TRUSTED_PROXIES="1")
    headers = {"X-Forwarded-Prefix": prefix.encode().decode("latin-1"), "X-Forwarded-Proto": "ftp"}

    problem = client.get("/nowhere", headers=headers)

    assert problem.get_json()["type"] == "/problems/not-found"
    assert "<http://localhost/openapi.json>" in problem.headers["Link"]


def test_without_proxies_nothing_forwarded_counts(serve: Serve) -> None:
    problem = serve().get("/nowhere", headers=PROXIED)

    assert problem.get_json()["type"] == "/problems/not-found"
    assert "<http://localhost/openapi.json>" in problem.headers["Link"]


@pytest.mark.parametrize(
    ("host", "trusted", "status"),
    [
        ("task_app:8000", "", 200),
        ("task_app:8000", "task_app", 200),
        ("[::1]:8000", "", 200),
        ("[::1]:8000", "[::1]", 200),
        ("[::1]", "::1", 200),
        ("[::2]", "[::1]", 400),
        ("example.com.", "", 200),
        ("example.com.", "example.com", 200),
        ("Example.COM.:8000", "example.com", 200),
        ("example.com", "EXAMPLE.com.", 200),
        ("a.example.com.", ".example.com", 200),
        ("notexample.com", ".example.com", 400),
        ("[::FFFF:192.0.2.1]", "::ffff:c000:201", 200),
        ("[2001:db8:0:0::1]:80", "[2001:DB8::1]", 200),
        ("xn--mller-kva.example", "müller.example", 200),
        ("[::g]", "", 400),
        ("a b", "", 400),
        ("a:99999", "", 400),
        ("a:", "", 400),
        ("a/b", "", 400),
        ("a@b", "", 400),
    ],
)
def test_hosts_are_names_and_addresses(serve: Serve, host: str, trusted: str, status: int) -> None:
    client = serve(TRUSTED_HOSTS=trusted) if trusted else serve()

    assert client.get("/", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("protocol", "trusted", "path", "status"),
    [
        ("HTTP/1.0", "", "/health", 200),  # as HAProxy checks by default
        ("HTTP/1.0", "", "/", 200),
        ("HTTP/1.0", "tasks.example.com", "/health", 200),
        ("HTTP/1.0", "tasks.example.com", "/", 400),
        ("HTTP/1.1", "", "/health", 400),
    ],
)
def test_only_http_1_0_may_leave_the_host_out(
    serve: Serve, protocol: str, trusted: str, path: str, status: int
) -> None:
    client = serve(TRUSTED_HOSTS=trusted)
    environ = create_environ(path)
    del environ["HTTP_HOST"]
    environ |= {"SERVER_PROTOCOL": protocol, "SERVER_NAME": "::1", "SERVER_PORT": "8000"}

    _, line, headers = run_wsgi_app(client.application, environ)

    assert line.startswith(str(status))
    if status == 200:
        assert "<http://[::1]:8000/openapi.json>" in headers["Link"]


def test_a_forwarded_host_must_be_trusted_too(serve: Serve) -> None:
    client = serve(TRUSTED_PROXIES="1", TRUSTED_HOSTS="tasks.example.com")
    for host, status in (("tasks.example.com", 200), ("evil.example.com", 400)):
        headers = {"Host": "10.0.0.7", "X-Forwarded-Host": host}
        assert client.get("/", headers=headers).status_code == status


def test_the_refusal_of_a_host_blames_only_a_setting_that_is_set(serve: Serve) -> None:
    def detail(client: FlaskClient, host: str) -> Any:
        response = client.get("/", headers={"Host": host})
        assert refused(response) == (400, "invalid-host")
        return response.get_json()["detail"]

    assert "TRUSTED_HOSTS" not in detail(serve(), "a b")
    assert "TRUSTED_HOSTS" in detail(serve(TRUSTED_HOSTS="a.example"), "b.example")


@pytest.mark.parametrize("url", ["tasks.example.com", "ftp://a", "https://a/?b", "https://a/b c"])
def test_a_public_url_that_is_none_keeps_the_service_from_starting(url: str) -> None:
    with pytest.raises(config.ConfigError, match="PUBLIC_URL"):
        config.load({"PUBLIC_URL": url})


@pytest.mark.parametrize(
    ("variables", "statuses"),
    [
        ({}, [403, 403]),
        ({"TRUSTED_HOSTS": "tasks.example.com,localhost"}, [200, 403]),
        ({"PUBLIC_URL": "https://tasks.example.com/team"}, [403, 200]),
        ({"CORS_ORIGINS": "https://tasks.example.com"}, [403, 200]),
    ],
)
def test_agents_in_a_browser_come_from_where_the_operator_says(
    serve: Serve, variables: dict[str, str], statuses: list[int]
) -> None:
    client = serve(**variables)
    headers = {**sign_up(client), "Host": "tasks.example.com"}
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    origins = ("http://tasks.example.com", "https://tasks.example.com")
    answers = [
        client.post("/mcp", json=ping, headers={**headers, "Origin": origin}) for origin in origins
    ]

    assert [answer.status_code for answer in answers] == statuses
