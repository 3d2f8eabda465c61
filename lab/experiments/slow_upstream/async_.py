"""A view that asks another service and waits. FastAPI: whoever waits holds a few kilobytes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from fastapi import FastAPI

# aiohttp, not httpx, whose pool takes longer the more requests it holds: 10 ms each at 100.
URL = os.environ["UPSTREAM"]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # Stock aiohttp stops at 100 connections: see the experiment `pool`.
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as app.state.upstream:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/quote")
async def quote() -> Any:
    async with app.state.upstream.get(URL) as answer:
        return await answer.json()
