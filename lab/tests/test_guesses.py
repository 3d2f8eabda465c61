"""Guesses: typed before the run, kept at once, and drawn beside formula and measurement."""

import subprocess
import sys
from pathlib import Path

import pytest

from lab import experiments, guesses, plots, report
from tests.servers import ROOT

SAMPLE = ROOT / "docs" / "lab-report"


def predict(folder: Path, typed: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", "predict", "--output", str(folder), *arguments],
        cwd=ROOT,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_guess_for_each_question_is_kept(tmp_path: Path) -> None:
    said = predict(tmp_path, "20\n" * len(experiments.QUICK))

    assert (said.returncode, said.stderr) == (0, "")
    assert guesses.read(tmp_path) == {name: {"you": 20.0} for name in experiments.QUICK}
    assert "Now measure: make lab" in said.stdout


def test_a_slip_is_asked_again_and_an_empty_line_skips(tmp_path: Path) -> None:
    said = predict(tmp_path, "many\n-3\n1,500\n\n", "--only", "queue", "--only", "cpu")

    assert "Please type a number, as 40 or 2.5" in said.stdout
    assert "Please type a number above 0" in said.stdout
    assert guesses.read(tmp_path) == {"queue": {"you": 1500.0}}


def test_what_was_typed_before_the_end_is_kept(tmp_path: Path) -> None:
    said = predict(tmp_path, "7\n")

    assert said.returncode == 0
    assert list(guesses.read(tmp_path)) == experiments.NAMES[:1]


def test_the_guesses_of_a_class_come_together(tmp_path: Path) -> None:
    for number in range(20):
        guesses.write({"queue": {f"person {number}": 30.0 + number}}, tmp_path / str(number))
    files = [str(path) for path in tmp_path.glob("*/guesses.csv")]

    said = predict(tmp_path / "class", "", "--collect", *files)

    assert "up to 20 people" in said.stdout
    assert len(guesses.read(tmp_path / "class")["queue"]) == 20


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("who,guess\n", "the first line must be name,who,guess"),
        ("name,who,guess\nqueue,Ann,many\n", "line 2: Please type a number"),
    ],
)
def test_a_file_that_is_none_takes_nothing_away(tmp_path: Path, text: str, why: str) -> None:
    guesses.write({"queue": {"Ann": 30.0}}, tmp_path)
    (tmp_path / "other.csv").write_text(text, encoding="utf-8")

    said = predict(tmp_path, "", "--collect", str(tmp_path / "other.csv"))

    assert said.returncode != 0
    assert why in said.stderr
    assert guesses.read(tmp_path) == {"queue": {"Ann": 30.0}}


@pytest.mark.parametrize("part", report.parts(SAMPLE), ids=lambda part: part.experiment.name)
def test_every_question_has_its_answer_in_the_sample(part: report.Part) -> None:
    question = guesses.question(part.experiment)

    assert question.answer(part.points) is not None
    assert question.unit in question.ask or question.unit.split()[0] in question.ask


def test_a_strip_has_a_dot_for_each_guess_and_says_them() -> None:
    drawn = plots.strip([20, 200, 40], predicted=19.9, measured=19.4, unit="answers per second")

    assert drawn.count('class="guess"') == 3
    assert "Guessed 20, 40, 200; predicted 19.9; measured 19.4" in drawn
