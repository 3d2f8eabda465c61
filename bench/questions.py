"""What the servers are asked: endless streams of requests, the same for each."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from itertools import count, cycle
from random import Random
from typing import NamedTuple

import psycopg2

from bench.data import Person
from bench.load import Raw, request
from bench.servers import Server
from bench.stage import Stage

Stream = Callable[[Stage, Server], Iterator[Raw]]


class Question(NamedTuple):
    """One row of the table; `status` is the only answer that counts."""

    name: str
    title: str
    stream: Stream
    status: int = 200
    fresh: bool = False  # the projects change all the while, so nothing remembered is right
    ours: bool = False  # only taskapp is asked


def lists(stage: Stage, _: Server) -> Iterator[Raw]:
    """One person after the other."""
    return cycle([request("GET", "/api/v1/tasks?limit=20", p.token) for p in stage.people])


def gets(stage: Stage, _: Server) -> Iterator[Raw]:
    dice, pairs = Random(1), _own_tasks(stage)
    while True:
        task_id, person = dice.choice(pairs)
        yield request("GET", f"/api/v1/tasks/{task_id}", person.token)


def creates(stage: Stage, _: Server) -> Iterator[Raw]:
    for number, person in zip(count(), cycle(stage.people), strict=False):
        body = {"title": f"Water the fern {number}", "description": "Ask first.", "priority": "low"}
        yield request("POST", "/api/v1/tasks", person.token, json.dumps(body).encode())


def updates(stage: Stage, _: Server) -> Iterator[Raw]:
    dice, pairs = Random(2), _own_tasks(stage)
    for number in count():
        task_id, person = dice.choice(pairs)
        body = {"title": f"Water {number} ferns", "description": f"Changed {dice.random()}."}
        path = f"/api/v1/tasks/{task_id}"
        yield request("PATCH", path, person.token, json.dumps(body).encode())


def unchanged_lists(stage: Stage, server: Server) -> Iterator[Raw]:
    """Each person asks again with the ETag that they were given."""
    asked = [("/api/v1/tasks?limit=20", person) for person in stage.people]
    return cycle([_again(server, path, person) for path, person in asked])


def unchanged_tasks(stage: Stage, server: Server) -> Iterator[Raw]:
    asked = [(f"/api/v1/tasks/{task_id}", person) for task_id, person in _own_tasks(stage)[:200]]
    return cycle([_again(server, path, person) for path, person in asked])


def _again(server: Server, path: str, person: Person) -> Raw:
    url, headers = (
        f"http://127.0.0.1:{server.port}{path}",
        {"Authorization": f"Bearer {person.token}"},
    )
    asked = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - loopback
        tag = answer.headers["ETag"]
    return request("GET", path, person.token, b"", ("If-None-Match", tag))


def _own_tasks(stage: Stage) -> list[tuple[int, Person]]:
    """A thousand tasks, each with somebody who may change it."""
    people = {p.user_id: p for p in stage.people}
    connection = psycopg2.connect(stage.url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, created_by FROM tasks ORDER BY md5(id::text) LIMIT 1000")
        pairs = [(task_id, people[user_id]) for task_id, user_id in cursor]
    connection.close()
    return pairs


QUESTIONS = (
    Question("list", "list 20", lists, fresh=True),
    Question("get", "get one", gets),
    Question("create", "create one", creates, 201),
    Question("update", "update one", updates),
    Question("list_remembered", "list 20, remembered", lists, ours=True),
    Question("list_304", "list, unchanged (304)", unchanged_lists, 304, ours=True),
    Question("get_304", "get, unchanged (304)", unchanged_tasks, 304, ours=True),
)
