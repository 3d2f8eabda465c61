"""A view that takes as long as it is told to, and lets the loop go on meanwhile."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

app = FastAPI()


@app.get("/wait/{seconds}")
async def wait(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "done"
