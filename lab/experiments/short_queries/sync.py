"""One short query and its row. Flask and psycopg2: a worker holds its connection and waits."""

from __future__ import annotations

import os
from typing import Any

import psycopg2
from flask import Flask

app = Flask(__name__)
connection = psycopg2.connect(os.environ["DATABASE"])  # one worker, one request, one connection
connection.autocommit = True


@app.get("/row")
def row() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.001), 'Water the fern'")
        [(_, title)] = cursor.fetchall()
    return {"title": title}
