"""Fetching pages on an event loop.

Look at `limit`: a loop can have 10,000 pages on their way, which no server will thank you for. What
the size of the pool did with threads has to be said here. And look at each `async with`: while one
task waits there, the others run, in the same thread.

The client is aiohttp: httpx's asynchronous client spends some ten times as much computing on a
page, and on one thread that is time nobody else gets. On a loop, the library matters.
"""

import asyncio
from collections.abc import Sequence

from aiohttp import ClientSession, ClientTimeout, TCPConnector


async def on_a_loop(urls: Sequence[str], at_once: int) -> list[str]:
    """Takes as long as `at_once` threads do, with one thread."""
    connector = TCPConnector(limit=at_once)
    # Its own timeout counts the wait for a connection, too: 4,000 pages would exceed any.
    session = ClientSession(connector=connector, timeout=ClientTimeout(total=None))
    async with session as client, asyncio.TaskGroup() as group:

        async def fetch(url: str) -> str:
            async with client.get(url) as response:
                return await response.text()

        tasks = [group.create_task(fetch(url)) for url in urls]
    return [task.result() for task in tasks]
