"""The hello exercise: the same first endpoints in Flask and in FastAPI, on their own servers."""

import hashlib
from collections.abc import Iterator

import httpx
import pytest

from lab.exercises.hello.__main__ import SERVERS, serving


@pytest.fixture(scope="module", params=SERVERS)
def client(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    with serving(request.param) as base, httpx.Client(base_url=base, timeout=30) as client:
        yield client


def test_says_hello(client: httpx.Client) -> None:
    assert client.get("/hello/Zo%C3%AB").json() == {"message": "Hello, Zoë!"}


@pytest.mark.parametrize(
    ("op", "result"),
    [("+", 8), ("-", 4), ("*", 12), ("/", 3)],
    ids=["plus", "minus", "times", "by"],
)
def test_calculates(client: httpx.Client, op: str, result: float) -> None:
    assert client.post("/calculate", json={"a": 6, "op": op, "b": 2}).json() == {"result": result}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        {"a": "6", "op": "+", "b": 2},
        {"a": True, "op": "+", "b": 2},
        {"a": 6, "op": "^", "b": 2},
        {"a": 6, "op": "/", "b": 0},
    ],
    ids=str,
)
def test_refuses_what_cannot_be_calculated(client: httpx.Client, wrong: object) -> None:
    assert client.post("/calculate", json=wrong).status_code == 422


def test_echoes_bytes_and_their_type(client: httpx.Client) -> None:
    sent = bytes(range(256))
    answer = client.post("/echo", content=sent, headers={"Content-Type": "application/x-any"})

    assert (answer.content, answer.headers["Content-Type"]) == (sent, "application/x-any")


def test_takes_a_file(client: httpx.Client) -> None:
    data = b"0123456789" * 200_000
    answer = client.post("/upload", files={"file": ("fern.png", data)})

    assert answer.json() == {
        "name": "fern.png",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def test_asks_for_the_file(client: httpx.Client) -> None:
    assert client.post("/upload", files={"other": ("a", b"a")}).status_code == 422
