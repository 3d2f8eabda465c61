"""Fetching pages while waiting for each.

Look at `with_threads`: not a word of it is about waiting. Each thread runs the same blocking line,
and while it waits for its answer it holds no lock, so the others go on. The price is a thread for
each page that is on its way.

The client is urllib3, the quick one of this world, as aiohttp is of the other. `with_httpx` is the
same with another library: compare its figure before you conclude anything about threads.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
import urllib3


def one_after_another(urls: Sequence[str]) -> Iterable[str]:
    """Takes the sum of all waits: len(urls) * delay."""
    with urllib3.PoolManager(maxsize=1) as client:
        for url in urls:
            yield client.request("GET", url).data.decode()


def with_threads(urls: Sequence[str], at_once: int) -> Iterable[str]:
    """Takes len(urls) / at_once * delay, rounded up to whole rounds."""
    with urllib3.PoolManager(maxsize=at_once) as client, ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(lambda url: client.request("GET", url).data.decode(), urls)


def with_httpx(urls: Sequence[str], at_once: int) -> Iterable[str]:
    """The same; as it comes, this client stops at 100 connections and gives up after 5 s."""
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    client = httpx.Client(limits=limits, timeout=None)  # noqa: S113 - the server decides how long
    with client, ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(lambda url: client.get(url).text, urls)
