"""Plots as SVG that takes its colours from the page: light, dark, print, and any width.

Predicted is a line on 200 points (or a tick), with a band where its parameters were measured, too.
Measured is a mark with a whisker along its interval; a hollow mark is off by more than a fifth. A
family of servers has its colour, and each of them, for eyes that see few colours, its shape: the
same in every plot, by the number of workers or threads in its name.
"""

from __future__ import annotations

import itertools
import math
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from lab.results import Line, Panel, Point

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 130, 12, 50
ROW, INDENT = 52, 12  # a row of a plot without an x-axis
SHAPES = (
    '<circle r="5.5"/>',
    '<rect x="-5" y="-5" width="10" height="10"/>',
    '<path d="M0-6.5 6.5 5-6.5 5z"/>',
    '<path d="M0-7 7 0 0 7-7 0z"/>',
    '<path d="M0 6.5 6.5-5-6.5-5z"/>',
    '<path d="M-6-2h4v-4h4v4h4v4h-4v4h-4v-4h-4z"/>',
)
NUMBERED = {1: 0, 2: 1, 4: 2, 8: 3, 16: 4}  # workers or threads: index of the shape
STEPS = 200  # points on which a prediction is drawn
VISIBLE = 0.01  # of a figure: a narrower band is not drawn
MOST_TICKS = 10  # measured places that are named along the bottom, before round figures are
KINDS = (
    ("nginx", "proxy"),
    ("thread", "thread"),
    ("gevent", "thread"),
    ("FastAPI: def", "thread"),
    ("loop", "loop"),
)
Place = Callable[[float], float]


def kind(series: str) -> str:
    """The family whose colour a series has, the same in every plot."""
    result = (name for word, name in (*KINDS, ("FastAPI", "loop")) if word in series)
    return next(result, "sync")


