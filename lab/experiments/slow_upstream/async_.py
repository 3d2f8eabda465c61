"""A view that asks another service and waits. FastAPI: whoever waits holds a few kilobytes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from fastapi import FastAPI

URL = os.environ["UPSTREAM"]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # Stock aiohttp stops at 100 connections: a pool smaller than the concurrency, see that experiment.
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as app.state.upstream:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/quote")
async def quote() -> Any:
    async with app.state.upstream.get(URL) as answer:
        return await answer.json()
