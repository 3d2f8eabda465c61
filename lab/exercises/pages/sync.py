"""Fetching pages while waiting for each.

Look at `with_threads`: not a word of it is about waiting. Each thread runs the same blocking line,
and while it waits for its answer it holds no lock, so the others go on. The price is a thread for
each page that is on its way.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx


def one_after_another(urls: Sequence[str]) -> list[str]:
    """Takes the sum of all waits: len(urls) * delay."""
    with httpx.Client() as client:
        return [client.get(url).text for url in urls]


def with_threads(urls: Sequence[str], at_once: int) -> list[str]:
    """Takes len(urls) / at_once * delay, rounded up to whole rounds."""
    with httpx.Client() as client, ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda url: client.get(url).text, urls))
