"""What learners guess before a run: guesses.csv beside the tables, one row for each person.

A guess that is written down cannot be corrected afterwards: that is what makes a surprise.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.results import Experiment, Point

FILE = "guesses.csv"
COLUMNS = ["name", "who", "guess"]
MOST = 1e9  # of anything that is asked for here
PEOPLE = 200  # names in a file; a class is smaller


@dataclass(frozen=True)
class Question:
    """What is asked, and which point answers it."""

    name: str
    ask: str
    unit: str
    panel: str
    series: str
    x: float

    def answer(self, points: Iterable[Point]) -> Point | None:
        """None where this run did not measure it: a taste has fewer points."""
        wanted = (self.panel, self.series, self.x)
        return next((each for each in points if (each.panel, each.series, each.x) == wanted), None)


def question(experiment: Experiment) -> Question:
    return Question(experiment.name, **experiment.text["guess"])


def number(text: str) -> float:
    """What somebody typed: 1500, 1,500, 0.4 or 12e3.

    Raises:
        ValueError: not a number above 0, with a sentence that says what would be right.
    """
    try:
        value = float(text.strip().replace(",", "").replace("_", ""))
    except ValueError:
        raise ValueError("Please type a number, as 40 or 2.5; or nothing, to skip it.") from None
    if not 0 < value <= MOST:
        raise ValueError(f"Please type a number above 0 and up to {MOST:,.0f}.")
    return value


Guesses = dict[str, dict[str, float]]  # experiment, who: guess


def read(folder: Path) -> Guesses:
    return read_file(folder / FILE) if (folder / FILE).exists() else {}


def read_file(path: Path) -> Guesses:
    """The guesses of a file.

    Raises:
        ValueError: it is no such file; says which line is wrong.
    """
    result: Guesses = {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != COLUMNS:
            raise ValueError(f"{path}: the first line must be {','.join(COLUMNS)}")
        for row in reader:
            try:
                guess = number(row["guess"] or "")
            except ValueError as error:
                raise ValueError(f"{path}, line {reader.line_num}: {error}") from None
            people = result.setdefault(row["name"], {})
            people[row["who"]] = guess
            if len(people) > PEOPLE:
                raise ValueError(f"{path}: more than {PEOPLE} people guess {row['name']}")
    return result


def write(guesses: Guesses, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, people in guesses.items():
            writer.writerows((name, who, f"{guess:g}") for who, guess in people.items())


def collect(files: Iterable[Path], folder: Path) -> int:
    """Take in the guesses of others; how many there are now for the question with the most."""
    known = read(folder)
    for path in files:
        for name, people in read_file(path).items():
            known.setdefault(name, {}).update(people)
    write(known, folder)
    return max((len(people) for people in known.values()), default=0)


def ask_all(
    questions: Iterable[Question], who: str, folder: Path, say: Callable[[str], None]
) -> int:
    """Ask for each guess and keep it at once; how many were given."""
    given = 0
    for each in questions:
        say(f"\n{each.ask}")
        try:
            guess = _ask(each, say)
        except EOFError:
            break
        if guess is not None:
            known = read(folder)
            known.setdefault(each.name, {})[who] = guess
            write(known, folder)
            given += 1
    return given


def _ask(question: Question, say: Callable[[str], None]) -> float | None:
    while text := input(f"Your guess, in {question.unit} (Enter skips): ").strip():
        try:
            return number(text)
        except ValueError as error:
            say(str(error))
    return None


def summary(guesses: Iterable[float]) -> str:
    """In words, for a sentence."""
    values = sorted(guesses)
    if len(values) == 1:
        return f"guessed: {values[0]:g}"
    middle = statistics.median(values)
    return f"{len(values)} guesses, from {values[0]:g} to {values[-1]:g}, median {middle:g}"
