"""A chat server with a thread for each connection.

Look at `Room.say`: any thread may be in it, so it takes a lock, and it must never wait for a
client inside: one who does not read would silence the room. So it sends without waiting, and shows
out whoever's buffer is full. The rest reads like a conversation with one client.
"""

import socket
import sys
import threading
from contextlib import suppress

from lab.exercises.chat import MAX_LINE


class Room:
    """Everybody who is here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._members: set[socket.socket] = set()

    def join(self, member: socket.socket, name: str) -> None:
        with self._lock:
            self._members.add(member)
        self.say(f"* {name} is here")

    def leave(self, member: socket.socket, name: str) -> None:
        with self._lock:
            self._members.discard(member)
        self.say(f"* {name} has left")

    def say(self, text: str) -> None:
        line = text.encode() + b"\n"
        with self._lock:
            for member in tuple(self._members):
                if not _sent(member, line):
                    self._members.discard(member)


def _sent(member: socket.socket, line: bytes) -> bool:
    """Send without waiting; a full buffer means that nobody reads at the other end."""
    try:
        if member.send(line, socket.MSG_DONTWAIT) == len(line):
            return True
    except OSError:
        pass
    with suppress(OSError):
        member.shutdown(socket.SHUT_RDWR)  # its own thread wakes up and says goodbye
    return False


def talk(connection: socket.socket, room: Room) -> None:
    """One client, from hello to goodbye."""
    with connection, connection.makefile("rb") as lines:
        name = _line(lines.readline(MAX_LINE))
        if not name:
            return
        room.join(connection, name)
        try:
            while text := _line(lines.readline(MAX_LINE)):
                room.say(f"{name}: {text}")
        finally:
            room.leave(connection, name)


def _line(raw: bytes) -> str:
    """A whole line, or nothing: the end, or too long."""
    return raw.decode("utf-8", "replace").strip() if raw.endswith(b"\n") else ""


def serve() -> None:
    """Listen on a free port, print it, and serve until the process is told to stop."""
    room = Room()
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_talk_quietly, args=(connection, room), daemon=True).start()


def _talk_quietly(connection: socket.socket, room: Room) -> None:
    with suppress(OSError):  # a client may vanish at any line
        talk(connection, room)


if __name__ == "__main__":
    try:
        serve()
    except KeyboardInterrupt:
        sys.exit()
