"""How gunicorn serves taskapp; each number with its reason beside it."""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from itertools import count, product
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from gunicorn import glogging, util
from prometheus_client import values

import config as _config  # gunicorn has a setting of that name
from taskapp.errors import InternalError, MalformedRequest, described
from taskapp.ops import logs as _logs

try:
    _settings = _config.load(os.environ)
except _config.ConfigError as error:
    raise SystemExit(f"taskapp: {error}") from None

bind = _settings.bind
workers = _settings.web_concurrency
worker_class = "sync"  # one request at a time and a process each: nothing is shared, nothing waits
preload_app = True  # loaded once, before the fork: half the start, a quarter less memory
timeout = 600  # seconds; the longest export or import: a sync worker shows no life before its end
graceful_timeout = 30  # seconds; a request that has begun may end
backlog = 512  # connections; what a worker clears in the seconds a client is willing to wait
max_requests = 50_000  # a leak somewhere below us stays small
max_requests_jitter = 5_000  # and the workers do not all start anew at once
limit_request_line = 8190  # bytes; the longest search with every filter fits in
limit_request_fields = 64
limit_request_field_size = 8190  # bytes; our tokens take less than 1,000
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a heartbeat on a slow disk kills healthy workers
forwarded_allow_ips = ""  # TRUSTED_PROXIES alone says whom to believe, and taskapp does that
control_socket_disable = True  # nobody needs to steer a running server through a file
with suppress(AttributeError):  # not every C library has it
    # Blocks over 1 MiB go back to the system when freed: glibc would keep the 19 MiB that hashing a
    # password takes, in each worker (mallopt(3), M_MMAP_THRESHOLD).
    ctypes.CDLL(None).mallopt(-3, 1024 * 1024)
logconfig_dict = _logs.configuration(_settings)  # and gunicorn's lines look like them
loglevel = _settings.log_level
proc_name = "taskapp"


class logger_class(glogging.Logger):  # noqa: N801 - the setting's own name
    """The service writes a line for each request; gunicorn would compose one that nobody reads."""

    def access(self, *_: Any) -> None: ...

    # gunicorn quotes what it cannot read, and that may hold a token or the secret of a feed.

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if msg.startswith("Invalid request from "):
            kind = sys.exc_info()[0]
            msg = f"{msg.partition(': ')[0]}: {kind.__name__ if kind else 'unknown'}"
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if msg.startswith("Error handling request"):
            msg, args = "Error handling a request", ()
        super().exception(msg, *args, **kwargs)


# The workers' metrics lie in files of this folder. Each worker has a place, and its successor takes
# that place over: counts go on, and the files stay as few as the workers. All bytes that they will
# ever need are taken now: where the disk is full later, touching a new one would kill a worker.
KIB = 1024
METRICS = {"counter": 256 * KIB, "gauge_livesum": 64 * KIB, "histogram": 512 * KIB}
_metrics = Path(worker_tmp_dir or tempfile.gettempdir(), f"taskapp-metrics-{os.getpid()}")
if os.environ.get("PROMETHEUS_MULTIPROC_DIR") != str(_metrics):  # a new server, and no reload
    for _old in _metrics.parent.glob("taskapp-metrics-*"):
        # Left by servers that were killed, or only checked their settings.
        _process = Path("/proc", _old.name.rpartition("-")[2])
        if _old == _metrics or (Path("/proc").is_dir() and not _process.exists()):
            shutil.rmtree(_old, ignore_errors=True)
    try:
        _metrics.mkdir(mode=0o700)
        for _place, _name in product(range(workers + 1), METRICS):
            (_metrics / f"{_name}_{_place}.db").write_bytes(bytes(METRICS[_name]))
    except OSError:  # no room: each worker tells of itself alone, and serves
        shutil.rmtree(_metrics, ignore_errors=True)
    else:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics)
        values.place = 0
        values.ValueClass = values.MultiProcessValue(lambda: values.place)


def _refuse(client: Any, status: int, reason: str, _detail: str) -> None:
    """What gunicorn itself cannot read is refused as all else is; it has no hook for that."""
    kind = InternalError if status == 500 else MalformedRequest
    status = 400 if status == 501 else status  # a transfer coding that nobody knows
    request_id = uuid4().hex
    body = orjson.dumps(described(kind(), status, request_id))
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nX-Request-ID: {request_id}\r\n"
    head += f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
    util.write_nonblock(client, head.encode() + body)


util.write_error = _refuse


def when_ready(server: Any) -> None:
    """Tell whoever has just started it for themselves where to go."""
    if _settings.environment == "development":
        server.log.info("Open http://%s/ in a browser: make an account there, and sign in.", bind)
        server.log.info("`make seed` fills a demo and says how to sign in to it.")
        admin = "flask --app wsgi users create --admin YOU@EXAMPLE.COM"
        server.log.info("An admin: %s/%s", Path(sys.executable).parent, admin)


def pre_fork(server: Any, worker: Any) -> None:
    taken = {other.place for other in server.WORKERS.values()}
    worker.place = next(place for place in count(1) if place not in taken)
    # What is loaded stays loaded. A collector that never visits it leaves its pages shared, and
    # a worker ends in 0.03 s, where it would take all of it apart for 0.4 s.
    gc.freeze()


def post_fork(_server: Any, worker: Any) -> None:
    values.place = worker.place


def child_exit(_server: Any, worker: Any) -> None:
    gauges = _metrics / f"gauge_livesum_{worker.place}.db"
    with suppress(FileNotFoundError), gauges.open("rb+") as file:
        file.write(bytes(METRICS["gauge_livesum"]))  # what it had in progress is no more


def on_exit(_server: Any) -> None:
    shutil.rmtree(_metrics, ignore_errors=True)
