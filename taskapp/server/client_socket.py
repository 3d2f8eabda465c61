"""A connection to a client that may not keep a worker waiting for long.

A sync worker serves one client at a time, so whoever sends or reads slowly holds up everybody.
"""

import errno
import socket
import time
from collections.abc import Callable
from typing import Any, NoReturn

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
    back, up to PATIENCE, so a large body may take its time and a stalled one may not.
    """

    def __init__(self, accepted: socket.socket, on_progress: Callable[[], None]) -> None:
        """Take over an accepted socket; `on_progress` is called whenever bytes have moved."""
        family, kind, protocol = accepted.family, accepted.type, accepted.proto
        super().__init__(family, kind, protocol, fileno=accepted.detach())
        self.on_progress = on_progress
        self.patience = PATIENCE
        self.settimeout(PATIENCE)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As socket.recv.

        Raises:
            ClientTooSlow: Nothing came in time.
        """
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
        for start in range(0, len(view), SLICE):
            part = view[start : start + SLICE]
            began = time.monotonic()
            try:
                super().sendall(part, flags)
            except TimeoutError:
                self._give_up()
            self._spend(time.monotonic() - began, len(part))

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
