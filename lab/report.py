"""One page out of the tables, self-contained; the same tables always make the same page."""

from __future__ import annotations

import csv
import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lab import experiments, plots
from lab.results import SCALES, Experiment, Panel, Point, read

HERE = Path(__file__).parent
MACHINE = "machine.csv"
BUSY = 25  # percent of the processors; what is measured beside that is measured badly


@dataclass(frozen=True)
class Part:
    """What the page says of one experiment."""

    experiment: Experiment
    points: list[Point]
    csv: str

    @property
    def tables(self) -> list[tuple[Panel, list[Point]]]:
        panels = self.experiment.panels(self.points)
        return [(panel, [p for p in self.points if p.panel == panel.name]) for panel in panels]

    @property
    def plots(self) -> list[tuple[Panel, Markup]]:
        name = self.experiment.name
        return [
            (panel, plots.draw(panel, points, f"{name}-{number}"))
            for number, (panel, points) in enumerate(self.tables)
        ]

    @property
    def noise(self) -> bool:
        return any(panel.noise for panel, _ in self.tables)

    @property
    def astray(self) -> list[tuple[Panel, Point]]:
        return [(a, p) for a, points in self.tables for p in points if not p.agrees(a.noise)]

    @property
    def agreeing(self) -> int:
        return len(self.points) - len(self.astray)

    @property
    def off(self) -> dict[str, str]:
        """The points that contradict, in words: for each plot, its servers and their ratios."""
        found: dict[str, dict[str, list[str]]] = {}
        for panel, p in self.astray:
            at = f"{plots.figure(p.x)}: " if panel.x else ""
            ratios = found.setdefault(panel.name, {}).setdefault(p.series, [])
            ratios.append(f"{at}{p.ratio:.2f} times")
        return {
            panel: "; ".join(f"{name} ({', '.join(said)})" for name, said in series.items())
            for panel, series in found.items()
        }

    @property
    def text(self) -> dict[str, Any]:
        return self.experiment.text

    @property
    def remember(self) -> str:
        return self.experiment.says("remember", self.points)

    @property
    def note(self) -> str:
        return self.experiment.says("note", self.points)


def experiment(name: str) -> Experiment:
    found = importlib.import_module(f"lab.experiments.{name}.experiment").EXPERIMENT
    assert isinstance(found, Experiment)  # noqa: S101 - what the module is for
    return found


def parts(folder: Path) -> list[Part]:
    """Every experiment that has left a table, in the order of a lesson."""
    tables = [(name, folder / f"{name}.csv") for name in experiments.NAMES]
    return [
        Part(experiment(name), read(table), f"data:text/csv,{quote(table.read_text('utf-8'))}")
        for name, table in tables
        if table.exists()
    ]


def save_machine(facts: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / MACHINE).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(facts.items())


def read_machine(folder: Path) -> dict[str, str]:
    with (folder / MACHINE).open(newline="", encoding="utf-8") as file:
        return dict(csv.reader(file))


def code(text: str) -> Markup:
    """Text with `code` in it."""
    return Markup(re.sub("`(.+?)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def render(folder: Path) -> str:
    """The page that the tables of a folder make."""
    facts = read_machine(folder)
    form = facts["form"].split()[0]
    templates = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters.update(figure=plots.figure, code=code)
    busy = int(facts["busy before the start"].split()[0]) > BUSY
    context: dict[str, Any] = {"busy": busy, "parts": parts(folder), "machine": facts, "form": form}
    return templates.get_template("report.html.j2").render(**context, repeats=SCALES[form].repeats)


def fill(lesson: str, folder: Path) -> str:
    """A lesson whose sentences to remember are those of these tables."""
    for part in parts(folder):
        start, end = f"<!-- {part.experiment.name} -->\n", "<!-- end -->"
        sentence = f"{start}> {part.remember}\n{end}"
        pattern = re.escape(start) + ".*?" + re.escape(end)
        lesson = re.sub(pattern, sentence.replace("\\", r"\\"), lesson, flags=re.DOTALL)
    return lesson
