"""What an experiment is and what it finds; a table of results is a CSV file, and nothing else."""

from __future__ import annotations

import csv
import statistics
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Value = TypeVar("Value")
TEXTS = Path(__file__).parent / "experiments"
AGREES = 0.2  # measured within a fifth of predicted: what a sketch of a machine can promise
COLUMNS = "panel series x predicted median lowest highest ratio agrees samples".split()


@dataclass(frozen=True)
class Scale:
    """How thorough a run is."""

    name: str
    repeats: int
    takes: str

    def pick(self, *, full: Value, quick: Value, taste: Value) -> Value:
        """The value for this scale."""
        return {"full": full, "quick": quick, "taste": taste}[self.name]


SCALES = {
    "quick": Scale("quick", 3, "under 5 minutes"),
    "full": Scale("full", 5, "about half an hour"),
    "taste": Scale("taste", 1, "about a minute; shows that it runs, measures nothing"),
}


@dataclass(frozen=True)
class Panel:
    """One plot: its axes, and what lies below the noise of an ordinary machine."""

    name: str
    y: str
    x: str = ""  # none: one row for each series
    log_x: bool = False
    log_y: bool = False
    noise: float = 0  # in units of y; differences below it mean nothing


@dataclass(frozen=True)
class Point:
    """What was predicted, and what each repeat measured."""

    panel: str
    series: str
    x: float
    predicted: float
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def ratio(self) -> float:
        return self.median / self.predicted

    def agrees(self, noise: float) -> bool:
        off = abs(self.median - self.predicted)
        return off <= max(noise, AGREES * self.predicted)


@dataclass(frozen=True)
class Experiment:
    """How a question is measured and what to remember; the question itself stands in text.toml."""

    name: str
    panels: Callable[[list[Point]], list[Panel]]
    measure: Callable[[Scale], Iterator[Point]]
    figures: Callable[[list[Point]], dict[str, object]]  # what its sentences leave blank

    @property
    def text(self) -> dict[str, Any]:
        """`title`, `question`, `arithmetic` (the prediction), `limits` (where the model ends)."""
        return tomllib.loads((TEXTS / self.name / "text.toml").read_text(encoding="utf-8"))

    def says(self, key: str, points: list[Point]) -> str:
        """`remember` or `note` with the figures of these points in it."""
        return " ".join(self.text.get(key, "").format(**self.figures(points)).split())

    def noise(self, points: list[Point], name: str) -> float:
        return next(panel.noise for panel in self.panels(points) if panel.name == name)


def median_of(points: Iterable[Point], panel: str, series: str, x: float = 0) -> float:
    """One measured figure, for a sentence."""
    return next(p.median for p in points if (p.panel, p.series, p.x) == (panel, series, x))


def save(experiment: Experiment, points: list[Point], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{experiment.name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for point in points:
            writer.writerow(_row(point, experiment.noise(points, point.panel)))


def _row(point: Point, noise: float) -> list[object]:
    figures = (point.predicted, point.median, min(point.samples), max(point.samples), point.ratio)
    return [
        point.panel,
        point.series,
        f"{point.x:g}",
        *(f"{figure:.5g}" for figure in figures),
        "yes" if point.agrees(noise) else "no",
        " ".join(f"{sample:.5g}" for sample in point.samples),
    ]


def read(path: Path) -> list[Point]:
    """The points of a table that `save` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_point(row) for row in csv.DictReader(file)]


def _point(row: dict[str, str]) -> Point:
    samples = tuple(float(sample) for sample in row["samples"].split())
    return Point(row["panel"], row["series"], float(row["x"]), float(row["predicted"]), samples)
