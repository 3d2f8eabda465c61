"""Views that wait for an upstream. Flask takes `async def` too, but runs it to its end."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import aiohttp
import urllib3
from flask import Flask

app = Flask(__name__)
URL = os.environ["UPSTREAM"]
upstream = urllib3.PoolManager(timeout=60)


@app.get("/plain")
def plain() -> Any:
    return upstream.request("GET", URL).json()


@app.get("/async-view")
async def async_view() -> Any:
    """The mirror of the mistake: each request gets a loop, and the worker waits for it."""
    async with aiohttp.ClientSession() as session:
        return await _get(session)


@app.get("/ten-in-turn")
def ten_in_turn() -> Any:
    return [upstream.request("GET", URL).json() for _ in range(10)]


@app.get("/ten-at-once")
async def ten_at_once() -> Any:
    """What `async def` in Flask does buy: waits inside one view run side by side."""
    async with aiohttp.ClientSession() as session:
        return await asyncio.gather(*(_get(session) for _ in range(10)))


async def _get(session: aiohttp.ClientSession) -> Any:
    async with session.get(URL) as answer:
        return await answer.json()
