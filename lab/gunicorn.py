"""What every gunicorn of the lab has in common; each number with its reason beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

backlog = 2048  # connections; more than any experiment opens at once
timeout = 120  # seconds; a worker that is held up is what we want to see, not its restart
graceful_timeout = 1  # seconds; nobody waits for an answer when a server is ended
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - memory, not disk
control_socket_disable = True
loglevel = "warning"


def post_worker_init(worker: Any) -> None:
    """Say when a worker has loaded its app, in uvicorn's words; see servers.STARTED."""
    worker.log.warning("Application startup complete")
