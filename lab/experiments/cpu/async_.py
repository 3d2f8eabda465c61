"""One request computes, another asks /health. FastAPI: on the loop, or in its thread pool."""

from __future__ import annotations

import os
import sys
import time

from fastapi import FastAPI

app = FastAPI()
if interval := os.environ.get("SWITCH_INTERVAL"):
    sys.setswitchinterval(float(interval))


def _compute(seconds: float) -> str:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass  # an image to scale, a password to hash, a report to add up
    return "done"


@app.get("/compute/{seconds}")
async def compute(seconds: float) -> str:
    return _compute(seconds)


@app.get("/compute-in-thread/{seconds}")
def compute_in_thread(seconds: float) -> str:
    return _compute(seconds)


@app.get("/health")
async def health() -> str:
    return "ok"
