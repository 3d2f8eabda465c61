"""python -m lab.experiments.queue_crash.client MODULE COUNT: enqueue so many jobs; 0 recovers."""

from __future__ import annotations

import importlib
import sys

if __name__ == "__main__":
    engine = importlib.import_module(f"lab.experiments.queue_crash.{sys.argv[1]}")
    for number in range(int(sys.argv[2])):
        engine.enqueue(number)
    if sys.argv[2] == "0":
        engine.recover()
