"""What the sliders of the page know of this machine: points that experiments measured."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from lab.experiments.queue.experiment import MEAN
from lab.plots import kind
from lab.results import Line, Point


def measured(
    points: dict[str, list[Point]], lines: dict[str, list[Line]], cores: int
) -> dict[str, Any]:
    """Throughput by users from `slow_upstream`, response times from `queue`; either may be missing.

    `wait` and `cpu` are milliseconds, `times` a multiple of the work.
    """
    return {
        "cores": cores,
        "cpu": _processor_time(lines.get("slow_upstream", [])),
        "rates": [
            _rate(point, float(wait[1]))
            for point in points.get("slow_upstream", [])
            if (wait := re.search(r"takes ([\d.]+) ms", point.panel))
        ],
        "waits": [_wait(point) for point in _by_formula(points.get("queue", []))],
    }


def _processor_time(lines: Iterable[Line]) -> float:
    """Milliseconds for one answer of the event loop, at its ceiling."""
    ceilings = (line.known["ceiling"].value for line in lines if line.series == "event loop")
    return round(1000 / next(ceilings, 1000), 2)


def _rate(point: Point, wait: float) -> dict[str, Any]:
    rate = float(f"{point.measured.value:.4g}")
    return {**_server(point), "wait": wait, "users": point.x, "rate": rate}


def _by_formula(points: Iterable[Point]) -> list[Point]:
    return [point for point in points if point.panel == "Against the formula"]


def _wait(point: Point) -> dict[str, Any]:
    times = round(point.measured.value / (1000 * MEAN), 3)
    return {**_server(point), "busy": point.x, "times": times}


def _server(point: Point) -> dict[str, Any]:
    number = re.match(r"\d+", point.series)
    return {"kind": kind(point.series), "seats": int(number[0]) if number else 0}
