"""A view that waits for the upstream, and users who ask it: what two experiments share."""

from __future__ import annotations

from dataclasses import dataclass

from lab.load import Generator
from lab.servers import Upstream


@dataclass(frozen=True)
class Bench:
    """One view of one running server."""

    port: int
    path: str
    upstream: Upstream
    load: Generator

    def calibrate(self, users: int, seconds: float) -> tuple[float, float]:
        """With an upstream that answers at once: seconds for a request, and the most per second."""
        self.upstream.set(0)
        self.load.closed(
            self.port, self.path, users, seconds
        )  # the first pay for what is made once
        self.load.drain(self.port, self.path)
        alone = self.load.closed(self.port, self.path, 1, seconds)
        most = self.load.closed(self.port, self.path, users, seconds)
        self.load.drain(self.port, self.path)
        return 1 / alone, most

    def rate(self, delay: float, users: int, seconds: float) -> float:
        """Answers per second when the upstream takes that long."""
        self.upstream.set(delay)
        try:
            return self.load.closed(self.port, self.path, users, seconds)
        finally:
            self.upstream.set(0)  # whoever still waits in the server's queue gets through quickly
            self.load.drain(self.port, self.path)
