"""The pages exercise: the same pages, whichever way they are fetched, and as many as allowed."""

import asyncio
from collections.abc import Callable

import pytest

from lab.exercises.pages.async_ import on_a_loop
from lab.exercises.pages.server import slow_pages
from lab.exercises.pages.sync import one_after_another, with_httpx, with_threads

WAYS: dict[str, Callable[[list[str], int], list[str]]] = {
    "one after another": lambda urls, _: list(one_after_another(urls)),
    "threads": lambda urls, at_once: list(with_threads(urls, at_once)),
    "threads with httpx": lambda urls, at_once: list(with_httpx(urls, at_once)),
    "asyncio": lambda urls, at_once: asyncio.run(on_a_loop(urls, at_once)),
}


@pytest.mark.parametrize("way", WAYS)
def test_brings_every_page_in_order(way: str) -> None:
    pages, _ = _fetched(way, delay=0.001, at_once=6)

    assert pages == [f"page /{number}" for number in range(12)]


@pytest.mark.parametrize("way", ["threads", "threads with httpx", "asyncio"])
def test_waits_for_many_at_once_and_never_more_than_allowed(way: str) -> None:
    """Counted by the server, so that a busy machine makes no difference."""
    _, most = _fetched(way, delay=0.2, at_once=4)

    assert 2 <= most <= 4


def test_one_after_another_never_has_two_on_their_way() -> None:
    assert _fetched("one after another", delay=0.01, at_once=4)[1] == 1


def _fetched(way: str, delay: float, at_once: int) -> tuple[list[str], int]:
    with slow_pages(delay) as server:
        urls = [f"{server.base}/{number}" for number in range(12)]
        return WAYS[way](urls, at_once), server.most
