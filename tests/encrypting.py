"""Ends TLS in front of a server that speaks none, as PostgreSQL or Redis would; prints its port.

python -m tests.encrypting postgresql|redis CERTIFICATE_WITH_KEY SOCKET_OR_HOST:PORT
"""

from __future__ import annotations

import asyncio
import ssl
import sys

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def main(kind: str, certificate: str, server: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if kind == "postgresql":  # it is asked first, and says S (its protocol, "SSL")
                await reader.readexactly(8)
                writer.write(b"S")
            await writer.start_tls(context)
            server_reader, server_writer = await connect(server)
        except (OSError, asyncio.IncompleteReadError):  # the client did not like the certificate
            writer.close()
            return
        await asyncio.gather(copy(reader, server_writer), copy(server_reader, writer))

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(listener.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the reply
    await listener.serve_forever()


async def connect(server: str) -> Streams:
    if server.startswith("/"):
        return await asyncio.open_unix_connection(server)
    host, _, port = server.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:  # one of them hung up
        pass
    finally:
        writer.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
