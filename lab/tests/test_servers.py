"""Servers of the lab start when they are needed and leave nothing behind."""

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest

from lab.load import LoadError
from lab.servers import gunicorn, nothing_left, postgresql, slow_upstream, tree, uvicorn
from tests.servers import ROOT

pytestmark = pytest.mark.xdist_group("load")


def alive(variable: str, value: str) -> list[psutil.Process]:
    """Every process that was started with this in its environment."""
    result = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(variable) == value:
                result.append(process)
        except psutil.Error:
            continue
    return [process for process in result if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("start", "app"),
    [(gunicorn, "lab.experiments.queue.sync:app"), (uvicorn, "lab.experiments.queue.async_:app")],
)
def test_every_worker_is_ready_at_first_and_gone_at_last(start: object, app: str) -> None:
    mark = uuid.uuid4().hex
    with start(app, workers=2, LAB_TEST=mark) as server:  # type: ignore[operator]
        started = alive("LAB_TEST", mark)
        assert len(started) >= 3
        assert server.memory() > 20
        assert server.cpu() > 0

    assert alive("LAB_TEST", mark) == []


def test_an_app_that_does_not_load_is_said_so_with_its_log() -> None:
    with pytest.raises(RuntimeError, match="No module named"), gunicorn("lab.nowhere:app"):
        pass


def test_what_fails_while_it_runs_is_told_with_its_log() -> None:
    with pytest.raises(LoadError) as failed, gunicorn("lab.experiments.queue.sync:app"):
        raise LoadError

    assert "Application startup complete" in failed.value.__notes__[0]


def test_postgresql_ends_with_its_block() -> None:
    with postgresql() as database:
        processes = tree(database.pid)
        assert len(processes) > 1

    assert [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []


def test_an_upstream_lets_everybody_go_when_its_delay_is_changed() -> None:
    with slow_upstream() as upstream:
        upstream.set(60)
        command = f"import urllib.request as u; u.urlopen('{upstream.url}').read()"
        with subprocess.Popen([sys.executable, "-c", command]) as waiting:
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(1.5)
            upstream.set(0)
            assert waiting.wait(10) == 0


@pytest.mark.parametrize(
    ("ending", "name"), [(signal.SIGINT, "cpu"), (signal.SIGTERM, "short_queries")]
)
def test_a_run_that_is_ended_leaves_nothing_running(
    ending: signal.Signals, name: str, tmp_path: Path
) -> None:
    mark = uuid.uuid4().hex
    command = [sys.executable, "-m", "lab", "run", "--taste", "--only", name]
    with subprocess.Popen(
        [*command, "--output", str(tmp_path / "report")],
        cwd=ROOT,
        env={**os.environ, "LAB_TEST": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        assert run.stdout is not None
        assert any("measured" in line for line in run.stdout)  # servers and a database are up
        assert len(alive("LAB_TEST", mark)) >= 3
        run.send_signal(ending)
        assert run.wait(120) != 0  # a busy machine needs time to end a database

    assert alive("LAB_TEST", mark) == []


def test_a_run_ends_what_it_started_and_nothing_that_ran_before() -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(sleep) as before:
        with nothing_left():
            started = subprocess.Popen(sleep)
        ended_before = before.poll()
        before.kill()

    assert started.poll() is not None
    assert ended_before is None
