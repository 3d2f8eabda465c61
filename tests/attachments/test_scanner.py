"""ATTACHMENT_SCANNER: each upload goes by a program, and only what that finds clean is kept"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.attachments import scanner
from taskapp.database.quotas import wrong_counts
from taskapp.extensions import db
from taskapp.schema import table
from taskapp.users.models import User
from tests import servers
from tests.attachments.conftest import FERN, Attach, names_in
from tests.conftest import Client, events, named, refused

# In two pieces: some scanners would take this file itself for what they look for.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-" + b"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
CLEAN = os.urandom(300_000)  # more than any buffer on the way
FINDS_EICAR = 'import sys; sys.exit(b"EICAR-" b"STANDARD" in sys.stdin.buffer.read())'
FAILS = "import sys; sys.exit(2)"
IS_KILLED = "import os; os.kill(os.getpid(), 9)"
HANGS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(child.pid))
child.wait()
"""
TELLS = """
import fcntl, json, os, sys
numbers = os.listdir("/proc/self/fd")  # with that of the listing itself, which is closed again
open_files = [number for number in numbers if os.path.exists(f"/proc/self/fd/{number}")]
access = fcntl.fcntl(0, fcntl.F_GETFL) & os.O_ACCMODE
told = {"environment": dict(os.environ), "open": sorted(open_files), "access": access}
open(sys.argv[1], "w").write(json.dumps(told))
"""
Scan = Callable[..., None]


