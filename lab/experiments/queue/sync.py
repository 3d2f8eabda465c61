"""A view that takes as long as it is told to, and blocks its worker for that time."""

from __future__ import annotations

import time

from flask import Flask

app = Flask(__name__)


@app.get("/wait/<float:seconds>")
def wait(seconds: float) -> str:
    time.sleep(seconds)
    return "done"
