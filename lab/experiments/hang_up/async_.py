"""A report in ten steps, and a caller who hangs up after two. FastAPI."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI, HTTPException, Request

from lab.experiments.hang_up.sync import STEP, STEPS, note

app = FastAPI()


async def steps() -> str:
    for _ in range(STEPS):
        await asyncio.sleep(STEP)
        note()
    return "done"


@app.get("/report")
async def report() -> str:
    """Nobody tells this view either: the loop could stop it, but is not asked to."""
    return await steps()


@app.get("/report-with-deadline/{seconds}")
async def report_with_deadline(seconds: float) -> str:
    """Stopped wherever it waits, and `finally` blocks run: no step needs to look at a clock."""
    try:
        async with asyncio.timeout(seconds):
            return await steps()
    except TimeoutError:
        raise HTTPException(503) from None


@app.get("/report-watched")
async def report_watched(request: Request) -> str:
    """Work and watch side by side; whichever ends first ends the other."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(steps())
        watching = group.create_task(hung_up(request))
        watching.add_done_callback(lambda _: working.cancel())
        working.add_done_callback(lambda _: watching.cancel())
    return "nobody reads this" if working.cancelled() else working.result()


async def hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
