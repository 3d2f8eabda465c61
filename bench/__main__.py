"""python -m bench compare|quick|taste|growth|remembered|report"""

from __future__ import annotations

import argparse
import logging
import signal
import sys

from bench import compare, growth, remembered, report
from lab.servers import nothing_left

PLANS = {"compare": compare.Plan(), "quick": compare.QUICK, "taste": compare.TASTE}
KINDS = (*PLANS, "growth", "remembered", "report")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", choices=KINDS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stop what was started
    parser.add_argument("--rounds", type=int, default=growth.ROUNDS, help="of growth")
    parser.add_argument(
        "--sizes", type=_sizes, default=growth.SIZES, help="of growth: 10000,100000"
    )
    logging.disable(logging.INFO)  # Alembic tells of each migration
    told = parser.parse_args()
    what = told.what
    with nothing_left():
        measure(what, told.sizes, told.rounds)
    if what not in {"quick", "taste"}:
        report.into_docs()


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def measure(what: str, sizes: tuple[int, ...], rounds: int) -> None:
    if what in PLANS:
        told = compare.run(PLANS[what])
        report.tell(told)
        if what == "compare":
            report.save(what, told)
    elif what == "growth":
        report.save(what, growth.run(sizes, rounds))
    elif what == "remembered":
        report.save(what, remembered.run())


if __name__ == "__main__":
    main()
