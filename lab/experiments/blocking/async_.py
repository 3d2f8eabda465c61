"""Views that wait for an upstream. FastAPI runs `async def` on the loop, `def` in threads."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import urllib3
from fastapi import FastAPI

URL = os.environ["UPSTREAM"]
blocking = urllib3.PoolManager(maxsize=40, timeout=60)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as app.state.upstream:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/blocking-call")
async def blocking_call() -> Any:
    """The classic mistake: the loop, and with it everybody, waits for this one."""
    return blocking.request("GET", URL).json()


@app.get("/awaited-call")
async def awaited_call() -> Any:
    async with app.state.upstream.get(URL) as answer:
        return await answer.json()


@app.get("/plain-def")
def plain_def() -> Any:
    """No `async`: FastAPI gives it one of its 40 threads, and blocking is fine."""
    return blocking.request("GET", URL).json()
