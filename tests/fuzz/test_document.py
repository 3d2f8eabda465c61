"""Schemathesis reads the document and tries whatever follows from it, on real servers

All checks are on, in examples, coverage, fuzzing and stateful runs, with two users who must not see
each other's things. `make test` has a few examples of each, `make fuzz` many: FUZZ_EXAMPLES of each
operation, chosen by FUZZ_SEED.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests import servers

CONFIG = "tests/fuzz/schemathesis.toml"
TESTER_PASSWORD = "nine copper weathervanes"
# Mails wait, for nobody sends them. An export ends for its client a moment before its worker gives
# its place back (web/long_operations.py): with four workers there is another one for the next.
SERVED = {
    "RATELIMIT_ENABLED": "false",
    "LOG_LEVEL": "error",
    "WEB_CONCURRENCY": "4",
    "SMTP_URL": "smtp://127.0.0.1:9?tls=none",
    "MAIL_FROM": "tasks@example.com",
    "PUBLIC_URL": "http://127.0.0.1",
}
# As in schemathesis.toml: ids of what stays, and of what the test may delete.
KEPT, SPARE = (11,), (6, 7, 8, 9, 10)
FURNITURE = {
    "/tasks": {"title": "Water the fern"},
    f"/tasks/{KEPT[0]}/comments": {"body": "The blue can."},
    "/projects": {"name": "Greenhouse"},
    "/projects/2/webhooks": {"url": "https://hooks.example.com/"},
    "/auth/tokens": {"name": "script", "scopes": ["read"]},
}
NAMED = b'Content-Disposition: form-data; name="file"; filename="a.txt"'
A_FILE = b"--end\r\n%b\r\n\r\na\r\n--end--\r\n" % NAMED
# A few examples cannot reach everything: `make fuzz` fails on the warnings about that, too.
QUICK = ("--max-examples=2", "--warnings=unsupported_regex,unmatched_filter,method_not_allowed")


def populate(base: str, environment: dict[str, str]) -> str:
    """A bystander with the examples' own password, and the cast; returns the secret of a feed."""
    servers.sign_up(base, "alice@example.com")
    for name in ("dora", "emil"):
        body = {"email": f"{name}@example.com", "password": TESTER_PASSWORD, "name": name}
        assert servers.ask(f"{base}/api/v1/auth/register", body)[0] == 201
    furnish(base)
    create = ("users", "create", "--admin", "root@example.com")
    made = servers.flask(*create, stdin=TESTER_PASSWORD, **environment)
    assert made.returncode == 0, made.stderr
    token = servers.sign_up(base, "feed@example.com")
    feed = {"name": "calendar", "scopes": ["feed"]}
    return str(servers.ask(f"{base}/api/v1/auth/tokens", feed, token=token)[2]["token"])


def furnish(base: str) -> None:
    """What the dictionaries of schemathesis.toml name: of each kind dora has one to twelve."""
    login = {"email": "dora@example.com", "password": TESTER_PASSWORD}
    token = servers.ask(f"{base}/api/v1/auth/login", login)[2]["access_token"]
    for key in ("fern", "moss"):
        url = f"{base}/api/v1/projects/2/tasks/by-external-id/{key}"
        assert servers.ask(url, {"title": key}, token=token, method="PUT")[0] == 201
    for path, body in FURNITURE.items():
        ids = [servers.ask(f"{base}/api/v1{path}", body, token=token)[2]["id"] for _ in range(12)]
        assert {*KEPT, *SPARE} <= {*ids}, path
    for _ in range(12):
        attach(f"{base}/api/v1/tasks/{KEPT[0]}/attachments", token)


def attach(url: str, token: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=end"}
    headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, A_FILE, headers)  # noqa: S310 - our own URL
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310


def schemathesis(environment: dict[str, str], folder: Path, *options: str) -> None:
    variables = {**environment, **SERVED}
    with servers.gunicorn(**variables) as base:
        told = {"FUZZ_FEED": populate(base, variables), "PYTHONPATH": str(servers.ROOT)}
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG]
        seed = os.environ.get("FUZZ_SEED", "1")
        command += ["run", f"{base}/openapi.json", f"--seed={seed}", "--no-color", *options]
        ran = subprocess.run(
            command,
            cwd=servers.ROOT,
            env=servers.environment(**told),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    (folder / "report.txt").write_text(ran.stdout)
    assert ran.returncode == 0, ran.stdout[-20_000:]
    assert "WARNINGS" not in ran.stdout, ran.stdout[-5_000:]


def test_a_few_examples_of_everything(fresh_environment: dict[str, str], tmp_path: Path) -> None:
    phases = "--phases=examples,fuzzing,stateful"
    schemathesis(fresh_environment, tmp_path, phases, *QUICK)


@pytest.mark.fuzz
def test_thousands_of_requests(fresh_environment: dict[str, str], tmp_path: Path) -> None:
    examples = os.environ.get("FUZZ_EXAMPLES", "50")
    schemathesis(fresh_environment, tmp_path, f"--max-examples={examples}")
