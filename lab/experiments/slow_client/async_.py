"""Somebody sends a body at the pace of a bad network; somebody else asks /health. FastAPI."""

from __future__ import annotations

from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/upload")
async def upload(request: Request) -> str:
    return str(len(await request.body()))


@app.get("/health")
async def health() -> str:
    return "ok"
