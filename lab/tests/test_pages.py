"""The pages exercise: the same pages, whichever way they are fetched, and as soon as predicted."""

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from lab.exercises.pages.async_ import on_a_loop
from lab.exercises.pages.server import slow_pages
from lab.exercises.pages.sync import one_after_another, with_threads

DELAY = 0.1
WAYS: dict[str, Callable[[list[str], int], list[str]]] = {
    "one after another": lambda urls, _: one_after_another(urls),
    "threads": with_threads,
    "asyncio": lambda urls, at_once: asyncio.run(on_a_loop(urls, at_once)),
}
TOGETHER = ["threads", "asyncio"]


@pytest.fixture(scope="module")
def urls() -> Iterator[list[str]]:
    with slow_pages(DELAY) as base:
        yield [f"{base}/{number}" for number in range(12)]


@pytest.mark.parametrize("way", WAYS)
def test_brings_every_page_in_order(urls: list[str], way: str) -> None:
    assert WAYS[way](urls, 6) == [f"page /{number}" for number in range(12)]


@pytest.mark.parametrize("way", TOGETHER)
def test_waits_for_many_at_once(urls: list[str], way: str) -> None:
    """Twelve waits would take twelve delays one after another; here, less than half of that."""
    assert _seconds(way, urls, 12) < 6 * DELAY + _seconds(way, urls[:1], 1)


@pytest.mark.parametrize("way", TOGETHER)
def test_never_has_more_on_their_way_than_allowed(urls: list[str], way: str) -> None:
    assert _seconds(way, urls, 2) >= 6 * DELAY


def _seconds(way: str, urls: list[str], at_once: int) -> float:
    started = time.perf_counter()
    WAYS[way](urls, at_once)
    return time.perf_counter() - started