@pytest.fixture
def scan_with(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Scan:
    """Let uploads go by a command: its words, or a program of Python's and its arguments."""

    def change(*command: str, program: str = "") -> None:
        if program:
            command = (sys.executable, "-c", program, *command)
        settings = dataclasses.replace(
            app.extensions["taskapp"], attachment_scanner=command, web_concurrency=2
        )
        monkeypatch.setitem(app.extensions, "taskapp", settings)

    return change


@pytest.fixture
def nothing_is_kept(app: Flask, bob: Client, url: str, folder: Path) -> Callable[[], bool]:
    def look() -> bool:
        users = table(User)
        used = sa.select(users.c.attachment_bytes).where(users.c.id == bob.user["id"])
        with app.app_context():
            counted = db.session.execute(used).scalar_one()
            wrong = wrong_counts()
        listed = bob.get(url).get_json()["items"]
        written = events(app, "attachment-created")
        return (names_in(folder), listed, written, counted, wrong) == ([], [], [], 0, 0)

    return look


@pytest.mark.parametrize("content", [b"", FERN, CLEAN], ids=["empty", "short", "long"])
def test_what_is_clean_is_kept_byte_for_byte(
    bob: Client, attach: Attach, scan_with: Scan, folder: Path, content: bytes
) -> None:
    scan_with(program=FINDS_EICAR)
    made = attach(content)

    assert made.status_code == 201
    assert made.get_json()["sha256"] == sha256(content).hexdigest()
    assert names_in(folder) == [sha256(content).hexdigest()]
    assert bob.get(made.headers["Location"]).data == content


@pytest.mark.parametrize(
    "content", [EICAR, EICAR + CLEAN, CLEAN + EICAR], ids=["alone", "first", "last"]
)
def test_malware_is_refused_and_logged(
    bob: Client,
    attach: Attach,
    scan_with: Scan,
    nothing_is_kept: Callable[[], bool],
    caplog: pytest.LogCaptureFixture,
    content: bytes,
) -> None:
    scan_with(program=FINDS_EICAR)
    response = attach(content)

    assert refused(response) == (422, "validation-error")
    assert named(response) == ["/file"]
    assert nothing_is_kept()
    (line,) = [line for line in caplog.records if line.name == scanner.__name__]
    assert line.getMessage() == "malicious attachment refused"
    fields = {"account": bob.user["id"], "sha256": sha256(content).hexdigest()}
    assert line.__dict__["fields"] == fields


@pytest.mark.parametrize(
    ("command", "program", "reason"),
    [
        ((), FAILS, "exit code 2"),
        ((), IS_KILLED, "exit code -9"),
        (("no-such-scanner", "-"), "", "no-such-scanner: No such file or directory"),
        (("/etc/passwd",), "", "/etc/passwd: Permission denied"),
    ],
    ids=["fails", "is killed", "is missing", "is no program"],
)
def test_what_cannot_be_scanned_is_not_kept(
    attach: Attach,
    scan_with: Scan,
    nothing_is_kept: Callable[[], bool],
    caplog: pytest.LogCaptureFixture,
    command: tuple[str, ...],
    program: str,
    reason: str,
) -> None:
    scan_with(*command, program=program)
    response = attach()

    assert refused(response) == (503, "database-busy")
    assert int(response.headers["Retry-After"]) >= 1
    assert "scanned" in response.get_json()["detail"]
    assert nothing_is_kept()
    (line,) = [line for line in caplog.records if line.name == scanner.__name__]
    assert (line.levelname, line.getMessage()) == ("WARNING", "attachment not scanned")
    assert line.__dict__["fields"] == {"reason": reason}


def test_a_scanner_that_hangs_is_ended_with_what_it_started(
    attach: Attach,
    scan_with: Scan,
    nothing_is_kept: Callable[[], bool],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scanner, "LONGEST_SECONDS", 2.0)
    scan_with(str(tmp_path / "pid"), program=HANGS)
    began = time.monotonic()

    assert refused(attach()) == (503, "database-busy")
    assert 2 <= time.monotonic() - began < 20
    assert nothing_is_kept()
    assert ends(int((tmp_path / "pid").read_text()))


def ends(process_id: int) -> bool:
    """Whether a process is gone, or waits only for somebody to fetch its exit code."""
    for _ in range(100):
        try:
            if psutil.Process(process_id).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_the_scanner_gets_the_file_to_read_and_no_secret(
    attach: Attach, scan_with: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "0123456789abcdef0123456789abcdef")
    scan_with(str(tmp_path / "told"), program=TELLS)

    assert attach().status_code == 201
    told = json.loads((tmp_path / "told").read_text())
    assert told["environment"] == scanner.ENVIRONMENT
    assert told["open"] == ["0", "1", "2"]
    assert told["access"] == os.O_RDONLY


def test_a_scan_leaves_a_worker_to_others(
    app: Flask, bob: Client, attach: Attach, scan_with: Scan, url: str
) -> None:
    scan_with(program=FINDS_EICAR)
    assert attach().status_code == 201
    place = app.extensions["taskapp"].instance / "long-operations" / "0.lock"
    with place.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert refused(attach()) == (503, "database-busy")
        assert bob.get(url).status_code == 200

    assert attach().status_code == 201


def test_a_running_service_scans(tmp_path: Path) -> None:
    command = shlex.join([sys.executable, "-c", FINDS_EICAR])
    settings = {"TASKAPP_INSTANCE": str(tmp_path), "ATTACHMENT_SCANNER": command}
    servers.migrate(**settings)
    with servers.gunicorn(**settings) as base:
        token = servers.sign_up(base, "alice@example.com")
        task = servers.ask(f"{base}/api/v1/tasks", {"title": "Fern"}, token=token)[2]
        answers = []
        for content in (CLEAN, EICAR, CLEAN):
            path = f"{base}/api/v1/tasks/{task['id']}/attachments"
            answers.append(upload(path, token, content))

    assert answers == [201, 422, 201]
    assert names_in(tmp_path / "attachments") == [sha256(CLEAN).hexdigest()]


def upload(url: str, token: str, content: bytes) -> int:
    """The status of the answer."""
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    form = head + content + b"\r\n--edge--\r\n"
    headers = {"Authorization": f"Bearer {token}"}
    headers["Content-Type"] = "multipart/form-data; boundary=edge"
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=30)
    with closing(connection):
        connection.request("POST", parts.path, form, headers)
        return connection.getresponse().status
