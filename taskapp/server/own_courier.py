"""The courier as a child of gunicorn's master, with whom it shares the memory of what is loaded.

gunicorn knows its workers alone, and would not start a courier again: so the master forks a keeper,
and the keeper forks the courier, and another one when that has died.
"""

import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from socket import socket

from flask import Flask

from taskapp.courier.loop import Courier
from taskapp.extensions import db
from taskapp.server.start import leave_database

LOOK = 1.0  # seconds between looks at who lives
PATIENCE = 20.0  # seconds; what the courier has begun may take 15
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
OF_MASTER = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU)
log = logging.getLogger(__name__)
KEEPER = "taskapp.courier_keeper"  # the extension of an app that holds its process id


def start(app: Flask, listeners: Iterable[socket]) -> None:
    """Fork the keeper, which ends when this process does."""
    gc.freeze()  # a collector that never visits what is loaded leaves its pages shared
    master = os.getpid()

    def keep() -> None:
        for listener in listeners:
            listener.close()  # whoever is next may have the port
        for number in OF_MASTER:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _keep(app, master)

    app.extensions[KEEPER] = _fork(keep)


def stop(app: Flask) -> None:
    """End what was started, if anything was: the courier finishes what it has begun."""
    keeper = app.extensions.get(KEEPER)
    if keeper is not None:
        _end(keeper)


def _keep(app: Flask, master: int) -> None:
    """Have a courier run, until this is told to stop or the master is gone."""
    stopping = _told_to_stop()
    courier = _fork(lambda: _run(app))
    while not stopping.wait(LOOK) and os.getppid() == master:
        if _has_ended(courier):
            log.warning("courier died; another one starts")
            courier = _fork(lambda: _run(app))
    _end(courier)


def _run(app: Flask) -> None:
    courier = Courier(app, parent=os.getppid())
    for number in ENDING:
        signal.signal(number, courier.stop)
    courier.run()
    leave_database(app)
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


def _told_to_stop() -> threading.Event:
    told = threading.Event()
    for number in ENDING:
        signal.signal(number, lambda *_: told.set())
    return told


def _fork(function: Callable[[], object]) -> int:
    """Call it in a child, which then ends without what the parent does at its end."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        function()
        code = 0
    except Exception:
        log.exception("the courier's process broke off")
    finally:
        os._exit(code)


def _end(child: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while not _has_ended(child) and time.monotonic() < until:
        time.sleep(0.05)


def _has_ended(child: int) -> bool:
    try:
        ended, _ = os.waitpid(child, os.WNOHANG)
    except ChildProcessError:  # gunicorn has seen to it
        return True
    return ended == child
