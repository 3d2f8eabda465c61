"""A local web server that answers each page after a set delay, however many ask at once."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Pages:
    """The server: its base URL, and how many pages were asked for at once, at most."""

    delay: float
    base: str = ""
    now: int = 0
    most: int = 0


@contextmanager
def slow_pages(delay: float) -> Iterator[Pages]:
    """Serve `/1`, `/2`, …, each after `delay` seconds, on a free port."""
    pages = Pages(delay)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(_listen(pages), loop).result()
        pages.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield pages
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _listen(pages: Pages) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            path = head.split()[1].decode()
            pages.now += 1
            pages.most = max(pages.most, pages.now)
            await asyncio.sleep(pages.delay)  # the "database" of this page
            pages.now -= 1
            body = f"page {path}".encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)


async def _head(reader: asyncio.StreamReader) -> bytes:
    """A request up to its blank line, or nothing when the client has gone."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return b""


async def _stop(server: asyncio.Server) -> None:
    server.close()
    await server.wait_closed()
