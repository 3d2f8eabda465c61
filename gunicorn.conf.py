"""How gunicorn serves taskapp; each number with its reason beside it."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from gunicorn import glogging

# Nothing that is loaded is garbage, and to look for it takes a fifth of the start: `_is_loaded`.
gc.disable()

import config as _config  # gunicorn has a setting of that name
from taskapp.ops import logs as _logs
from taskapp.server import metrics_files as _metrics_files

try:
    _settings = _config.load(os.environ)
except _config.ConfigError as error:
    raise SystemExit(f"taskapp: {error}") from None

bind = _settings.bind
workers = _settings.web_concurrency
# One request at a time and a process each; bounds what a slow client holds.
worker_class = f"taskapp.server.worker.{'FastWorker' if _settings.fast else 'Worker'}"
preload_app = True  # loaded once, before the fork: half the start, a quarter less memory
timeout = 60  # seconds without progress: bytes that move and statements that end are signs of life
graceful_timeout = 30  # seconds; a request that has begun may end
backlog = 512  # connections; what a worker clears in the seconds a client is willing to wait
max_requests = 50_000  # a leak somewhere below us stays small
max_requests_jitter = 5_000  # and the workers do not all start anew at once
sendfile = False  # the kernel would wait for a slow client without a look at the clock
limit_request_line = 8190  # bytes; the longest search with every filter fits in
limit_request_fields = 64
limit_request_field_size = 8190  # bytes; our tokens take less than 1,000
forwarded_allow_ips = ""  # TRUSTED_PROXIES alone says whom to believe, and taskapp does that
control_socket_disable = True  # nobody needs to steer a running server through a file
with suppress(AttributeError):  # not every C library has it
    # Blocks of 64 KiB and more go back to the system when freed: glibc would keep the 19 MiB that
    # hashing a password takes, and the texts of long lists, in each worker (mallopt(3),
    # M_MMAP_THRESHOLD).
    ctypes.CDLL(None).mallopt(-3, 64 * 1024)
logconfig_dict = _logs.configuration(_settings)  # and gunicorn's lines look like them
loglevel = _settings.log_level
proc_name = "taskapp"


_memory = Path("/dev/shm")  # noqa: S108 - the system's own folder in memory
_parent = _memory if _memory.is_dir() else Path(tempfile.gettempdir())
_metrics = _metrics_files.prepare(_parent, workers)


class logger_class(glogging.Logger):  # noqa: N801 - the setting's own name
    """The service writes a line for each request; gunicorn would compose one that nobody reads."""

    def access(self, *_: Any) -> None: ...


def on_starting(server: Any) -> None:
    from taskapp.server import start  # what it needs comes with the application

    start.load_for_workers()
    _is_loaded()
    start.check_database(server.app.wsgi())


def on_reload(_server: Any) -> None:
    _is_loaded()


def _is_loaded() -> None:
    """Collect garbage from now on, and leave what is loaded out of it."""
    gc.freeze()
    gc.enable()


def when_ready(server: Any) -> None:
    if _settings.run_courier:
        from taskapp.server import own_courier

        own_courier.start(server.app.wsgi(), [listener.sock for listener in server.LISTENERS])
    _say_where_to_go(server)


def _say_where_to_go(server: Any) -> None:
    """Say to whoever has just started it on their own machine where to go."""
    if _settings.environment == "development":
        server.log.info("Open http://%s/ in a browser: make an account there, and sign in.", bind)
        server.log.info("`make seed` fills a demo and says how to sign in to it.")
        admin = "flask --app wsgi users create --admin YOU@EXAMPLE.COM"
        server.log.info("An admin: %s/%s", Path(sys.executable).parent, admin)


def pre_fork(server: Any, worker: Any) -> None:
    taken = {other.place for other in server.WORKERS.values()}
    worker.place = _metrics_files.free_place(taken, workers)
    # What is loaded stays loaded. A collector that never visits it leaves its pages shared, and
    # a worker ends in 0.03 s, where it would take all of it apart for 0.4 s.
    gc.freeze()


def post_fork(_server: Any, worker: Any) -> None:
    _metrics_files.use_place(worker.place)


def worker_exit(server: Any, _worker: Any) -> None:
    from taskapp.server.start import leave_database

    leave_database(server.app.wsgi())


def child_exit(_server: Any, worker: Any) -> None:
    if _metrics is not None:
        _metrics_files.forget_progress(_metrics, worker.place)


def on_exit(server: Any) -> None:
    if _settings.run_courier:
        from taskapp.server import own_courier

        own_courier.stop(server.app.wsgi())
    if _metrics is not None:
        _metrics_files.remove(_metrics)
