"""How gunicorn serves taskapp; each number with its reason beside it."""

from __future__ import annotations

import os
from pathlib import Path

import config as _config  # gunicorn has a setting of that name

try:
    _settings = _config.load(os.environ)
except _config.ConfigError as error:
    raise SystemExit(f"taskapp: {error}") from None

bind = _settings.bind
workers = _settings.web_concurrency
worker_class = "sync"  # one request at a time and a process each: nothing is shared, nothing waits
timeout = 600  # seconds; the longest export or import: a sync worker shows no life before its end
graceful_timeout = 30  # seconds; a request that has begun may end
backlog = 512  # connections; what a worker clears in the seconds a client is willing to wait
max_requests = 50_000  # a leak somewhere below us stays small
max_requests_jitter = 5_000  # and the workers do not all start anew at once
limit_request_line = 8190  # bytes; the longest search with every filter fits in
limit_request_fields = 64
limit_request_field_size = 8190  # bytes; our tokens take less than 1,000
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a heartbeat on a slow disk kills healthy workers
control_socket_disable = True  # nobody needs to steer a running server through a file
accesslog = None  # the service writes its own line for each request
errorlog = "-"
loglevel = _settings.log_level
proc_name = "taskapp"
