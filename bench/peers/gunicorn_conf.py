"""gunicorn for every WSGI peer: the numbers of taskapp's own gunicorn.conf.py that cost or save."""

from __future__ import annotations

from pathlib import Path

worker_class = "sync"
timeout = 30
backlog = 512
max_requests = 50_000
max_requests_jitter = 5_000
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - as taskapp's
control_socket_disable = True
accesslog = None
loglevel = "warning"
