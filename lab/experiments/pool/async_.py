"""A query of 50 ms through a pool of connections. FastAPI, SQLAlchemy, asyncpg, one loop."""

from __future__ import annotations

import os

import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine

app = FastAPI()
url = os.environ["DATABASE"].replace("postgresql:", "postgresql+asyncpg:", 1)
engine = create_async_engine(url, pool_size=int(os.environ["POOL"]), max_overflow=0)
QUERY = sa.text("SELECT pg_sleep(0.05)")


@app.get("/report")
async def report() -> str:
    async with engine.connect() as connection:
        await connection.execute(QUERY)
    return "done"
