"""A view that asks another service and waits. Flask: whoever waits holds a worker or a thread."""

from __future__ import annotations

import os
from typing import Any

import urllib3
from flask import Flask

app = Flask(__name__)
URL = os.environ["UPSTREAM"]
upstream = urllib3.PoolManager(maxsize=40, timeout=60)


@app.get("/quote")
def quote() -> Any:
    return upstream.request("GET", URL).json()
