"""The chat exercise: one room, with threads and on an event loop, over real sockets."""

import asyncio
import socket
from collections.abc import Iterator

import psutil
import pytest

from lab.exercises.chat import MAX_LINE
from lab.exercises.chat.__main__ import cost, serving


class Guest:
    """A client of the room that reads whole lines, and not for ever."""

    def __init__(self, port: int, name: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.lines = self.socket.makefile("rb")
        self.say(name)
        assert self.hears() == f"* {name} is here"

    def say(self, text: str) -> None:
        self.socket.sendall(text.encode() + b"\n")

    def hears(self) -> str:
        return self.lines.readline().decode().rstrip("\n")

    def leave(self) -> None:
        self.lines.close()
        self.socket.close()


@pytest.fixture(params=["sync", "async_"])
def room(request: pytest.FixtureRequest) -> Iterator[tuple[int, psutil.Process]]:
    with serving(request.param) as (port, process):
        yield port, process


def test_all_hear_what_one_says(room: tuple[int, psutil.Process]) -> None:
    ann, bob = Guest(room[0], "Ann"), Guest(room[0], "Bob")

    ann.say("Grüß dich")
    heard = [ann.hears(), ann.hears(), bob.hears()]
    bob.leave()
    goodbye = ann.hears()
    ann.leave()

    assert heard == ["* Bob is here", "Ann: Grüß dich", "Ann: Grüß dich"]
    assert goodbye == "* Bob has left"


def test_a_line_may_come_in_pieces_but_not_without_end(room: tuple[int, psutil.Process]) -> None:
    ann, bob = Guest(room[0], "Ann"), Guest(room[0], "Bob")
    for piece in (b"in ", b"pie", b"ces\n"):
        ann.socket.sendall(piece)
    assert bob.hears() == "Ann: in pieces"

    ann.say("x" * 3 * MAX_LINE)

    assert bob.hears() == "* Ann has left"
    for guest in (ann, bob):
        guest.leave()


def test_who_does_not_read_cannot_silence_the_room(room: tuple[int, psutil.Process]) -> None:
    deaf, ann = Guest(room[0], "Deaf"), Guest(room[0], "Ann")
    text = "x" * (MAX_LINE - 50)
    heard, said = "", 0
    while heard != "* Deaf has left":
        said += 1
        assert said < 50_000, "the deaf one was never shown out"
        ann.say(text)
        heard = ann.hears()
    ann.say("Still here?")
    while heard != "Ann: Still here?":
        heard = ann.hears()
    for guest in (ann, deaf):
        guest.leave()


def test_what_a_room_costs_can_be_measured(room: tuple[int, psutil.Process]) -> None:
    port, process = room

    paid = asyncio.run(cost(port, process, clients=40, rounds=3))

    assert paid.threads >= 41 or paid.threads == 1
    assert 0 < paid.ms_median <= paid.ms_last
