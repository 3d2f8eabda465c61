"""python -m lab.exercises.pages: predict, then run both."""

import argparse
import asyncio
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lab.exercises.clock import seconds, table
from lab.exercises.pages.async_ import on_a_loop
from lab.exercises.pages.server import slow_pages
from lab.exercises.pages.sync import one_after_another, with_httpx, with_threads


@dataclass(frozen=True)
class Way:
    """A way to fetch the pages, and how long it should take."""

    name: str
    predicted: float  # seconds
    fetch: Callable[[], Iterable[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch pages from a slow local server.")
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds for each page")
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument(
        "--longest", type=float, default=120, help="seconds; what should take longer is not run"
    )
    options = parser.parse_args()
    with slow_pages(options.delay) as pages:
        urls = [f"{pages.base}/{number}" for number in range(options.pages)]
        rows = [timed(way, len(urls), options.longest) for way in ways(urls, options)]
    heading = (
        f"{options.pages} pages, {options.delay * 1e3:.0f} ms each",
        "predicted s",
        "measured s",
    )
    print(table(heading, *rows))


def ways(urls: list[str], options: argparse.Namespace) -> list[Way]:
    at_once: int = options.at_once
    rounds = math.ceil(len(urls) / at_once) * options.delay
    return [
        Way("one after another", len(urls) * options.delay, lambda: one_after_another(urls)),
        Way(f"{at_once} threads, urllib3", rounds, lambda: with_threads(urls, at_once)),
        Way(f"{at_once} threads, httpx", rounds, lambda: with_httpx(urls, at_once)),
        Way(
            f"asyncio, {at_once} at once, aiohttp",
            rounds,
            lambda: asyncio.run(on_a_loop(urls, at_once)),
        ),
    ]


def timed(way: Way, pages: int, longest: float) -> tuple[str, str, str]:
    if way.predicted > longest:
        return (way.name, f"{way.predicted:.2f}", "not run: see --longest")
    measured = seconds(lambda: count(way, pages))
    return (way.name, f"{way.predicted:.2f}", f"{measured:.2f}")


def count(way: Way, pages: int) -> None:
    """Fetch them all, and tell whoever waits how far it is."""
    shown = sys.stderr.isatty()
    for number, _ in enumerate(way.fetch(), 1):
        if shown and (number == pages or number % max(1, pages // 100) == 0):
            end = "\n" if number == pages else "\r"
            print(f"{way.name}: {number} of {pages} pages", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
