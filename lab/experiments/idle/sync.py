"""A long poll: the caller waits until there is news. Flask: whoever waits holds a seat."""

from __future__ import annotations

import os
import time

from flask import Flask

app = Flask(__name__)


@app.get("/news")
def news() -> str:
    note()
    time.sleep(60)  # nothing new; under gevent this lets the others go on
    return "nothing new"


@app.get("/health")
def health() -> str:
    return "ok"


def note() -> None:
    """One byte for each caller whose request is in hand, where somebody outside can count them."""
    file = os.open(os.environ["IN_HAND"], os.O_WRONLY | os.O_APPEND)
    os.write(file, b".")
    os.close(file)
