"""The lesson: its commands run, and its figures are those of the sample."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lab import experiments, report
from tests.servers import ROOT

pytestmark = pytest.mark.xdist_group("load")
LESSON = (ROOT / "docs" / "lesson.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (\.venv/bin/.+)$", LESSON, re.MULTILINE)


def test_the_lesson_goes_through_every_experiment() -> None:
    assert sorted(command.split()[-1] for command in COMMANDS) == sorted(experiments.QUICK)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[-1])
def test_a_command_runs_and_writes_a_page(command: str, tmp_path: Path) -> None:
    python, *rest = shlex.split(command)
    assert python == ".venv/bin/python"
    asked = ["--taste" if word == "--quick" else word for word in rest]
    ran = subprocess.run(
        [sys.executable, *asked, "--output", str(tmp_path / "report")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ": measured " in ran.stdout
    name = command.rsplit(maxsplit=1)[-1]
    (part,) = report.parts(tmp_path / "report")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert part.experiment.name == name
    assert all(point.measured.value > 0 for point in part.points)
    assert f'<section id="{name}">' in page
    assert "A taste, not a measurement." in page


def test_its_boxes_say_what_the_sample_says() -> None:
    assert LESSON.count("<!-- end -->") == len(experiments.QUICK)
    assert report.fill(LESSON, ROOT / "docs" / "lab-report") == LESSON


def test_make_runs_what_the_lesson_promises() -> None:
    said = subprocess.run(
        ["make", "--dry-run", "--always-make", "lab"],  # noqa: S607 - whichever make there is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "python -m lab run --quick" in said.stdout
