"""Threads that compute, with the interpreter lock and, where there is such a Python, without."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lab.estimate import Estimate
from lab.machine import CORES
from lab.results import Experiment, Finding, Panel, Point, Scale, line, measured

PANEL = "Work done by threads, compared with one"
LOCKED, FREE = "with the lock", "without the lock"
NAMES = ("python3.15t", "python3.14t", "python3.13t")
WORK = Path(__file__).with_name("work.py")


def free_threaded() -> str | None:
    """A Python that was built without the lock, and runs without it."""
    for name in NAMES:
        path = shutil.which(name)
        if path and _prints(path, "-c", "import sys; print(sys._is_gil_enabled())") == "False":
            return path
    return None


def _prints(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)  # noqa: S603
    return done.stdout.strip()


def measure(scale: Scale) -> Iterator[Finding]:
    repeats = scale.pick(full=9, quick=5, taste=1)
    counts = sorted({1, 2, CORES, 2 * CORES})
    for name, python in ((LOCKED, sys.executable), (FREE, free_threaded())):
        if python is None:
            continue
        seats = 1 if name == LOCKED else CORES
        prediction = line(PANEL, name, "seats_taken", seats=seats)
        yield prediction
        took = {count: times(python, count, repeats) for count in counts}
        alone = min(took[1])  # the best of a few: whatever else runs only ever adds
        for count, seconds in took.items():
            ends = (min(seconds), max(seconds), min(seconds))
            work = Estimate(*(count * alone / each for each in ends))
            sampling = f"best of {repeats}"
            yield Point(
                PANEL, name, count, prediction(count), work, sampling, independent=count > 1
            )


def times(python: str, threads: int, repeats: int) -> list[float]:
    return [float(_prints(python, str(WORK), str(threads))) for _ in range(repeats)]


def panels(_: list[Point]) -> list[Panel]:
    return [Panel(PANEL, "times as much per second", "threads that compute", noise=0.1)]


def figures(points: list[Point]) -> dict[str, object]:
    result = "no Python without the lock was found on this machine, so that one was not measured"
    if any(point.series == FREE for point in points):
        result = f"without it {measured(points, PANEL, FREE, CORES):.1f} times as much"
    locked = measured(points, PANEL, LOCKED, CORES)
    return {"cores": CORES, "locked": locked, "free": result}


EXPERIMENT = Experiment("no_gil", panels, measure, figures)