def figure(value: float) -> str:
    """Three digits, no more: 0.05, 9.7, 154, 1,320."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(digits, 2)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def shapes(names: Iterable[str]) -> dict[str, str]:
    """A shape for each series; within one plot and one colour, none twice while they last."""
    result: dict[str, str] = {}
    taken: set[tuple[str, int]] = set()
    for name in names:
        number = re.match(r"\d+", name)
        wanted = NUMBERED.get(int(number[0]), 5) if number else 0
        order = [(wanted + step) % len(SHAPES) for step in range(len(SHAPES))]
        free = (index for index in order if (kind(name), index) not in taken)
        index = next(free, wanted)
        taken.add((kind(name), index))
        result[name] = SHAPES[index]
    return result


def draw(panel: Panel, points: list[Point], predicted: list[Line], key: str) -> Markup:
    """One plot, with a text alternative that says every figure."""
    body, height = lines(panel, points, predicted) if panel.x else rows(panel, points)
    said = "; ".join(_said(panel, point) for point in points)
    unit = f"In {panel.y}" + (f", by {panel.x}" if panel.x else "")
    return Markup(  # noqa: S704 - what comes from a table is escaped
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-labelledby="{key}-t {key}-d">'
        f'<title id="{key}-t">{escape(panel.name)}</title>'
        f'<desc id="{key}-d">{escape(unit)}. {escape(said)}.</desc>{"".join(body)}</svg>'
    )


def _said(panel: Panel, point: Point) -> str:
    at = f" at {figure(point.x)}" if panel.x else ""
    measured, predicted = point.measured.value, point.predicted.value
    return f"{point.series}{at}: measured {figure(measured)}, predicted {figure(predicted)}"


@dataclass(frozen=True)
class Axis:
    """Values to pixels."""

    low: float
    high: float
    log: bool
    start: float
    end: float

    def __call__(self, value: float) -> float:
        value = min(max(value, self.low), self.high)  # a line may leave the plot
        span, done = self.high - self.low, value - self.low
        if self.log:
            span, done = math.log(self.high / self.low), math.log(value / self.low)
        return self.start + (self.end - self.start) * done / (span or 1)

    def spread(self, count: int) -> list[float]:
        """So many values from end to end, evenly as the eye sees them."""
        parts = [number / (count - 1) for number in range(count)]
        if self.log:
            return [self.low * (self.high / self.low) ** part for part in parts]
        return [self.low + (self.high - self.low) * part for part in parts]

    def ticks(self) -> list[float]:
        if not self.log:
            return _even(self.high)
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        steps = (1, 2, 5) if self.high / self.low < 200 else (1, 10)
        result = {step * 10.0**power for power in powers for step in steps}
        return sorted(tick for tick in result if self.low <= tick <= self.high)


def _even(high: float) -> list[float]:
    """Four to six round steps from 0."""
    step = 10 ** math.floor(math.log10(high / 2)) if high else 1
    step *= next(factor for factor in (1, 2, 5, 10) if high / (step * factor) <= 6)
    return [step * n for n in range(int(high / step) + 1)]


def _axis(values: Iterable[float], log: bool, start: float, end: float) -> Axis:
    values = [value for value in values if not log or value > 0]
    low, high = min(values), max(values)
    return Axis(low / 1.15 if log else 0, high * (1.15 if log else 1.05), log, start, end)


def _figures(point: Point) -> list[float]:
    """What a plot must have room for."""
    return [point.predicted.value, point.measured.value, point.measured.low, point.measured.high]


def _text(x: float, y: float, said: str, anchor: str = "start", name: str = "") -> str:
    attributes = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"' + (
        f' class="{name}"' * bool(name)
    )
    return f"<text {attributes}>{escape(said)}</text>"


def _line(x: float, y: float, x2: float, y2: float, name: str) -> str:
    return f'<path class="{name}" d="M{x:.1f} {y:.1f}L{x2:.1f} {y2:.1f}"/>'


def _mark(x: float, y: float, shape: str, agrees: bool = True) -> str:
    hollow = "" if agrees else ' class="off"'
    return f'<g transform="translate({x:.1f} {y:.1f})"{hollow}>{shape}</g>'


def lines(panel: Panel, points: list[Point], predicted: list[Line]) -> tuple[list[str], float]:
    """Predictions as lines, measurements as marks, names at the right."""
    right = WIDTH - RIGHT
    figures = [value for point in points for value in _figures(point)]
    xs = sorted({point.x for point in points})
    y = _axis(figures, panel.log_y, HEIGHT - BOTTOM, TOP)
    x = Axis(xs[0], xs[-1], panel.log_x, LEFT + 12, right - 12)
    body = _frame(panel, x, y, xs, right)
    marks, ends = shapes(dict.fromkeys(point.series for point in points)), []
    for name, shape in marks.items():
        series = [point for point in points if point.series == name]
        curve = next((each for each in predicted if each.series == name), None)
        drawn = _curve(curve, x, y) if curve else ""
        drawn += "".join(_measured(panel, point, shape, x, y) for point in series)
        body.append(f'<g class="{kind(name)}">{drawn}</g>')
        ends.append((y(series[-1].measured.value), name, shape))
    return body + _names(ends, right + 18), HEIGHT


def _frame(panel: Panel, x: Axis, y: Axis, xs: list[float], right: float) -> list[str]:
    floor = HEIGHT - BOTTOM
    body = [_line(LEFT, y(tick), right, y(tick), "grid") for tick in y.ticks()]
    body += [_text(LEFT - 7, y(tick) + 4, figure(tick), "end") for tick in y.ticks()]
    body.append(_line(LEFT, floor, right, floor, "axis"))
    last = -math.inf
    for tick in xs if len(xs) <= MOST_TICKS else x.ticks():
        if not x.low <= tick <= x.high:
            continue
        body.append(_line(x(tick), floor, x(tick), floor + 5, "axis"))
        if x(tick) - last > 24:
            body.append(_text(x(tick), floor + 19, figure(tick), "middle"))
            last = x(tick)
    return [*body, _text((LEFT + right) / 2, HEIGHT - 10, panel.x, "middle")]


def _curve(predicted: Line, x: Axis, y: Axis) -> str:
    """A function, drawn on enough points and on its corners; and a band for what is uncertain."""
    at = sorted({*x.spread(STEPS), *(bend for bend in predicted.bends() if x.low < bend < x.high)})
    known = [(x(value), predicted(value)) for value in at]
    middle = _path([(place, y(each.value)) for place, each in known])
    drawn = f'<path class="predicted" d="M{middle}"/>'
    if any(each.uncertainty > VISIBLE for _, each in known):
        above = [(place, y(each.high)) for place, each in known]
        below = [(place, y(each.low)) for place, each in reversed(known)]
        drawn = f'<path class="band" d="M{_path(above + below)}Z"/>{drawn}'
    return drawn


def _path(places: list[tuple[float, float]]) -> str:
    """Without the points that lie on a straight line between their neighbours."""
    drawn = [(f"{x:.1f}", f"{y:.1f}") for x, y in places]
    kept = [drawn[0]]
    for before, here, after in zip(drawn, drawn[1:], drawn[2:], strict=False):
        if not before[1] == here[1] == after[1]:
            kept.append(here)
    return "L".join(" ".join(place) for place in [*kept, drawn[-1]])


def _measured(panel: Panel, point: Point, shape: str, x: Place, y: Place) -> str:
    low, high = (y(end) for end in (point.measured.low, point.measured.high))
    spread = _line(x(point.x), low, x(point.x), high, "spread")
    solid = point.agrees(panel.noise) or not point.independent
    mark = _mark(x(point.x), y(point.measured.value), shape, solid)
    return spread + mark


def _names(ends: list[tuple[float, str, str]], left: float) -> list[str]:
    """Each name at the height where its series ends, moved apart where they would touch."""
    body, free = [], 0.0
    labels = [(at, name, shape, textwrap.wrap(name, 15)) for at, name, shape in sorted(ends)]
    room: float = HEIGHT - BOTTOM - sum(15 * len(said) + 4 for *_, said in labels)
    for at, name, shape, said in labels:
        top = max(free, min(at - 7 * len(said), free + max(0, room)))
        room -= top - free
        body.append(f'<g class="{kind(name)}">{_mark(left, top + 7, shape)}</g>')
        body += [
            _text(left + 11, top + 12 + 15 * n, line, name="name") for n, line in enumerate(said)
        ]
        free = top + 15 * len(said) + 4
    return body


def rows(panel: Panel, points: list[Point]) -> tuple[list[str], float]:
    """One row for each series: its name and figures, below them the mark and the predicted tick."""
    figures = [value for point in points for value in _figures(point)]
    x = _axis(figures, panel.log_x, INDENT, WIDTH - INDENT)
    floor = TOP + ROW * len(points)
    body = [_text(x(tick), floor + 17, figure(tick), "middle") for tick in x.ticks()]
    body.append(_text(WIDTH / 2, floor + 38, panel.y, "middle"))
    marks = shapes(point.series for point in points)
    for number, point in enumerate(points):
        body += _row(panel, point, marks[point.series], x, TOP + ROW * number)
    return body, floor + BOTTOM


def _row(panel: Panel, point: Point, shape: str, x: Axis, top: float) -> list[str]:
    y, result, predicted = top + 36, point.measured, point.predicted.value
    said = figure(result.value)
    tick = ""
    if point.independent:
        said = f"{said}, predicted {figure(predicted)}"
        tick = _line(x(predicted), y - 11, x(predicted), y + 11, "tick")
    spread = _line(x(result.low), y, x(result.high), y, "spread")
    mark = _mark(x(result.value), y, shape, point.agrees(panel.noise) or not point.independent)
    grid = [_line(x(value), y - 6, x(value), y + 6, "axis") for value in x.ticks()]
    return [
        *grid,
        _text(INDENT, top + 16, point.series, name="name"),
        _text(WIDTH - INDENT, top + 16, said, "end", "name"),
        _line(INDENT, y, WIDTH - INDENT, y, "axis"),
        f'<g class="{kind(point.series)}">{tick}{spread}{mark}</g>',
    ]


def strip(guesses: list[float], predicted: float, measured: float, unit: str) -> Markup:
    """What a class guessed, on one line, with the formula's tick and the measurement's mark."""
    values = [value for value in (*guesses, predicted, measured) if value > 0]
    x = Axis(min(values) / 1.3, max(values) * 1.3, True, INDENT, WIDTH - INDENT)
    y, heights = 44.0, itertools.cycle((0, -9, -18))
    body = [_line(INDENT, y + 12, WIDTH - INDENT, y + 12, "axis")]
    body += [_text(x(tick), y + 30, figure(tick), "middle") for tick in x.ticks()]
    body += [
        f'<circle class="guess" cx="{x(value):.1f}" cy="{y + height:.1f}" r="4"/>'
        for value, height in zip(sorted(guesses), heights, strict=False)
        if value > 0
    ]
    tick = _line(x(predicted), y - 12, x(predicted), y + 22, "tick")
    mark = _mark(x(measured), y + 12, SHAPES[3])
    body.append(f'<g class="sync">{tick}{mark}</g>')
    body.append(_text(WIDTH / 2, y + 50, unit, "middle"))
    said = ", ".join(figure(value) for value in sorted(guesses))
    label = f"Guessed {said}; predicted {figure(predicted)}; measured {figure(measured)}"
    return Markup(  # noqa: S704 - figures, and a unit of ours
        f'<svg class="strip" viewBox="0 14 {WIDTH} 86" role="img"'
        f' aria-label="{escape(label)} {escape(unit)}">{"".join(body)}</svg>'
    )
