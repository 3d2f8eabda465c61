"""A connection to a client that may not keep a worker waiting for long.

A sync worker serves one client at a time, so whoever sends or reads slowly holds up everybody.
"""

import errno
import socket
import time
from collections.abc import Callable
from typing import Any, NoReturn

from gunicorn import util

PATIENCE = 10.0  # seconds that a client may keep us waiting, in all
EARNS = 64 * 1024  # bytes a second: a client that is faster than this loses no patience
SLICE = 64 * 1024  # bytes sent between two looks at the clock
UNNOTICED = 0.01  # seconds
LAST_WORD = 1.0  # seconds


class ClientTooSlow(ConnectionResetError):
    """The client has used up its patience; gunicorn closes the connection."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client is too slow")


class ClientSocket(socket.socket):
    """A socket with a limit on the time that is spent waiting for its peer.

    Only waiting counts, not what the service does in between. Each byte that moves pays a little
    back, up to PATIENCE, so a large body may take its time and a stalled one may not. Until
    something has to be waited for no clock is read: most requests are there, whole, at once.
    """

    def __init__(self, family: int, descriptor: int, on_progress: Callable[[], None]) -> None:
        """Take over an accepted connection; `on_progress` is called whenever bytes have moved."""
        super().__init__(family, socket.SOCK_STREAM, 0, fileno=descriptor)
        self.on_progress = on_progress
        self.patience = PATIENCE
        self.waits = False  # with a timeout, since something had to be waited for
        self.unread = b""  # what was received, and is to be received once more
        self.body: Any = None  # gunicorn's reader; its `length` is what is still to come

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As socket.recv.

        Raises:
            ClientTooSlow: Nothing came in time.
        """
        if self.unread:
            data, self.unread = self.unread[:size], self.unread[size:]
            return data
        if not self.waits:
            try:
                return super().recv(size, flags | socket.MSG_DONTWAIT)
            except BlockingIOError:
                self._wait_from_now_on()
        if self.patience <= 0:
            raise ClientTooSlow
        began = time.monotonic()
        try:
            data = super().recv(size, flags)
        except TimeoutError:
            self._give_up()
        self._spend(time.monotonic() - began, len(data))
        return data

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As socket.sendall.

        Raises:
            ClientTooSlow: The client did not read it in time.
        """
        view = memoryview(data)
        if not self.waits:
            try:
                sent = super().send(view, flags | socket.MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0
            if sent == len(view):
                return
            view = view[sent:]
            self._wait_from_now_on()
        for start in range(0, len(view), SLICE):
            part = view[start : start + SLICE]
            began = time.monotonic()
            try:
                super().sendall(part, flags)
            except TimeoutError:
                self._give_up()
            self._spend(time.monotonic() - began, len(part))

    def close_plainly(self) -> None:
        """Close, with nothing lost on the way: bytes that nobody reads would reset the connection.

        Where there are none, and none will come, the kernel sends what is left to send, and then
        FIN (RFC 9112, 9.6); else gunicorn reads them first, for a while.
        """
        if self.body is not None and self.body.length > 0:
            util.close_graceful(self)
            return
        if self.waits:
            self.settimeout(0)
        try:
            left = super().recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:  # nothing is there, or the connection is reset
            left = b""
        if left:
            util.close_graceful(self)
        else:
            self.close()

    def _wait_from_now_on(self) -> None:
        self.waits = True
        self.settimeout(self.patience)

    def _spend(self, waited: float, moved: int) -> None:
        if waited < UNNOTICED:
            return
        self.on_progress()
        self.patience = min(PATIENCE, self.patience - waited + moved / EARNS)
        if self.patience <= 0:
            self._give_up()
        self.settimeout(self.patience)

    def _give_up(self) -> NoReturn:
        """Read no more; a refusal may still be sent, if the client takes it at once."""
        self.patience = 0.0
        self.settimeout(LAST_WORD)
        raise ClientTooSlow from None
