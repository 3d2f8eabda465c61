"""A run: the page after each experiment, one that fails is a line, and it can be continued."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab import __main__ as door
from lab import experiments, journal, machine, report
from lab.estimate import Estimate
from lab.experiments.slow_client import experiment as slow_client
from lab.journal import Run
from lab.results import SCALES, Experiment, Finding, Point, Scale, line
from lab.servers import MissingError

NAME = "The longest wait for /health"


def quick_one(name: str) -> Experiment:
    """The panels and words of `slow_client`, with figures that take no time."""

    def measure(_: Scale) -> Iterator[Finding]:
        exact = Estimate.exact
        yield line(NAME, "2 sync workers", "step", seats=2, below=1, above=360)
        for slow in (1, 4):
            yield Point(NAME, "2 sync workers", slow, exact(slow * 90), exact(slow * 91), "once")

    return Experiment(name, slow_client.panels, measure, lambda _: defaultdict(float))


def failing(name: str) -> Experiment:
    def measure(_: Scale) -> Iterator[Finding]:
        raise RuntimeError("54 of 54 requests failed\nand a second line")
        yield

    return replace(quick_one(name), measure=measure)


@pytest.fixture
def experiments_without_servers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Experiment]:
    known = {name: quick_one(name) for name in experiments.NAMES}
    monkeypatch.setattr(report, "experiment", known.__getitem__)
    monkeypatch.setattr(machine, "busy", lambda: 0)
    return known


def run(folder: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        door.main(["run", "--output", str(folder), *arguments])
    return int(ended.value.code or 0)


@pytest.mark.usefixtures("experiments_without_servers")
def test_one_experiment_keeps_the_tables_of_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "report"

    assert run(folder, "--only", "queue") == 0
    assert run(folder, "--only", "cpu") == 0

    page = (tmp_path / "report.html").read_text("utf-8")
    assert 0 < page.index('<section id="cpu">') < page.index('<section id="queue">')


def test_one_that_fails_is_a_line_and_the_others_are_on_the_page(
    experiments_without_servers: dict[str, Experiment],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    experiments_without_servers["cpu"] = failing("cpu")

    assert run(tmp_path / "report", "--quick") == 1

    said = capsys.readouterr()
    assert said.out.count("Left out. It failed with RuntimeError: 54 of 54 requests failed") == 1
    assert said.err.count("Traceback") == 1
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "is left out.</b> It failed with RuntimeError" in page
    assert '<section id="cpu">' not in page
    assert [part.experiment.name for part in report.parts(tmp_path / "report")] == [
        name for name in experiments.QUICK if name != "cpu"
    ]


def test_the_page_is_there_after_the_first_experiment(
    experiments_without_servers: dict[str, Experiment], tmp_path: Path
) -> None:
    def interrupted(_: Scale) -> Iterator[Finding]:
        raise KeyboardInterrupt
        yield

    second = experiments.NAMES[1]
    experiments_without_servers[second] = replace(quick_one(second), measure=interrupted)
    assert run(tmp_path / "report", "--full") == 130

    page = (tmp_path / "report.html").read_text("utf-8")
    assert f'<section id="{experiments.NAMES[0]}">' in page


def test_a_full_run_that_was_stopped_is_continued(
    experiments_without_servers: dict[str, Experiment],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    test_the_page_is_there_after_the_first_experiment(experiments_without_servers, tmp_path)
    second = experiments.NAMES[1]
    experiments_without_servers[second] = quick_one(second)
    capsys.readouterr()

    assert run(tmp_path / "report", "--full") == 0

    said = capsys.readouterr().out
    assert f"Continued: 1 of {len(experiments.NAMES)} experiments are done." in said
    assert f"1 of {len(experiments.NAMES) - 1}: " in said


def test_a_full_run_that_was_finished_begins_again() -> None:
    done = journal.missing(["cpu"], "full", "here", Path("nowhere"))

    assert done == ["cpu"]


@pytest.mark.usefixtures("experiments_without_servers")
def test_a_busy_machine_is_named_before_the_run_and_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "busy", lambda: 83)

    run(tmp_path / "report", "--only", "cpu")

    said = capsys.readouterr().out
    assert said.index("the machine is busy: something else uses 83 %") < said.index("1 of 1")
    assert "The machine was busy." in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.usefixtures("experiments_without_servers")
def test_a_full_run_says_before_how_long_it_will_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "report", "--full")

    minutes = round(sum(full for _, full in experiments.SECONDS.values()) / 60)
    assert f"About {minutes} min" in capsys.readouterr().out


def test_each_experiment_says_how_long_it_takes_and_the_quick_ones_fit_into_five_minutes() -> None:
    assert set(experiments.SECONDS) == set(experiments.NAMES)
    assert set(experiments.QUICK) <= set(experiments.NAMES)
    assert sum(experiments.SECONDS[name][0] for name in experiments.QUICK) < 300
    assert [name for name in SCALES if name == "quick"]


def test_a_table_of_another_machine_is_not_continued(tmp_path: Path) -> None:
    journal.note(Run("cpu", "full", "2026-11-30", "9", "0", "elsewhere"), tmp_path)

    assert journal.missing(["cpu", "queue"], "full", "here", tmp_path) == ["cpu", "queue"]
    assert journal.missing(["cpu", "queue"], "full", "elsewhere", tmp_path) == ["queue"]


def test_what_this_machine_does_not_have_is_left_out_and_no_failure(
    experiments_without_servers: dict[str, Experiment],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def measure(_: Scale) -> Iterator[Finding]:
        raise MissingError("there is no redis-server on the PATH")
        yield

    experiments_without_servers["cpu"] = replace(quick_one("cpu"), measure=measure)

    assert run(tmp_path / "report", "--only", "cpu", "--only", "queue") == 0

    assert "Left out: there is no redis-server on the PATH" in capsys.readouterr().out
    assert "is left out.</b> there is no redis-server" in (tmp_path / "report.html").read_text(
        "utf-8"
    )
