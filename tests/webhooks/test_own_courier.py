"""A courier of gunicorn's own: it shares the master's memory, comes again, and ends with it"""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests import servers
from tests.conftest import Json
from tests.webhooks.conftest import Receiver
from tests.webhooks.test_process import expire_leases, wait_until

WANTED = 45  # MiB


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "WEBHOOK_NETWORKS": "127.0.0.0/8"}
    servers.migrate(**variables)
    with servers.gunicorn(RUN_COURIER="true", **variables) as base:
        yield base


def keeper_of(base: str) -> psutil.Process:
    """The one child of the master that has a child itself."""
    (keeper,) = [child for child in servers.masters[base].children() if child.children()]
    return keeper


def courier_of(base: str) -> psutil.Process:
    (courier,) = keeper_of(base).children()
    return courier


def garden_with_webhook(base: str, url: str) -> tuple[str, Json]:
    token = servers.sign_up(base, "owner@example.com")
    project = servers.ask(f"{base}/api/v1/projects", {"name": "Garden"}, token=token)[2]
    webhooks = f"{base}/api/v1/projects/{project['id']}/webhooks"
    assert servers.ask(webhooks, {"url": url}, token=token)[0] == 201
    return token, project


def add_task(base: str, token: str, project: Json) -> None:
    body = {"title": "Water", "project_id": project["id"]}
    assert servers.ask(f"{base}/api/v1/tasks", body, token=token)[0] == 201


def test_it_delivers_and_comes_again_when_it_is_killed(
    base: str, receiver: Receiver, tmp_path: Path
) -> None:
    token, project = garden_with_webhook(base, receiver.url)
    add_task(base, token, project)
    wait_until(lambda: len(receiver.received) == 1)

    first = courier_of(base)
    first.kill()
    expire_leases(tmp_path / "taskapp.db")
    add_task(base, token, project)
    wait_until(lambda: len(receiver.received) == 2)
    assert courier_of(base) != first


def test_it_takes_little_memory_of_its_own(base: str, receiver: Receiver) -> None:
    token, project = garden_with_webhook(base, receiver.url)
    add_task(base, token, project)
    wait_until(lambda: len(receiver.received) == 1)

    shared_out = courier_of(base).memory_full_info().pss / 2**20
    assert shared_out < WANTED


def test_it_is_no_worker(base: str) -> None:
    wait_until(lambda: any(child.children() for child in servers.masters[base].children()))
    wait_until(lambda: workers_in_metrics(base) > 1)
    assert workers_in_metrics(base) == 2


def workers_in_metrics(base: str) -> float:
    with urllib.request.urlopen(f"{base}/metrics", timeout=30) as answer:  # noqa: S310 - our own
        found = re.search(r"^taskapp_workers (.+)$", answer.read().decode(), re.MULTILINE)
    assert found
    return float(found[1])


@pytest.mark.parametrize("end", [psutil.Process.terminate, psutil.Process.kill])
def test_it_ends_with_the_master(base: str, end: object) -> None:
    wait_until(lambda: any(child.children() for child in servers.masters[base].children()))
    keeper, courier = keeper_of(base), courier_of(base)
    assert callable(end)
    end(servers.masters[base])

    wait_until(lambda: not keeper.is_running() and not courier.is_running(), 30)
