"""Two test runs of one user do not disturb each other, and a killed one leaves nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2

from tests import leftovers, servers

ANOTHER_RUN = "def test_has_a_folder(tmp_path): assert tmp_path.is_dir()"
RUN_WITH_SERVERS = """
from pathlib import Path
from tests import leftovers, servers
with leftovers.folder() as folder, servers.postgresql(), servers.redis(folder):
    with servers.gunicorn(log=folder / "log", TASKAPP_INSTANCE=str(folder)):
        print("running", flush=True)
        input()
"""


def test_another_pytest_of_the_same_user_leaves_our_postgresql_alone(
    postgresql_url: str, tmp_path: Path
) -> None:
    test = tmp_path / "test_another.py"
    test.write_text(ANOTHER_RUN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]

    done = subprocess.run([*command, test], capture_output=True, text=True, check=False, timeout=60)
    assert "1 passed" in done.stdout, done.stdout + done.stderr

    with closing(psycopg2.connect(postgresql_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_read_file(current_setting('data_directory') || '/PG_VERSION')")


def test_what_a_killed_run_left_is_ended_by_the_next() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN_WITH_SERVERS],
        cwd=servers.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "running\n"
        names = {process.name() for process in _marked(run.pid)}
        run.send_signal(signal.SIGKILL)
    assert {"postgres", "redis-server"} <= names

    leftovers.end()

    assert _marked(run.pid) == []
    folders = Path(tempfile.gettempdir()).glob(f"{leftovers.FOLDERS}{run.pid}-*")
    assert list(folders) == []


def _marked(pid: int) -> list[psutil.Process]:
    """The processes that a run has started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(leftovers.MARK) == str(pid):
                found.append(process)
        except psutil.Error:  # it has just ended, or it is another user's
            continue
    return found
