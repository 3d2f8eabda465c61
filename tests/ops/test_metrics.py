"""GET /metrics and GET /health/detailed: what Prometheus and an operator read"""

from __future__ import annotations

import os
import re
import resource
import signal
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import servers
from tests.conftest import Client, refused

TOKEN = "a token that only Prometheus has"


def scrape(base: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    request = urllib.request.Request(  # noqa: S310 - our own URL
        f"{base}/metrics", headers={"Authorization": f"bearer {TOKEN}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own
        families = text_string_to_metric_families(answer.read().decode())
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }


def value(base: str, name: str, **labels: str) -> float:
    return scrape(base).get((name, frozenset(labels.items())), 0)


def workers_of(log: Path) -> list[int]:
    return [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", log.read_text())]


def test_all_workers_add_up_and_a_killed_one_takes_nothing_along(
    fresh_environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with servers.gunicorn(
        log=log, METRICS_TOKEN=TOKEN, WEB_CONCURRENCY="3", **fresh_environment
    ) as base:
        token = servers.sign_up(base, "alice@example.com")
        wrong = {"email": "alice@example.com", "password": "wrong but long enough"}
        assert servers.ask(f"{base}/api/v1/auth/login", wrong)[0] == 401
        tasks = f"{base}/api/v1/tasks"
        for _ in range(20):
            servers.ask(tasks, {"title": "Water"}, token=token)
        servers.ask(f"{tasks}/1", {"status": "done"}, method="PATCH", token=token)
        servers.ask(f"{tasks}/1", {"title": ""}, method="PATCH", token=token)
        for _ in range(2):
            servers.ask(tasks, token=token)
        before = workers_of(log)
        os.kill(before[0], signal.SIGKILL)
        while len(workers_of(log)) == len(before):
            time.sleep(0.05)
        for _ in range(10):
            servers.ask(tasks, {"title": "Water"}, token=token)

        route = {"method": "POST", "route": "/api/v1/tasks"}
        assert value(base, "taskapp_requests_total", **route, status="201") == 30
        assert value(base, "taskapp_request_seconds_count", **route) == 30
        assert value(base, "taskapp_tasks_created_total") == 30
        assert value(base, "taskapp_tasks_done_total") == 1
        assert value(base, "taskapp_sign_ins_total", outcome="ok") == 1
        assert value(base, "taskapp_sign_ins_total", outcome="refused") == 1
        lookups = [value(base, "taskapp_cache_lookups_total", outcome=o) for o in ("hit", "miss")]
        assert sum(lookups) == 2
        assert value(base, "taskapp_requests_in_progress") == 0
        assert value(base, "taskapp_workers") == 3
        assert 3 <= value(base, "taskapp_database_pool_connections") <= 12
        assert value(base, "taskapp_database_seconds_sum") > 0
        assert value(base, "process_cpu_seconds_total") > 0
        assert value(base, "process_resident_memory_bytes") > 50e6
        assert value(base, "taskapp_degraded", part="limiter") == 0
        assert value(base, "taskapp_degraded", part="counters") == 0


def test_a_full_disk_under_the_metrics_refuses_nobody(tmp_path: Path) -> None:
    """All files were made at the start; to make one longer fails as on a full disk."""
    with servers.gunicorn(WEB_CONCURRENCY="3", TASKAPP_INSTANCE=str(tmp_path)) as base:
        for worker in servers.masters[base].children():
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (0, 0))
        for _ in range(30):
            assert servers.ask(f"{base}/health")[0] == 200

        with urllib.request.urlopen(f"{base}/metrics", timeout=30) as answer:  # noqa: S310 - our own
            route = b'taskapp_requests_total{method="GET",route="/health",status="200"}'
            assert route + b" 31.0" in answer.read()  # one was asked by the server of the test


def test_labels_are_bounded_and_metrics_leave_themselves_out(
    anonymous: Client, admin: Client
) -> None:
    for path in ("/nowhere/1", "/nowhere/2", "/api/v1/tasks/7"):
        anonymous.get(path)
    anonymous.open("/api/v1/tasks", method="BREW")
    text = [anonymous.get("/metrics").text for _ in range(2)][1]
    routes = set(re.findall(r'route="([^"]*)"', text))

    assert "unmatched" in routes
    assert "/api/v1/tasks/<id:task_id>" in routes
    assert not routes & {"/nowhere/1", "/metrics", "/api/v1/tasks/7"}
    assert set(re.findall(r'method="([^"]*)"', text)) <= {
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other",
    }  # fmt: skip
    assert "RateLimit" not in anonymous.get("/metrics").headers


def test_details_are_for_admins(anonymous: Client, alice: Client, admin: Client) -> None:
    found = admin.get("/health/detailed").get_json()

    assert found["status"] == "ok"
    parts = {"database", "cache", "counters", "courier", "disk", "memory", "versions"}
    assert found["checks"].keys() == parts
    assert all(check["status"] == "ok" and check["ms"] >= 0 for check in found["checks"].values())
    assert refused(anonymous.get("/health/detailed")) == (401, "unauthorized")
    assert refused(anonymous.as_token("x").get("/health/detailed")) == (401, "invalid-token")
    assert refused(alice.get("/health/detailed")) == (403, "forbidden")


def test_the_metrics_token_opens_both_and_nothing_else(tmp_path: Path) -> None:
    """Also without a database to ask: this one was never made."""
    instance = {"TASKAPP_INSTANCE": str(tmp_path), "METRICS_TOKEN": TOKEN}
    with servers.gunicorn(**instance, WEB_CONCURRENCY="1") as base:
        assert scrape(base)
        _, _, found = servers.ask(f"{base}/health/detailed", token=TOKEN)
        assert (found["status"], found["checks"]["database"]["status"]) == ("down", "down")
        assert "db upgrade" in found["checks"]["database"]["remedy"]
        for path in ("/metrics", "/health/detailed"):
            assert servers.ask(base + path)[0] == 401
            assert servers.ask(base + path, token=TOKEN[:-1])[0] == 401
        assert servers.ask(f"{base}/api/v1/tasks", token=TOKEN)[0] == 401


@pytest.mark.parametrize(
    ("headers", "peer", "status"),
    [
        ({}, "127.0.0.1", 200),
        ({}, "::1", 200),
        ({}, "192.0.2.7", 404),
        ({"X-Forwarded-For": "127.0.0.1"}, "127.0.0.1", 404),
        ({"Forwarded": "for=127.0.0.1"}, "127.0.0.1", 404),
        ({"X-Real-IP": "127.0.0.1"}, "127.0.0.1", 404),
    ],
)
def test_without_a_token_only_this_machine_reads_metrics(
    anonymous: Client, headers: dict[str, str], peer: str, status: int
) -> None:
    environ = {"REMOTE_ADDR": peer}
    response = anonymous.get("/metrics", headers=headers, environ_base=environ)

    assert response.status_code == status


def test_guesses_of_the_metrics_token_are_throttled(tmp_path: Path) -> None:
    instance = {"TASKAPP_INSTANCE": str(tmp_path), "METRICS_TOKEN": TOKEN}
    with servers.gunicorn(**instance, WEB_CONCURRENCY="1") as base:
        guesses = [servers.ask(f"{base}/metrics", token=f"guess {n}")[0] for n in range(61)]
        assert guesses == [401] * 60 + [429]
        assert servers.ask(f"{base}/health/detailed", token=TOKEN)[0] == 200
