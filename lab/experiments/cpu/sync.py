"""One request computes, another asks /health. Flask: a process each."""

from __future__ import annotations

import time

from flask import Flask

app = Flask(__name__)


@app.get("/compute/<float:seconds>")
def compute(seconds: float) -> str:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass  # an image to scale, a password to hash, a report to add up
    return "done"


@app.get("/health")
def health() -> str:
    return "ok"
