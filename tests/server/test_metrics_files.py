"""Numbers in files: quick ones are those of the library, and follow their worker to its place"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import servers

# The library decides at its import how it counts: each of these is a process of its own.
COUNT = """
import sys
from pathlib import Path
from taskapp.server import metrics_files
folder = metrics_files.prepare(Path(sys.argv[1]), 2)
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.mmap_dict import MmapedDict
counter = Counter("things", "Things.", ["kind"])
histogram = Histogram("times", "Times.", buckets=(1, 2))
gauge = Gauge("now", "Now.", multiprocess_mode="livesum")
def count(times):
    for _ in range(times):
        counter.labels("a").inc()
        counter.labels("b").inc(0.5)
        histogram.observe(1.5)
        gauge.inc()
    gauge.dec()
count(3)
metrics_files.use_place(1)
count(5)
for number in range(3000):  # the file grows, and is mapped anew
    counter.labels(str(number)).inc()
counter.labels("a").inc()
metrics_files.use_place(2)
count(1)
gauge.set(7)
gauge.inc()
metrics_files.use_place(1)
count(1)
for place in range(3):
    told = {}
    for name in ("counter", "histogram", "gauge_livesum"):
        for key, value, _, _ in MmapedDict(folder / f"{name}_{place}.db", read_mode=True)._read_all_values():
            if value:
                told[key] = value
    print([value for key, value in sorted(told.items()) if "kind" not in key or '"a"' in key or '"b"' in key])
metrics_files.remove(folder)
"""  # noqa: E501 - a program in a string


def test_a_quick_number_counts_as_the_librarys_own_does(tmp_path: Path) -> None:
    as_the_library_does = "metrics_files._quick = lambda number: number\nfolder ="
    stock = COUNT.replace("folder =", as_the_library_does, 1)
    told = []
    for program in (COUNT, stock):
        command = [sys.executable, "-c", program, str(tmp_path)]
        ran = subprocess.run(
            command, cwd=servers.ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True,
            text=True, check=False, timeout=60,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        told.append(ran.stdout)

    assert told[0] == told[1]
    assert len(told[0].splitlines()) == 3
    assert "7.0" in told[0]  # what counted in place 1 went on there
