"""The files that the workers count in, for `/metrics` to add up.

Each worker has a place, and its successor takes that place over: counts go on, and the files stay
as few as the workers. All bytes that they will ever need are taken at the start: where the disk is
full later, touching a new one would kill a worker.
"""

import os
import shutil
import struct
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

from prometheus_client import values

KIB = 1024
SIZES = {"counter": 256 * KIB, "gauge_livesum": 64 * KIB, "histogram": 512 * KIB}
FOLDER = "taskapp-metrics-"
write_number = struct.Struct("dd").pack_into  # a value and its time, as the library has them
_place = 0  # the master's


def prepare(parent: Path, workers: int) -> Path | None:
    """Make the files of a new server; returns their folder, or None where there is no room.

    Without them each worker counts for itself alone, and serves. A reload starts new workers
    before the old ones end, so there are places for twice as many.
    """
    folder = parent / f"{FOLDER}{os.getpid()}"
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR") == str(folder):  # the server only reloads
        return folder
    _remove_stale(parent, folder)
    try:
        folder.mkdir(mode=0o700)
        for place, name in product(range(2 * workers + 1), SIZES):
            (folder / f"{name}_{place}.db").write_bytes(bytes(SIZES[name]))
    except OSError:
        remove(folder)
        return None
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = _quick(values.MultiProcessValue(lambda: _place))  # type: ignore[no-untyped-call]
    return folder


def _quick(number: Any) -> Any:
    """A number in its file that is added to without a lock, and without a look for a fork.

    A worker has one thread, and says when its place changes: then the library opens its files.
    """

    class QuickNumber(number):  # type: ignore[misc]  # the library makes this class in a function
        place = -1

        def inc(self, amount: float) -> None:
            if self.place != _place:
                super().inc(0)
                self.place = _place
                self.position = self._file._positions[self._key]
            self._value += amount
            write_number(self._file._m, self.position, self._value, 0.0)

    return QuickNumber


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def free_place(taken: set[int], workers: int) -> int:
    """The lowest place that no worker has; the last one is shared when there are none left.

    Two workers at one place lose counts. A file without room would lose a worker.
    """
    places = range(1, 2 * workers + 1)
    return next((place for place in places if place not in taken), places[-1])


def use_place(place: int) -> None:
    global _place  # noqa: PLW0603 - a process has one place
    _place = place


def forget_progress(folder: Path, place: int) -> None:
    """What an ended worker had in progress is no more."""
    gauges = folder / f"gauge_livesum_{place}.db"
    with suppress(OSError), gauges.open("rb+") as file:
        file.write(bytes(SIZES["gauge_livesum"]))


def _remove_stale(parent: Path, ours: Path) -> None:
    """Left by servers that were killed, or that only checked their settings."""
    has_processes = Path("/proc").is_dir()
    for folder in parent.glob(f"{FOLDER}*"):
        _, _, pid = folder.name.rpartition("-")
        ended = has_processes and not Path("/proc", pid).exists()
        if ended or folder == ours:
            remove(folder)
