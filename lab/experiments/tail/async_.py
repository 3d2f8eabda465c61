"""A view that asks `calls` times at once and needs every answer. FastAPI."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI

URL = os.environ["UPSTREAM"]
SECOND = 0.1  # seconds after which a second request is sent: longer than most answers take


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as app.state.upstream:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/all/{calls}")
async def all_of(calls: int) -> str:
    """As slow as the slowest of them."""
    await asyncio.gather(*(call() for _ in range(calls)))
    return "done"


@app.get("/hedged/{calls}")
async def hedged(calls: int) -> str:
    """Whichever of two requests answers first; the second is sent only if the first is late."""
    await asyncio.gather(*(call_twice() for _ in range(calls)))
    return "done"


async def call() -> None:
    async with app.state.upstream.get(URL) as answer:
        await answer.read()


async def call_twice() -> None:
    first = asyncio.create_task(call())
    done, _ = await asyncio.wait({first}, timeout=SECOND)
    if done:
        return first.result()
    second = asyncio.create_task(call())
    _, late = await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
    for each in late:
        each.cancel()
    return None
