"""The lab's door: guess first (python -m lab predict), then measure (python -m lab run)."""

from __future__ import annotations

import argparse
import datetime
import signal
import sys
import time
import traceback
from pathlib import Path

from lab import experiments, guesses, journal, machine, report
from lab.journal import Run
from lab.plots import figure
from lab.results import SCALES, Experiment, Line, Point, Scale, save
from lab.servers import MissingError, nothing_left

FAILED = "It failed with "


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every server is ended
    folder: Path = options.output
    if options.command == "predict":
        predict(options, folder)
        return
    failed = False
    if options.command == "run":
        scale = SCALES[options.form]
        some = scale.name == "quick" and not options.all
        names = options.only or (experiments.QUICK if some else experiments.NAMES)
        continued = scale.name == "full" and not options.only
        try:
            with nothing_left():
                failed = run(scale, names, folder, continued=continued)
        except KeyboardInterrupt:
            say("\nStopped; nothing is left running, and what was measured is kept.")
            say("The same command goes on from here." if continued else "")
            sys.exit(130)
    page = report.write(folder)
    say(f"\n{page} and the tables in {folder}/")
    for lesson in options.lesson:
        lesson.write_text(report.fill(lesson.read_text("utf-8"), folder), encoding="utf-8")
    sys.exit(failed)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="measure, then write the page and its tables")
    for scale in SCALES.values():
        running.add_argument(
            f"--{scale.name}", dest="form", action="store_const", const=scale.name, help=scale.says
        )
    running.set_defaults(form="quick")
    running.add_argument("--all", action="store_true", help="with --quick: also those of lab-full")
    running.add_argument("--only", action="append", choices=experiments.NAMES)
    guess = commands.add_parser("predict", help="type a guess for each question before the run")
    guess.add_argument("--who", default="you", help="whose guesses they are, in a class")
    guess.add_argument("--only", action="append", choices=experiments.NAMES)
    guess.add_argument(
        "--collect", type=Path, nargs="+", metavar="FILE", help="take in the guesses.csv of others"
    )
    page = commands.add_parser("page", help="write the page again from its tables")
    for command in (running, page, guess):
        command.add_argument("--output", type=Path, default=Path("lab-report"), metavar="FOLDER")
    for command in (running, page):
        command.add_argument(
            "--lesson",
            type=Path,
            action="append",
            default=[],
            help="put the sentences to remember into it",
        )
    return top


def predict(options: argparse.Namespace, folder: Path) -> None:
    """Ask for a guess for each question that the next run answers."""
    if options.collect:
        try:
            most = guesses.collect(options.collect, folder)
        except (OSError, ValueError) as error:
            sys.exit(f"Nothing was taken in: {error}")
        say(f"{folder / guesses.FILE} has the guesses of up to {most} people.")
        return
    names = options.only or experiments.QUICK
    if measured := [name for name in names if name in journal.read(folder)]:
        say(
            f"{folder}/ has figures of {', '.join(measured)}: do not look at them before you guess."
        )
    questions = [guesses.question(report.experiment(name)) for name in names]
    given = guesses.ask_all(questions, options.who, folder, say)
    say(f"\n{given} of {len(names)} guesses are in {folder / guesses.FILE}. Now measure: make lab")


def run(scale: Scale, names: list[str], folder: Path, *, continued: bool) -> bool:
    """Each experiment in turn, the page after each; whether one of them failed.

    What this machine does not have is no failure, and named on the page.
    """
    known = journal.save_machine(machine.describe(), folder)
    left = journal.missing(names, scale.name, known, folder) if continued else names
    say(f"{scale.name}: {scale.says}; loopback only, and nothing is left running.")
    say(f"{expected(scale, left)} on a quiet machine with two processors. Stop it with Ctrl+C.")
    if len(left) < len(names):
        say(f"Continued: {len(names) - len(left)} of {len(names)} experiments are done.")
    warn(machine.busy())
    begin, failed = time.monotonic(), False
    for number, name in enumerate(left, 1):
        experiment = report.experiment(name)
        say(f"\n{number} of {len(left)}: {experiment.text['title']}")
        say(experiment.text["question"])
        done = carry_out(experiment, scale, known, folder, begin)
        failed = failed or done.failed.startswith(FAILED)
        journal.note(done, folder)
        report.write(folder)
    return failed


def expected(scale: Scale, names: list[str]) -> str:
    """How long it will take, in words."""
    if scale.name == "taste":
        return "A minute or two"
    seconds = sum(experiments.SECONDS[name][scale.name == "full"] for name in names)
    return f"About {max(1, round(seconds / 60))} min"


def warn(busy: int) -> None:
    if busy > journal.BUSY:
        say(
            f"WARNING: the machine is busy: something else uses {busy} % of the processors."
            " The figures will show it. Better end that first."
        )


def carry_out(experiment: Experiment, scale: Scale, known: str, folder: Path, begin: float) -> Run:
    """One experiment, whose failure is a line here and on the page, and no reason to stop."""
    start, busy, why = time.monotonic(), machine.busy(), ""
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    try:
        measure(experiment, scale, folder, begin)
    except MissingError as error:
        why = str(error)
        say(f"  Left out: {why}")
    except Exception as error:  # noqa: BLE001 - whatever it was, the others go on
        traceback.print_exc()
        first = str(error).partition("\n")[0]
        why = f"{FAILED}{type(error).__name__}: {first}"
        say(f"  Left out. {why}")
    spent = f"{time.monotonic() - start:.0f}"
    return Run(experiment.name, scale.name, day, spent, str(busy), known, why)


def measure(experiment: Experiment, scale: Scale, folder: Path, begin: float) -> None:
    points, lines = list[Point](), list[Line]()
    for result in experiment.measure(scale):
        if isinstance(result, Line):
            lines.append(result)
            continue
        points.append(result)
        at = f" at {figure(result.x)}" if result.x else ""
        figures = f"measured {figure(result.measured.value)}"
        if result.independent:
            figures += f", predicted {figure(result.predicted.value)}"
        spent = f"{time.monotonic() - begin:4.0f} s"
        say(f"  {spent}  {result.panel}, {result.series}{at}: {figures} ({result.window})")
    save(experiment, points, lines, folder)
    compare(experiment, points, folder)
    say(f"  → {experiment.says('remember', points)}")


def compare(experiment: Experiment, points: list[Point], folder: Path) -> None:
    """Guess, formula and measurement in one line."""
    known = guesses.read(folder).get(experiment.name, {})
    answer = guesses.question(experiment).answer(points)
    if known and answer:
        formula, result = figure(answer.predicted.value), figure(answer.measured.value)
        summary = guesses.summary(known.values())
        say(f"  {summary[0].upper()}{summary[1:]}; the formula said {formula}; measured {result}.")


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - progress is for whoever waits


if __name__ == "__main__":
    main()
