"""One short query and its row. FastAPI and asyncpg: the loop goes on while the database works."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE"], min_size=16, max_size=16) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/row")
async def row() -> Any:
    async with app.state.pool.acquire() as connection:
        (_, title) = await connection.fetchrow("SELECT pg_sleep(0.001), 'Water the fern'")
    return {"title": title}
