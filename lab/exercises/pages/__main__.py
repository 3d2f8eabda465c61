"""python -m lab.exercises.pages: predict, then run both."""

import argparse
import asyncio
import math

from lab.exercises.clock import seconds, table
from lab.exercises.pages.async_ import on_a_loop
from lab.exercises.pages.server import slow_pages
from lab.exercises.pages.sync import one_after_another, with_threads


def main() -> None:
    options = argparse.ArgumentParser(description="Fetch pages from a slow local server.")
    options.add_argument("--pages", type=int, default=100)
    options.add_argument("--delay", type=float, default=0.05, help="seconds for each page")
    options.add_argument("--at-once", type=int, default=20)
    told = options.parse_args()
    predicted = math.ceil(told.pages / told.at_once) * told.delay
    with slow_pages(told.delay) as pages:
        urls = [f"{pages.base}/{number}" for number in range(told.pages)]
        alone = seconds(lambda: one_after_another(urls))
        threads = seconds(lambda: with_threads(urls, told.at_once))
        loop = seconds(lambda: asyncio.run(on_a_loop(urls, told.at_once)))
    print(
        table(
            (f"{told.pages} pages, {told.delay * 1e3:.0f} ms each", "predicted s", "measured s"),
            ("one after another", f"{told.pages * told.delay:.2f}", f"{alone:.2f}"),
            (f"{told.at_once} threads", f"{predicted:.2f}", f"{threads:.2f}"),
            (f"asyncio, {told.at_once} at once", f"{predicted:.2f}", f"{loop:.2f}"),
        )
    )


if __name__ == "__main__":
    main()
