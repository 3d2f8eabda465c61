"""Somebody sends a body at the pace of a bad network; somebody else asks /health. Flask."""

from __future__ import annotations

from flask import Flask, request

app = Flask(__name__)


@app.post("/upload")
def upload() -> str:
    return str(len(request.get_data()))


@app.get("/health")
def health() -> str:
    return "ok"
