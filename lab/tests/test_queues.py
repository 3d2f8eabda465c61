"""The queues exercise: a real Redis, a real worker for each queue, and every status on the way."""

import os
import subprocess
import sys

import pytest

from lab.servers import redis_path
from tests.servers import ROOT, environment

pytestmark = pytest.mark.xdist_group("load")


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[list[str], float]]:
    """What the command prints: each task's statuses and seconds."""
    assert redis_path()
    ran = subprocess.run(
        [sys.executable, "-m", "lab.exercises.queues", "--report", "4"],
        cwd=ROOT,
        env=environment(PATH=os.environ["PATH"]),
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    result = {}
    for row in ran.stdout.splitlines()[1:]:
        name, statuses, seconds = (part.strip() for part in row.split("  ") if part.strip())
        result[name] = (statuses.split(" > "), float(seconds))
    return result


def test_a_report_on_its_own_queue_keeps_no_greeting_waiting(
    rows: dict[str, tuple[list[str], float]],
) -> None:
    report, took = rows["a report, on the slow queue"]
    greeting, waited = rows["a greeting, sent after it"]

    assert (report[-1], greeting[-1]) == ("SUCCESS", "SUCCESS")
    assert "STARTED" in report
    assert waited < took


def test_what_fails_is_retried_with_a_growing_pause_until_it_works(
    rows: dict[str, tuple[list[str], float]],
) -> None:
    statuses, seconds = rows["a fetch that fails twice"]

    assert statuses[-1] == "SUCCESS"
    assert "RETRY" in statuses
    assert seconds >= 0.1 + 0.2


def test_what_fails_always_ends_as_a_failure(rows: dict[str, tuple[list[str], float]]) -> None:
    statuses, seconds = rows["a fetch that fails always"]

    assert statuses[-1] == "FAILURE"
    assert seconds >= 0.1 + 0.2 + 0.4
