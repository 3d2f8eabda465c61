"""Each exercise has one command that times both sides and ends by itself."""

import subprocess
import sys

import pytest

from lab.exercises import NAMES
from tests.servers import ROOT, environment

SMALL = {
    "pages": ("--pages=4", "--delay=0.01"),
    "jobs": ("--jobs=4", "--wait=0.001"),
    "chat": ("--clients=10",),
    "hello": ("--requests=2",),
    "validation": ("--times=1",),
    "settings": ("--times=1",),
    "queues": ("--report=1",),
}


@pytest.mark.parametrize("name", NAMES)
def test_times_both_and_ends(name: str) -> None:
    command = [sys.executable, "-m", f"lab.exercises.{name}", *SMALL[name]]
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    heading, *rows = ran.stdout.splitlines()
    assert len(rows) >= 2, heading
    assert all(row.split()[-1].replace(".", "").isdigit() for row in rows)
