"""Plots as SVG that takes its colours from the page: light, dark, print, and any width.

Predicted is a line (or a tick), measured a mark with a whisker from the lowest to the highest
repeat; a hollow mark is off by more than a fifth. A family of servers has its colour, and each of
them, for eyes that see few colours, its shape.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from lab.results import Panel, Point

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 124, 12, 50
ROW, INDENT = 52, 12  # a row of a plot without an x-axis
SHAPES = (
    '<circle r="5.5"/>',
    '<rect x="-5" y="-5" width="10" height="10"/>',
    '<path d="M0-6.5 6.5 5-6.5 5z"/>',
    '<path d="M0-7 7 0 0 7-7 0z"/>',
    '<path d="M0 6.5 6.5-5-6.5-5z"/>',
    '<path d="M-6-2h4v-4h4v4h4v4h-4v4h-4v-4h-4z"/>',
)
KINDS = (("nginx", "proxy"), ("thread", "thread"), ("FastAPI: def", "thread"), ("loop", "loop"))
Place = Callable[[float], float]


def kind(series: str) -> str:
    """The family whose colour a series has, the same in every plot."""
    found = (name for word, name in (*KINDS, ("FastAPI", "loop")) if word in series)
    return next(found, "sync")


def figure(value: float) -> str:
    """Three digits, no more: 0.05, 9.7, 154, 1,320."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(digits, 2)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def draw(panel: Panel, points: list[Point], key: str) -> Markup:
    """One plot, with a text alternative that says every figure."""
    body, height = lines(panel, points) if panel.x else rows(panel, points)
    said = "; ".join(_said(panel, point) for point in points)
    unit = f"In {panel.y}" + (f", by {panel.x}" if panel.x else "")
    return Markup(  # noqa: S704 - what comes from a table is escaped
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-labelledby="{key}-t {key}-d">'
        f'<title id="{key}-t">{escape(panel.name)}</title>'
        f'<desc id="{key}-d">{escape(unit)}. {escape(said)}.</desc>{"".join(body)}</svg>'
    )


def _said(panel: Panel, point: Point) -> str:
    at = f" at {figure(point.x)}" if panel.x else ""
    figures = f"measured {figure(point.median)}, predicted {figure(point.predicted)}"
    return f"{point.series}{at}: {figures}"


@dataclass(frozen=True)
class Axis:
    """Values to pixels."""

    low: float
    high: float
    log: bool
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span, done = self.high - self.low, value - self.low
        if self.log:
            span, done = math.log(self.high / self.low), math.log(max(value, self.low) / self.low)
        return self.start + (self.end - self.start) * done / (span or 1)

    def ticks(self) -> list[float]:
        if not self.log:
            return _even(self.high)
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        steps = (1, 2, 5) if self.high / self.low < 200 else (1, 10)
        found = {step * 10.0**power for power in powers for step in steps}
        return sorted(tick for tick in found if self.low <= tick <= self.high)


def _even(high: float) -> list[float]:
    """Four to six round steps from 0."""
    step = 10 ** math.floor(math.log10(high / 2)) if high else 1
    step *= next(factor for factor in (1, 2, 5, 10) if high / (step * factor) <= 6)
    return [step * n for n in range(int(high / step) + 1)]


def _axis(values: Iterable[float], log: bool, start: float, end: float) -> Axis:
    values = list(values)
    low, high = min(values), max(values)
    return Axis(low / 1.15 if log else 0, high * (1.15 if log else 1.05), log, start, end)


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


def lines(panel: Panel, points: list[Point]) -> tuple[list[str], float]:
    """Predictions as lines, measurements as marks, names at the right."""
    figures = [value for p in points for value in (p.predicted, *p.samples)]
    xs = sorted({point.x for point in points})
    right = WIDTH - RIGHT
    y = _axis(figures, panel.log_y, HEIGHT - BOTTOM, TOP)
    x = Axis(xs[0], xs[-1], panel.log_x, LEFT + 12, right - 12)
    body = _frame(panel, x, y, xs, right)
    names = list(dict.fromkeys(point.series for point in points))
    ends = []
    for number, name in enumerate(names):
        series, shape = [p for p in points if p.series == name], SHAPES[number % len(SHAPES)]
        body.append(_series(panel, series, shape, x, y))
        ends.append((y(series[-1].median), name, shape))
    return body + _names(ends, right + 18), HEIGHT


def _frame(panel: Panel, x: Axis, y: Axis, xs: list[float], right: float) -> list[str]:
    floor = HEIGHT - BOTTOM
    body = [_line(LEFT, y(tick), right, y(tick), "grid") for tick in y.ticks()]
    body += [_text(LEFT - 7, y(tick) + 4, figure(tick), "end") for tick in y.ticks()]
    body.append(_line(LEFT, floor, right, floor, "axis"))
    last = -math.inf
    for tick in xs:
        body.append(_line(x(tick), floor, x(tick), floor + 5, "axis"))
        if x(tick) - last > 24:
            body.append(_text(x(tick), floor + 19, figure(tick), "middle"))
            last = x(tick)
    return [*body, _text((LEFT + right) / 2, HEIGHT - 10, panel.x, "middle")]


def _series(panel: Panel, series: list[Point], shape: str, x: Place, y: Place) -> str:
    path = "L".join(f"{x(p.x):.1f} {y(p.predicted):.1f}" for p in series)
    parts = [f'<path class="predicted" d="M{path}"/>']
    for p in series:
        parts.append(_line(x(p.x), y(min(p.samples)), x(p.x), y(max(p.samples)), "spread"))
        parts.append(_mark(x(p.x), y(p.median), shape, p.agrees(panel.noise)))
    return f'<g class="{kind(series[0].series)}">{"".join(parts)}</g>'


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
    figures = [value for p in points for value in (p.predicted, *p.samples)]
    x = _axis(figures, panel.log_x, INDENT, WIDTH - INDENT)
    floor = TOP + ROW * len(points)
    body = [_text(x(tick), floor + 17, figure(tick), "middle") for tick in x.ticks()]
    body.append(_text(WIDTH / 2, floor + 38, panel.y, "middle"))
    for number, point in enumerate(points):
        body += _row(panel, point, SHAPES[number % len(SHAPES)], x, TOP + ROW * number)
    return body, floor + BOTTOM


def _row(panel: Panel, p: Point, shape: str, x: Axis, top: float) -> list[str]:
    y = top + 36
    said = f"{figure(p.median)}, predicted {figure(p.predicted)}"
    spread = _line(x(min(p.samples)), y, x(max(p.samples)), y, "spread")
    tick = _line(x(p.predicted), y - 11, x(p.predicted), y + 11, "tick")
    mark = _mark(x(p.median), y, shape, p.agrees(panel.noise))
    grid = [_line(x(value), y - 6, x(value), y + 6, "axis") for value in x.ticks()]
    return [
        *grid,
        _text(INDENT, top + 16, p.series, name="name"),
        _text(WIDTH - INDENT, top + 16, said, "end", "name"),
        _line(INDENT, y, WIDTH - INDENT, y, "axis"),
        f'<g class="{kind(p.series)}">{tick}{spread}{mark}</g>',
    ]
