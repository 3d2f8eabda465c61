"""Fetching pages on an event loop.

Look at the semaphore: a loop can have 10,000 pages on their way, which no server will thank you
for. What the size of the pool did with threads has to be said here. And look at the two `async
with`: while one task waits there, the others run, in the same thread.
"""

import asyncio
from collections.abc import Sequence

import httpx


async def on_a_loop(urls: Sequence[str], at_once: int) -> list[str]:
    """Takes as long as `at_once` threads do, with one thread."""
    places = asyncio.Semaphore(at_once)
    unlimited = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=unlimited) as client, asyncio.TaskGroup() as group:

        async def fetch(url: str) -> str:
            async with places:
                return (await client.get(url)).text

        tasks = [group.create_task(fetch(url)) for url in urls]
    return [task.result() for task in tasks]
