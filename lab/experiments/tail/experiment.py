"""Fan-out: the rare slow answer of one becomes the usual answer of many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab import estimate
from lab.load import Arrival, Generator, generator
from lab.results import Experiment, Finding, Line, Panel, Point, Scale, line, measured
from lab.servers import slow_upstream, uvicorn

FAST, SLOW, CHANCE = 0.05, 0.5, 0.02  # seconds; one answer in fifty is slow
SECOND = 0.1  # as in async_.py
MEDIAN, TAIL = "Median response time", "99th percentile of the response time"
PARTS = {MEDIAN: 0.5, TAIL: 0.99}
PLAIN, HEDGED = "event loop, waits for all", "event loop, second request after 100 ms"
# calls for each answer, requests, requests per second
CROWDS = ((1, 400, 80), (10, 300, 30), (100, 40, 4))


@dataclass(frozen=True)
class View:
    """Where it is, and what arithmetic says: milliseconds with, and without, a slow call in it."""

    name: str
    path: str

    def line(self, panel: str) -> Line:
        part = PARTS[panel]
        known = {"part": part, "fast": 1000 * FAST, "slow": 1000 * SLOW, "chance": CHANCE}
        if self.name == HEDGED:
            # Slow is who needed the second request; both are slow in one call of 2,500.
            known["slow"] = 1000 * (SECOND + FAST)
        return line(panel, self.name, "slowest_of", **known)


def measure(scale: Scale) -> Iterator[Finding]:
    times = scale.pick(full=4, quick=1, taste=0.1)
    with generator() as load, slow_upstream() as upstream:
        upstream.set(FAST, chance=CHANCE, slow=SLOW)
        with uvicorn("lab.experiments.tail.async_:app", UPSTREAM=upstream.url) as server:
            load.warm_up(server.port, "/all/100", 2, 4)
            for view in (View(PLAIN, "/all"), View(HEDGED, "/hedged")):
                yield from (view.line(panel) for panel in PARTS)
                for calls, requests, rate in CROWDS:
                    count = max(10, int(requests * times))
                    waits = responses(load, server.port, f"{view.path}/{calls}", count, rate)
                    yield from points(view, calls, waits)
        upstream.set(0)


def responses(load: Generator, port: int, path: str, count: int, rate: float) -> list[float]:
    """Milliseconds of each of so many requests, at a steady pace."""
    return [
        1000 * wait
        for wait in load.arrivals(port, [Arrival(number / rate, path) for number in range(count)])
    ]


def points(view: View, calls: int, waits: list[float]) -> Iterator[Point]:
    for panel, part in PARTS.items():
        result = estimate.quantile(waits, part)
        sampling = f"{len(waits)} requests"
        enough = part * len(waits) < len(waits) - 1  # more than one is beyond it
        predicted = view.line(panel)(calls)
        yield Point(panel, view.name, calls, predicted, result, sampling, independent=enough)


def panels(_: list[Point]) -> list[Panel]:
    x = "calls for one answer"
    return [Panel(name, "milliseconds", x, log_x=True, noise=20) for name in PARTS]


def figures(points: list[Point]) -> dict[str, object]:
    most = max(point.x for point in points)
    return {
        "most": most,
        "fast": measured(points, MEDIAN, PLAIN, 1),
        "tail": measured(points, TAIL, PLAIN, 1),
        "many": measured(points, MEDIAN, PLAIN, most),
        "hedged": measured(points, MEDIAN, HEDGED, most),
    }


EXPERIMENT = Experiment("tail", panels, measure, figures)
