"""Redis dead at the start, killed, hung, full or locked: everything goes on, and says so"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests import servers
from tests.ops.test_metrics import TOKEN, value


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Redis]]:
    """A Redis that a test may break."""
    port = servers.free_port()
    command = [servers._redis_server(), "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--dir", str(tmp_path), "--save", "", "--maxmemory-policy", "noeviction"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        servers._wait_for_port(port, process.poll)
        yield process, Redis(port=port)
        process.send_signal(signal.SIGCONT)
        process.kill()


def kill(process: subprocess.Popen[bytes], _: Redis) -> None:
    process.kill()


def hang(process: subprocess.Popen[bytes], _: Redis) -> None:
    process.send_signal(signal.SIGSTOP)


def fill(_: subprocess.Popen[bytes], redis: Redis) -> None:
    redis.config_set("maxmemory", 1)


def lock(_: subprocess.Popen[bytes], redis: Redis) -> None:
    redis.config_set("requirepass", "changed meanwhile")
    redis.execute_command("AUTH", "changed meanwhile")
    redis.client_kill_filter(_type="normal")


def nothing(_: subprocess.Popen[bytes], __: Redis) -> None:
    """Redis was dead already when the service started."""


def seconds_of(ask: Callable[[], tuple[int, Any, Any]]) -> tuple[float, tuple[int, Any, Any]]:
    began = time.perf_counter()
    answer = ask()
    return time.perf_counter() - began, answer


@pytest.mark.parametrize("breaks", [kill, hang, fill, lock, nothing])
def test_requests_go_on_without_it(
    tmp_path: Path,
    redis: tuple[subprocess.Popen[bytes], Redis],
    breaks: Callable[[subprocess.Popen[bytes], Redis], None],
) -> None:
    process, client = redis
    log = tmp_path / "log"
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "METRICS_TOKEN": TOKEN, "LOG_FORMAT": "json"}
    servers.migrate(**variables)
    port = client.connection_pool.connection_kwargs["port"]
    variables |= {"REDIS_URL": f"redis://127.0.0.1:{port}/0", "RATELIMIT_DEFAULT": "12 per minute"}
    if breaks is nothing:
        process.kill()
        process.wait()
    with servers.gunicorn(log=log, **variables) as base:
        token = servers.sign_up(base, "alice@example.com")
        if breaks is not nothing:
            assert servers.ask(f"{base}/health/ready")[2]["status"] == "ok"
        breaks(process, client)
        answers = []
        for _ in range(15):
            alive = seconds_of(lambda: servers.ask(f"{base}/health"))[0]  # what it takes anyway
            seconds, answer = seconds_of(lambda: servers.ask(f"{base}/api/v1/tasks", token=token))
            answers.append((answer[0], answer[1]["RateLimit"], seconds - alive))
        ready = servers.ask(f"{base}/health/ready")
        degraded = [value(base, "taskapp_degraded", part=part) for part in ("cache", "limiter")]

    waited = sorted(seconds for _, _, seconds in answers)
    assert [status for status, _, _ in answers] == [200] * 12 + [429] * 3
    assert answers[11][1].startswith('"default";r=0;')
    assert waited[-2] < 0.5  # one may have been kept waiting by a busy machine
    assert waited[7] < 0.1  # it is asked every few seconds, not by every request
    assert (ready[0], ready[2]["status"], ready[2]["checks"]["redis"]) == (200, "degraded", "down")
    assert degraded == [1, 1]
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert len([event for event in events if event.startswith("Redis unavailable")]) == 1


def test_it_is_used_again_when_it_is_back(
    tmp_path: Path, redis: tuple[subprocess.Popen[bytes], Redis]
) -> None:
    process, client = redis
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "WEB_CONCURRENCY": "1"}
    servers.migrate(**variables)
    port = client.connection_pool.connection_kwargs["port"]
    with servers.gunicorn(REDIS_URL=f"redis://127.0.0.1:{port}/0", **variables) as base:
        token = servers.sign_up(base, "alice@example.com")
        hang(process, client)
        assert servers.ask(f"{base}/api/v1/tasks", token=token)[0] == 200
        process.send_signal(signal.SIGCONT)
        assert servers.ask(f"{base}/health/ready")[2]["status"] == "ok"
        client.flushdb()
        assert servers.ask(f"{base}/api/v1/tasks", token=token)[0] == 200

    assert any(b"user:1" in key for key in client.keys("taskapp:*"))
