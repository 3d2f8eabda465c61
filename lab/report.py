"""One page out of the tables, self-contained; the same tables always make the same page."""

from __future__ import annotations

import importlib
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lab import experiments, guesses, journal, plots, sliders
from lab.journal import Run
from lab.results import Experiment, Line, Panel, Point, read, read_lines

HERE = Path(__file__).parent
ABSENT = "This experiment is not in the sample. What does it say on your machine?"
BUSY = " (Measured on a busy machine: the figures are not what it can do.)"


@dataclass(frozen=True)
class Part:
    """What the page says of one experiment."""

    experiment: Experiment
    run: Run
    points: list[Point]
    lines: list[Line]
    csv: str
    guesses: dict[str, float]

    @property
    def tables(self) -> list[tuple[Panel, list[Point]]]:
        panels = self.experiment.panels(self.points)
        return [(panel, [p for p in self.points if p.panel == panel.name]) for panel in panels]

    @property
    def plots(self) -> list[tuple[Panel, Markup]]:
        name = self.experiment.name
        drawn = []
        for number, (panel, points) in enumerate(self.tables):
            lines = [each for each in self.lines if each.panel == panel.name]
            drawn.append((panel, plots.draw(panel, points, lines, f"{name}-{number}")))
        return drawn

    @property
    def strip(self) -> Markup | None:
        """What was guessed before the run, if anybody did, beside formula and measurement."""
        question = guesses.question(self.experiment)
        answer = question.answer(self.points)
        if not self.guesses or answer is None:
            return None
        figures = (answer.predicted.value, answer.measured.value)
        return plots.strip(list(self.guesses.values()), *figures, question.unit)

    @property
    def guessed(self) -> str:
        return guesses.summary(self.guesses.values())

    @property
    def noise(self) -> bool:
        return any(panel.noise for panel, _ in self.tables)

    @property
    def independent(self) -> int:
        """How many points could have contradicted their prediction."""
        return sum(point.independent for point in self.points)

    @property
    def astray(self) -> list[tuple[Panel, Point]]:
        return [
            (panel, point)
            for panel, points in self.tables
            for point in points
            if point.independent and not point.agrees(panel.noise)
        ]

    @property
    def agreeing(self) -> int:
        return self.independent - len(self.astray)

    @property
    def off(self) -> dict[str, str]:
        """The points that contradict, in words: for each plot, its servers and their ratios."""
        result: dict[str, dict[str, list[str]]] = {}
        for panel, p in self.astray:
            at = f"{plots.figure(p.x)}: " if panel.x else ""
            ratios = result.setdefault(panel.name, {}).setdefault(p.series, [])
            by = f"{p.ratio:.2f} times" if p.predicted.value else plots.figure(p.measured.value)
            ratios.append(f"{at}{by}")
        return {
            panel: "; ".join(f"{name} ({', '.join(said)})" for name, said in series.items())
            for panel, series in result.items()
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
    result = importlib.import_module(f"lab.experiments.{name}.experiment").EXPERIMENT
    assert isinstance(result, Experiment)  # noqa: S101 - what the module is for
    return result


def parts(folder: Path) -> list[Part]:
    """Every experiment that has left a table, in the order of a lesson."""
    known = guesses.read(folder)
    runs = [run for run in journal.read(folder).values() if not run.failed]
    return [_part(run, folder, known.get(run.name, {})) for run in runs]


def _part(run: Run, folder: Path, known: dict[str, float]) -> Part:
    table = folder / f"{run.name}.csv"
    data = f"data:text/csv,{quote(table.read_text('utf-8'))}"
    return Part(experiment(run.name), run, read(table), read_lines(table), data, known)


def code(text: str) -> Markup:
    """Text with `code` in it."""
    return Markup(re.sub("`(.+?)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def render(folder: Path) -> str:
    """The page that the tables of a folder make."""
    runs = list(journal.read(folder).values())
    result = parts(folder)
    templates = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters.update(figure=plots.figure, code=code)
    facts = journal.read_machine(folder)
    points = {part.experiment.name: part.points for part in result}
    lines = {part.experiment.name: part.lines for part in result}
    context: dict[str, Any] = {
        "measured": sliders.measured(points, lines, int(facts["processors"])),
        "parts": result,
        "machine": facts,
        "taste": [run.name for run in runs if run.form == "taste"],
        "busy": [run for run in runs if run.was_busy],
        "failed": [(experiment(run.name).text["title"], run) for run in runs if run.failed],
        "agreeing": sum(part.agreeing for part in result),
        "independent": sum(part.independent for part in result),
    }
    return templates.get_template("report.html.j2").render(context)


def write(folder: Path) -> Path:
    """Put the page beside its folder."""
    page = folder.with_name(f"{folder.name}.html")
    page.write_text(render(folder), encoding="utf-8")
    return page


def fill(lesson: str, folder: Path) -> str:
    """A lesson whose sentences to remember are those of these tables."""
    known = {part.experiment.name: part for part in parts(folder)}
    for name in experiments.NAMES:
        start, end = f"<!-- {name} -->\n", "<!-- end -->"
        said = sentence(known[name]) if name in known else ABSENT
        wrapped = textwrap.fill(said, 98, break_on_hyphens=False)
        box = f"{start}{textwrap.indent(wrapped, '> ')}\n{end}"
        pattern = re.escape(start) + ".*?" + re.escape(end)
        lesson = re.sub(pattern, box.replace("\\", r"\\"), lesson, flags=re.DOTALL)
    return lesson


def sentence(part: Part) -> str:
    return part.remember + BUSY * part.run.was_busy
