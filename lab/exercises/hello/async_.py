"""The first endpoints in FastAPI.

Look at `calculate`: the signature is the check, the document and the error message in one. Look at
`upload`: each `await file.read` may go to a thread, because files have no other way of not
blocking; and the hash between two awaits holds up the loop, 64 KiB at a time.
"""

import operator
from hashlib import sha256
from typing import Literal

from fastapi import FastAPI, HTTPException, Request, Response, UploadFile
from pydantic import BaseModel, StrictFloat, StrictInt

OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv
}  # fmt: skip

app = FastAPI()


class Sum(BaseModel):
    """What is to be calculated."""

    a: StrictInt | StrictFloat
    op: Literal["+", "-", "*", "/"]
    b: StrictInt | StrictFloat


@app.get("/hello/{name}")
async def hello(name: str) -> dict[str, str]:
    return {"message": f"Hello, {name}!"}


@app.post("/calculate")
async def calculate(asked: Sum) -> dict[str, float]:
    if asked.op == "/" and asked.b == 0:
        raise HTTPException(422, "b must not be 0 for /")
    return {"result": OPERATORS[asked.op](asked.a, asked.b)}


@app.post("/echo")
async def echo(request: Request) -> Response:
    media_type = request.headers.get("Content-Type", "text/plain")
    return Response(await request.body(), media_type=media_type)


@app.post("/upload")
async def upload(file: UploadFile) -> dict[str, str | int | None]:
    size, digest = 0, sha256()
    while chunk := await file.read(64 * 1024):
        size += len(chunk)
        digest.update(chunk)
    return {"name": file.filename, "size": size, "sha256": digest.hexdigest()}
