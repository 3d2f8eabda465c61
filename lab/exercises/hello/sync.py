"""The first endpoints in Flask.

Look at `calculate`: Flask hands over what was sent, and checking it is your own work, line by line
(taskapp leaves it to marshmallow). Look at `upload`: the file was received before the view began;
werkzeug keeps small ones in memory and spools large ones to disk.
"""

import operator
from hashlib import sha256
from typing import Any

from flask import Flask, request

OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv
}  # fmt: skip

app = Flask(__name__)


@app.get("/hello/<name>")
def hello(name: str) -> dict[str, str]:
    return {"message": f"Hello, {name}!"}


@app.post("/calculate")
def calculate() -> Any:
    sent = request.get_json()
    fields = sent if isinstance(sent, dict) else {}
    a, op, b = (fields.get(name) for name in ("a", "op", "b"))
    numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in (a, b))
    if not numbers or op not in OPERATORS or (op == "/" and b == 0):
        return {"error": "a and b must be numbers, op one of + - * /, and b not 0 for /"}, 422
    return {"result": OPERATORS[op](a, b)}


@app.post("/echo")
def echo() -> Any:
    return request.get_data(), {"Content-Type": request.content_type or "text/plain"}


@app.post("/upload")
def upload() -> Any:
    file = request.files.get("file")
    if file is None:
        return {"error": "one part named file"}, 422
    size, digest = 0, sha256()
    while chunk := file.stream.read(64 * 1024):
        size += len(chunk)
        digest.update(chunk)
    return {"name": file.filename, "size": size, "sha256": digest.hexdigest()}
