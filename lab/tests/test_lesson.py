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
LESSON, SECOND = (
    (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("lesson.md", "lesson-failures.md")
)
RUN = r"^    (\.venv/bin/python -m lab run .+)$"
COMMANDS = [re.findall(RUN, text, re.MULTILINE) for text in (LESSON, SECOND)]


def test_each_lesson_goes_through_its_experiments_in_the_order_of_the_page() -> None:
    names = [[command.split()[-1] for command in commands] for commands in COMMANDS]

    assert names[0] == [name for name in experiments.NAMES if name in names[0]]
    assert set(experiments.QUICK) <= set(names[0])
    assert {*names[0], *names[1], "no_gil"} == set(experiments.NAMES)
    assert "--only no_gil" in LESSON


@pytest.mark.parametrize(
    "command", [*COMMANDS[0], *COMMANDS[1]], ids=lambda command: command.split()[-1]
)
def test_a_command_runs_and_writes_a_page(command: str, tmp_path: Path) -> None:
    python, *rest = shlex.split(command)
    assert python == ".venv/bin/python"
    asked = ["--taste" if word == "--quick" else word for word in rest]
    ran = subprocess.run(
        [sys.executable, *asked, "--output", str(tmp_path / "report")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ": measured " in ran.stdout
    name = command.rsplit(maxsplit=1)[-1]
    (part,) = report.parts(tmp_path / "report")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert part.experiment.name == name
    assert all(point.measured.value >= 0 for point in part.points)
    assert f'<section id="{name}">' in page
    assert "A taste, not a measurement." in page


@pytest.mark.parametrize("text", [LESSON, SECOND], ids=["lesson", "lesson-failures"])
def test_its_boxes_say_what_the_sample_says(text: str) -> None:
    assert text.count("<!-- end -->") == len(re.findall(RUN, text, re.MULTILINE))
    assert report.fill(text, ROOT / "docs" / "lab-report") == text


def test_make_runs_what_the_lesson_promises() -> None:
    said = subprocess.run(
        ["make", "--dry-run", "--always-make", "lab"],  # noqa: S607 - whichever make there is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "python -m lab run --quick" in said.stdout
