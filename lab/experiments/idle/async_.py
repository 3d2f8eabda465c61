"""A long poll: the caller waits until there is news. FastAPI: whoever waits is a task."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

from lab.experiments.idle.sync import note

app = FastAPI()


@app.get("/news")
async def news() -> str:
    note()
    await asyncio.sleep(60)
    return "nothing new"


@app.get("/health")
async def health() -> str:
    return "ok"
