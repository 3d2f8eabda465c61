"""The lab's door: python -m lab run [--quick|--full|--taste] [--only NAME] [--output FOLDER]."""

from __future__ import annotations

import argparse
import datetime
import signal
import sys
import time
from pathlib import Path

from lab import experiments, machine, report
from lab.plots import figure
from lab.results import SCALES, Experiment, Point, Scale, save
from lab.servers import nothing_left


def main(arguments: list[str] | None = None) -> None:
    told = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every server is ended
    folder: Path = told.output
    if told.command == "run":
        with nothing_left():
            run(SCALES[told.form], told.only or experiments.NAMES, folder)
    page = folder.with_name(f"{folder.name}.html")
    page.write_text(report.render(folder), encoding="utf-8")
    say(f"{page} and the tables in {folder}/")
    if told.lesson:
        lesson: Path = told.lesson
        lesson.write_text(report.fill(lesson.read_text("utf-8"), folder), encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="measure, then write the page and its tables")
    for scale in SCALES.values():
        running.add_argument(
            f"--{scale.name}", dest="form", action="store_const", const=scale.name, help=scale.takes
        )
    running.set_defaults(form="quick")
    running.add_argument("--only", action="append", choices=experiments.NAMES)
    page = commands.add_parser("page", help="write the page again from its tables")
    for command in (running, page):
        command.add_argument("--output", type=Path, default=Path("lab-report"), metavar="FOLDER")
        command.add_argument("--lesson", type=Path, help="put the sentences to remember into it")
    return top


def run(scale: Scale, names: list[str], folder: Path) -> None:
    """Each experiment in turn; the tables of an earlier run go."""
    say(f"{scale.name}: {scale.takes}; loopback only, and nothing is left running")
    begin = time.monotonic()
    facts = machine.describe()
    for old in folder.glob("*.csv"):
        old.unlink()
    for number, name in enumerate(names, 1):
        experiment = report.experiment(name)
        say(f"\n{number} of {len(names)}: {experiment.text['title']}")
        say(experiment.text["question"])
        points = carry_out(experiment, scale, begin)
        save(experiment, points, folder)
        say(f"  → {experiment.says('remember', points)}")
    spent = time.monotonic() - begin
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    form = f"{scale.name} ({scale.repeats} repeats of each point, {spent / 60:.1f} minutes)"
    report.save_machine({**facts, "form": form, "day": today}, folder)


def carry_out(experiment: Experiment, scale: Scale, begin: float) -> list[Point]:
    points = []
    for point in experiment.measure(scale):
        points.append(point)
        at = f" at {figure(point.x)}" if point.x else ""
        figures = f"measured {figure(point.median)}, predicted {figure(point.predicted)}"
        say(f"  {time.monotonic() - begin:4.0f} s  {point.panel}, {point.series}{at}: {figures}")
    return points


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - progress is for whoever waits


if __name__ == "__main__":
    main()
