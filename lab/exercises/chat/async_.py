"""A chat server on an event loop: a task for each connection, one thread for all.

Look at `Room.say`: the same rule as with threads, but no lock, because nothing else runs until it
returns. `write` never waits: it fills a buffer in this process, and nobody bounds that unless
somebody looks. So it looks, and shows out who does not read; `drain` is for those who may wait.
"""

import asyncio
from contextlib import suppress

from lab.exercises.chat import MAX_LINE

MAX_BACKLOG = 64 * 1024  # bytes that wait for one client


class Room:
    """Everybody who is here."""

    def __init__(self) -> None:
        self._members: set[asyncio.StreamWriter] = set()

    def join(self, member: asyncio.StreamWriter, name: str) -> None:
        self._members.add(member)
        self.say(f"* {name} is here")

    def leave(self, member: asyncio.StreamWriter, name: str) -> None:
        self._members.discard(member)
        self.say(f"* {name} has left")

    def say(self, text: str) -> None:
        line = text.encode() + b"\n"
        for member in tuple(self._members):
            member.write(line)
            if member.transport.get_write_buffer_size() > MAX_BACKLOG:
                self._members.discard(member)
                member.transport.abort()  # its own task wakes up and says goodbye


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, room: Room) -> None:
    """One client, from hello to goodbye."""
    try:
        name = await _line(reader)
        if not name:
            return
        room.join(writer, name)
        try:
            while text := await _line(reader):
                room.say(f"{name}: {text}")
        finally:
            room.leave(writer, name)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _line(reader: asyncio.StreamReader) -> str:
    """A whole line, or nothing: the end, or too long."""
    try:
        raw = await reader.readuntil(b"\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return ""
    return raw.decode("utf-8", "replace").strip()


async def serve() -> None:
    """Listen on a free port, print it, and serve until the process is told to stop."""
    room = Room()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer, room)

    server = await asyncio.start_server(meet, "127.0.0.1", 0, limit=MAX_LINE, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve())
