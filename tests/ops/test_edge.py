"""What every answer carries, and whom the service answers at all"""

from __future__ import annotations

from pathlib import Path

from tests import servers
from tests.conftest import Client, Json, refused

PATHS = ("/api/v1/tasks", "/api/v1/nowhere", "/health", "/problems", "/docs", "/")


def test_echoes_or_makes_a_request_id(anonymous: Client) -> None:
    made = dict.fromkeys(("x" * 65, "", "a b", "ünï", "a;b"), False)
    for sent, kept in {"order-66_A.b": True, "x" * 64: True, **made}.items():
        for path in PATHS:
            headers = {"X-Request-ID": sent.encode().decode("latin-1")}
            response = anonymous.get(path, headers=headers)
            given = response.headers["X-Request-ID"]
            assert (given == sent) is kept
            assert kept or len(given) == 32
            if response.status_code >= 400:
                assert response.get_json()["request_id"] == given


def test_every_answer_is_armoured(alice: Client, anonymous: Client) -> None:
    for path in PATHS:
        for client in (alice, anonymous):
            headers = client.get(path).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert "base-uri 'none'" in headers["Content-Security-Policy"]
            assert "unsafe-eval" not in headers["Content-Security-Policy"]
            assert headers["Vary"] == "Authorization, Accept"
            assert '<http://localhost/openapi.json>; rel="service-desc"' in headers["Link"]
            assert "app;dur=" in headers["Server-Timing"]
            assert "db;dur=" in headers["Server-Timing"]
            assert "Strict-Transport-Security" not in headers
            assert "Set-Cookie" not in headers


def test_what_may_be_kept_and_where(alice: Client, task: Json) -> None:
    for path, policy in (
        (f"/api/v1/tasks/{task['id']}", "private, no-cache"),
        ("/api/v1/tasks", "private, no-cache"),
        ("/api/v1/auth/token", "no-store"),
        ("/api/v1/auth/sessions", "no-store"),
        ("/api/v1/nowhere", "no-store"),
    ):
        assert alice.get(path).headers["Cache-Control"] == policy


def test_a_trace_parent_is_welcome(anonymous: Client) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    assert anonymous.get("/health", headers={"traceparent": parent}).status_code == 200


def test_a_host_that_cannot_be_one_is_refused(anonymous: Client) -> None:
    for host in ("", "a" * 300, f"{'a' * 64}.example.com"):
        for path in ("/", "/api/v1/tasks", "/nowhere"):
            response = anonymous.get(path, headers={"Host": host})
            assert refused(response) == (400, "invalid-host"), host
            assert response.headers["X-Request-ID"]


def test_answers_to_its_own_names_only(behind_a_proxy: str, address: str) -> None:
    for host, status in (
        ("tasks.example.com", 200),
        ("TASKS.example.com:8000", 200),
        ("a.example.org", 200),
        ("evil.example.com", 400),
        ("tasks.example.com.evil.net", 400),
        ("", 400),
    ):
        found, _, body = servers.ask(f"{behind_a_proxy}/", Host=host, X_Forwarded_For=address)
        assert (found, body.get("code")) == (status, "invalid-host" if status == 400 else None)
        assert servers.ask(f"{behind_a_proxy}/health", Host=host or "10.0.0.7")[0] == 200


def test_scripts_of_known_origins_may_call(behind_a_proxy: str) -> None:
    known, other = "https://app.example.com", "https://evil.example.com"
    for path in ("/", "/api/v1/tasks", "/nowhere"):
        url = behind_a_proxy + path
        headers = servers.ask(url, Origin=known)[1]
        assert headers["Access-Control-Allow-Origin"] == known
        assert {"ETag", "RateLimit", "Location", "X-Request-ID"} <= set(
            headers["Access-Control-Expose-Headers"].split(", ")
        )
        assert headers["Vary"] == "Authorization, Accept, Origin"
        for origin in (other, "null", f"{known}.evil.net", "http://app.example.com"):
            assert "Access-Control-Allow-Origin" not in servers.ask(url, Origin=origin)[1]


def test_no_origin_is_named_to_who_sends_none(behind_a_proxy: str, address: str) -> None:
    for path in ("/", "/api/v1/tasks", "/nowhere"):
        headers = servers.ask(behind_a_proxy + path, X_Forwarded_For=address)[1]
        assert "Access-Control-Allow-Origin" not in headers
        assert headers.get_all("Vary") == ["Authorization, Accept, Origin"]


def test_preflights_need_no_credential(behind_a_proxy: str, address: str) -> None:
    wanted = {"Access_Control_Request_Method": "PATCH"}
    wanted["Access_Control_Request_Headers"] = "authorization,if-match,idempotency-key"
    status, headers, _ = servers.ask(
        f"{behind_a_proxy}/api/v1/tasks/1",
        method="OPTIONS",
        Origin="https://app.example.com",
        X_Forwarded_For=address,
        **wanted,
    )

    assert status == 200
    assert "PATCH" in headers["Access-Control-Allow-Methods"]
    assert "if-match" in headers["Access-Control-Allow-Headers"].lower()
    assert "Access-Control-Allow-Credentials" not in headers


def test_believes_no_proxy_that_it_was_not_told_of(tmp_path: Path) -> None:
    with servers.gunicorn(TASKAPP_INSTANCE=str(tmp_path)) as base:
        headers = servers.ask(f"{base}/", X_Forwarded_Proto="https")[1]
        assert "Strict-Transport-Security" not in headers


def test_insists_on_tls_where_it_came_by_tls(behind_a_proxy: str) -> None:
    for scheme, insists in (("https", True), ("http", False)):
        headers = servers.ask(f"{behind_a_proxy}/", X_Forwarded_Proto=scheme)[1]
        told = headers.get("Strict-Transport-Security")
        assert told == ("max-age=31536000; includeSubDomains" if insists else None)
