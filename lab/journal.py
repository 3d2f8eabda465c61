"""Which experiment was run when, how thoroughly, beside what, and whether it failed: runs.csv.

A table of results belongs to its row here. That is how a run can be continued, and how a page holds
tables of several runs without mixing up what they were.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

from lab import experiments

RUNS, MACHINE = "runs.csv", "machine.csv"
BUSY = 25  # percent of the processors; what is measured beside that is measured badly


@dataclass(frozen=True)
class Run:
    """One experiment, carried out."""

    name: str
    form: str
    day: str
    seconds: str
    busy: str  # percent of all processors, before it started
    machine: str  # a digest of machine.csv: what it ran on
    failed: str = ""  # why, in one line; then there is no table

    @property
    def was_busy(self) -> bool:
        return int(self.busy) > BUSY


def read(folder: Path) -> dict[str, Run]:
    """What is known, in the order of a lesson."""
    path = folder / RUNS
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        result = {row["name"]: Run(**row) for row in csv.DictReader(file)}
    return {name: result[name] for name in experiments.NAMES if name in result}


def note(run: Run, folder: Path) -> None:
    """Keep what is known of the other experiments."""
    result = {**read(folder), run.name: run}
    with (folder / RUNS).open("w", newline="", encoding="utf-8") as file:
        fields = [field.name for field in dataclasses.fields(Run)]
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(dataclasses.asdict(result[n]) for n in experiments.NAMES if n in result)


def missing(names: list[str], form: str, machine: str, folder: Path) -> list[str]:
    """What a run of this form, begun on this machine, has still to do; all of it if none is."""
    known = read(folder)
    done = {
        name
        for name, run in known.items()
        if (run.form, run.machine) == (form, machine) and not run.failed
    }
    return [name for name in names if name not in done] or names


def save_machine(facts: dict[str, str], folder: Path) -> str:
    """Write it down; the digest says whether a later run is on the same machine."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / MACHINE).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(facts.items())
    return hashlib.sha256(repr(sorted(facts.items())).encode()).hexdigest()[:12]


def read_machine(folder: Path) -> dict[str, str]:
    with (folder / MACHINE).open(newline="", encoding="utf-8") as file:
        return dict(csv.reader(file))
