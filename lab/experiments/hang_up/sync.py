"""A report in ten steps, and a caller who hangs up after two. Flask."""

from __future__ import annotations

import os
import socket
import time

from flask import Flask, abort, request

app = Flask(__name__)
STEPS, STEP = 10, 0.1  # seconds


@app.get("/report")
def report() -> str:
    """Nobody tells a view that its caller has gone."""
    for _ in range(STEPS):
        step()
    return "done"


@app.get("/report-with-deadline/<float:seconds>")
def report_with_deadline(seconds: float) -> str:
    """A thread cannot be stopped; it can look at the clock between two steps."""
    deadline = time.monotonic() + seconds
    for _ in range(STEPS):
        if time.monotonic() > deadline:
            abort(503)
        step()
    return "done"


@app.get("/report-that-looks")
def report_that_looks() -> str:
    """Or look whether the connection is still there, where the server lends its socket."""
    for _ in range(STEPS):
        if gone(request.environ["gunicorn.socket"]):
            return "nobody reads this"
        step()
    return "done"


def gone(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False  # nothing to read: the caller waits


def step() -> None:
    time.sleep(STEP)
    note()


def note() -> None:
    """One byte for each step, where somebody outside can count them."""
    file = os.open(os.environ["STEPS"], os.O_WRONLY | os.O_APPEND)
    os.write(file, b".")
    os.close(file)
