"""A view that takes as long as it is told to, on four seats. Flask.

`/wait` lets everybody stand in line, as the kernel's queue before sync workers does. `/shed` lets
no more than a few wait, and answers the others 503 with Retry-After, at once.
"""

from __future__ import annotations

import threading
import time

from flask import Flask, Response

app = Flask(__name__)
SEATS, IN_LINE = 4, 16  # a line of 16 is got through in 16 / 4 * 50 ms = 200 ms
seats = threading.BoundedSemaphore(SEATS)
present = threading.BoundedSemaphore(SEATS + IN_LINE)


@app.get("/wait/<float:seconds>")
def wait(seconds: float) -> str:
    with seats:
        time.sleep(seconds)
    return "done"


@app.get("/shed/<float:seconds>")
def shed(seconds: float) -> Response | str:
    if not present.acquire(blocking=False):
        return Response("too busy", 503, {"Retry-After": "1"})
    try:
        return wait(seconds)
    finally:
        present.release()
