"""Servers of the tests are marked with the test process, so that none outlives a killed one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

MARK = "TASKAPP_TEST_PROCESS"
FOLDERS = "taskapp-tests-"
os.environ[MARK] = str(os.getpid())  # whatever this process starts inherits it


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for a server that runs as another user.

    pytest's own will not do: each pytest of a user that starts takes all rights of others away from
    the folder above (`TempPathFactory.getbasetemp`), and so from a server that is running there.
    """
    end()
    prefix = f"{FOLDERS}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def end() -> None:
    """End the servers of runs that are no more, and remove their folders."""
    left = [process for process in psutil.process_iter() if _is_left(process)]
    for process in left:
        with suppress(psutil.Error):
            process.terminate()
    for process in psutil.wait_procs(left, timeout=5)[1]:
        with suppress(psutil.Error):
            process.kill()
    for path in Path(tempfile.gettempdir()).glob(f"{FOLDERS}*"):
        if _is_over(path.name.removeprefix(FOLDERS).partition("-")[0]):
            shutil.rmtree(path, ignore_errors=True)


def _is_left(process: psutil.Process) -> bool:
    try:
        return _is_over(process.environ().get(MARK, ""))
    except (psutil.Error, OSError):  # it has just ended, or it is another user's
        return False


def _is_over(pid: str) -> bool:
    return pid.isdigit() and not psutil.pid_exists(int(pid))
