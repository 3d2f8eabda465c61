"""What an experiment is and what it finds; a table of results is a CSV file, and nothing else."""

from __future__ import annotations

import csv
import itertools
import math
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lab import arithmetic
from lab.estimate import Estimate

Value = TypeVar("Value")
TEXTS = Path(__file__).parent / "experiments"
AGREES = 0.2  # measured within a fifth of predicted: what a sketch of a machine can promise
COLUMNS = (
    "panel series x predicted predicted_low predicted_high measured low high ratio agrees"
    " independent window"
).split()
LINE_COLUMNS = "panel series formula parameters".split()


@dataclass(frozen=True)
class Scale:
    """How thorough a run is."""

    name: str
    repeats: int
    says: str

    def pick(self, *, full: Value, quick: Value, taste: Value) -> Value:
        """The value for this scale."""
        return {"full": full, "quick": quick, "taste": taste}[self.name]


SCALES = {
    "quick": Scale("quick", 3, "the experiments that matter most, with few points"),
    "full": Scale("full", 5, "all experiments, with more points and repeats"),
    "taste": Scale("taste", 1, "shows that everything runs; measures nothing"),
}


@dataclass(frozen=True)
class Panel:
    """One plot: its axes, and what is below the noise of an ordinary machine."""

    name: str
    y: str
    x: str = ""  # none: one row for each series
    log_x: bool = False
    log_y: bool = False
    noise: float = 0  # in units of y; differences below it mean nothing


@dataclass(frozen=True)
class Line:
    """A prediction: a function of x, for one series in one plot.

    `known` holds the other parameters of the formula, some of them measured before, with intervals.
    """

    panel: str
    series: str
    formula: str
    known: dict[str, Estimate] = field(hash=False)

    def __call__(self, x: float) -> Estimate:
        """The prediction, with what the intervals of its parameters make of it."""
        formula = arithmetic.FORMULAS[self.formula]
        value = formula(x, **{name: known.value for name, known in self.known.items()})
        ends = ({known.low, known.high} for known in self.known.values())
        corners = [
            formula(x, **dict(zip(self.known, corner, strict=True)))
            for corner in itertools.product(*ends)
        ]
        return Estimate(value, min(value, *corners), max(value, *corners))

    def bends(self) -> list[float]:
        """Where the function has a corner, which 200 points might miss."""
        known = {name: each.value for name, each in self.known.items()}
        result = [known["seats"]] if "seats" in known else []
        if math.isfinite(known.get("ceiling", math.inf)):
            result.append(known["ceiling"] * (known["service"] + known.get("overhead", 0)))
        return result


def line(panel: str, series: str, formula: str, **known: Estimate | float) -> Line:
    """A prediction out of a formula of `arithmetic` and what is known of its parameters."""
    exact = {
        name: each if isinstance(each, Estimate) else Estimate.exact(each)
        for name, each in known.items()
    }
    return Line(panel, series, formula, exact)


@dataclass(frozen=True)
class Point:
    """What was predicted, and what was measured."""

    panel: str
    series: str
    x: float
    predicted: Estimate
    measured: Estimate
    window: str  # how often, or for how long, it was measured
    independent: bool = True  # not another point in disguise: the score counts it

    @property
    def ratio(self) -> float:
        return self.measured.value / self.predicted.value if self.predicted.value else math.inf

    def agrees(self, noise: float) -> bool:
        off = abs(self.measured.value - self.predicted.value)
        return off <= max(noise, AGREES * self.predicted.value)


Finding = Point | Line


@dataclass(frozen=True)
class Experiment:
    """How a question is measured and what to remember; the question itself stands in text.toml."""

    name: str
    panels: Callable[[list[Point]], list[Panel]]
    measure: Callable[[Scale], Iterator[Finding]]
    figures: Callable[[list[Point]], Mapping[str, object]]  # what its sentences leave blank

    @property
    def text(self) -> dict[str, Any]:
        """`title`, `question`, `arithmetic` (the prediction), `limits` (where the model ends)."""
        return tomllib.loads((TEXTS / self.name / "text.toml").read_text(encoding="utf-8"))

    def says(self, key: str, points: list[Point]) -> str:
        """`remember` or `note` with the figures of these points in it."""
        return " ".join(self.text.get(key, "").format_map(self.figures(points)).split())

    def noise(self, points: list[Point], name: str) -> float:
        return next(panel.noise for panel in self.panels(points) if panel.name == name)


def measured(points: Iterable[Point], panel: str, series: str, x: float = 0) -> float:
    """One measured figure, for a sentence."""
    return next(p.measured.value for p in points if (p.panel, p.series, p.x) == (panel, series, x))


def save(experiment: Experiment, points: list[Point], lines: list[Line], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_row(point, experiment.noise(points, point.panel)) for point in points]
    _write(folder / f"{experiment.name}.csv", COLUMNS, rows)
    _write(folder / f"{experiment.name}.lines.csv", LINE_COLUMNS, map(_line_row, lines))


def _write(path: Path, columns: list[str], rows: Iterable[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _row(point: Point, noise: float) -> list[str]:
    figures = [*_ends(point.predicted), *_ends(point.measured), f"{point.ratio:.5g}"]
    agrees = "yes" if point.agrees(noise) else "no"
    independent = "yes" if point.independent else "no"
    row = [point.panel, point.series, f"{point.x:g}", *figures, agrees]
    return [*row, independent, point.window]


def _line_row(each: Line) -> list[str]:
    known = [f"{name}={':'.join(_ends(value))}" for name, value in each.known.items()]
    return [each.panel, each.series, each.formula, " ".join(known)]


def _ends(estimate: Estimate) -> list[str]:
    return [f"{figure:.5g}" for figure in (estimate.value, estimate.low, estimate.high)]


def read(path: Path) -> list[Point]:
    """The points of a table that `save` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_point(row) for row in csv.DictReader(file)]


def read_lines(path: Path) -> list[Line]:
    """The predictions beside that table."""
    with path.with_suffix(".lines.csv").open(newline="", encoding="utf-8") as file:
        return [_line(row) for row in csv.DictReader(file)]


def _point(row: dict[str, str]) -> Point:
    predicted, result = (
        Estimate(float(row[name]), float(row[low]), float(row[high]))
        for name, low, high in (
            ("predicted", "predicted_low", "predicted_high"),
            ("measured", "low", "high"),
        )
    )
    where = (row["panel"], row["series"], float(row["x"]))
    return Point(*where, predicted, result, row["window"], row["independent"] == "yes")


def _line(row: dict[str, str]) -> Line:
    known = {}
    for parameter in row["parameters"].split():
        name, _, ends = parameter.partition("=")
        known[name] = Estimate(*(float(end) for end in ends.split(":")))
    return Line(row["panel"], row["series"], row["formula"], known)
