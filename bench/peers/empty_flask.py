"""Flask and one route: what the framework and its server need before anybody adds anything."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/api/v1/tasks")
def list_tasks() -> dict[str, list[str]]:
    return {"items": []}
