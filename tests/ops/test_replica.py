"""DATABASE_REPLICA_URL: a streaming replica answers what it holds already, and nobody can tell"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import config
from taskapp import create_app
from tests import leftovers, servers
from tests.conftest import Client, Json, Stage, add, made, new_database, set_the_stage
from tests.faults.conftest import Postgres, wait_until

LISTS = (
    "/api/v1/tasks",
    "/api/v1/tasks?q=fern&label=home&total=true",
    "/api/v1/tasks?format=csv",
    "/api/v1/changes",
    "/api/v1/labels",
    "/api/v1/stats",
)


@dataclass
class Pair:
    """A primary and its streaming replica; both write every statement into their logs."""

    primary: Postgres
    replica: Postgres

    def ask(self, client: FlaskClient, url: str) -> tuple[TestResponse, set[str]]:
        """The answer, and who was asked for rows of tasks."""
        before = self.asked()
        response = client.get(url)
        assert response.status_code == 200, response.get_json()
        after = self.asked()
        return response, {name for name in after if after[name] > before[name]}

    def wait(self) -> None:
        """Until the replica has replayed what the primary has written."""
        behind = f"SELECT '{self._tell(self.primary, 'SELECT pg_current_wal_lsn()')}'"
        wait_until(lambda: self._tell(self.replica, f"{behind} <= pg_last_wal_replay_lsn()"))

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """The replica goes on receiving, and replays nothing."""
        self.wait()
        paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'"
        self._tell(self.replica, "SELECT pg_wal_replay_pause()")
        try:
            wait_until(lambda: self._tell(self.replica, paused))
            yield
        finally:
            self._tell(self.replica, "SELECT pg_wal_replay_resume()")
            self.wait()

    def asked(self) -> dict[str, int]:
        return {
            name: server.server.log.read_text().count("FROM task")
            for name, server in (("primary", self.primary), ("replica", self.replica))
        }

    def _tell(self, server: Postgres, statement: str) -> Any:
        with closing(server.connect(server.server.get_uri())) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return cursor.fetchone()[0]


@pytest.fixture(scope="module")
def _pair() -> Iterator[Pair]:
    with ExitStack() as running:
        above = running.enter_context(leftovers.folder())
        folder = above / "replica"
        primary = running.enter_context(servers.postgresql_server(above / "primary"))
        for setting in ("fsync = off", "log_statement = 'all'"):
            primary.psql(f"ALTER SYSTEM SET {setting}; SELECT pg_reload_conf();")
        folder.mkdir(mode=0o700)
        if primary.system_user:  # PostgreSQL refuses to be root
            shutil.chown(folder, primary.system_user)
        copy = [primary.bin_path / "pg_basebackup", "-R", "-D", folder, "-d", primary.get_uri()]
        copy += ["--checkpoint=fast", "--no-sync"]
        subprocess.run(copy, user=primary.system_user, check=True, timeout=60)
        (folder / ".s.PGSQL.5432.lock").unlink()  # the primary's own: its socket lies in its folder
        replica = running.enter_context(servers.postgresql_server(folder))
        yield Pair(Postgres(primary), Postgres(replica))


@pytest.fixture
def pair(_pair: Pair) -> Iterator[Pair]:
    yield _pair
    _pair.replica.start()


@pytest.fixture(scope="module")
def variables(_pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    url = new_database(_pair.primary.server.get_uri(), "taskapp")
    return {
        "TASKAPP_INSTANCE": str(tmp_path_factory.mktemp("instance")),
        "DATABASE_URL": url,
        "DATABASE_REPLICA_URL": _pair.replica.server.get_uri("taskapp"),
    }


@pytest.fixture(scope="module")
def _stage(variables: dict[str, str]) -> Iterator[Stage]:
    yield (stage := set_the_stage(Path(variables["TASKAPP_INSTANCE"]), variables))
    servers.close(stage.app)


@pytest.fixture
def stage(_stage: Stage, variables: dict[str, str]) -> Iterator[Stage]:
    """The same accounts each time, and an app that has met no trouble yet."""
    app = create_app(config.load({**variables, "RATELIMIT_ENABLED": "false"}))
    app.test_client_class = Client
    yield Stage(app, _stage.rows, _stage.cast)
    servers.close(app)


@pytest.fixture
def labelled(alice: Client, pair: Pair) -> Json:
    task = add(alice, labels=["home"])
    pair.wait()
    return task


def outcomes(client: Client) -> Counter[str]:
    """What the metrics count of the replica."""
    told = re.findall(r'replica_asked_total{outcome="(\w+)"} (\d+)', client.get("/metrics").text)
    return Counter({outcome: int(times) for outcome, times in told})


@pytest.mark.parametrize("url", LISTS)
def test_lists_come_from_the_replica(alice: Client, pair: Pair, labelled: Json, url: str) -> None:
    response, asked = pair.ask(alice, url)

    assert asked == {"replica"}
    assert response.data


def test_a_feed_comes_from_the_replica(alice: Client, pair: Pair, labelled: Json) -> None:
    token = made(alice, "auth/tokens", name="phone", scopes=["feed"])
    response, asked = pair.ask(alice, f"{token['feed_url']}?as=todos")

    assert asked == {"replica"}
    assert "SUMMARY:Water the fern" in response.text


def test_one_task_comes_from_the_primary(alice: Client, pair: Pair, labelled: Json) -> None:
    assert pair.ask(alice, f"/api/v1/tasks/{labelled['id']}")[1] == {"primary"}


def test_a_remembered_list_asks_nobody(alice: Client, pair: Pair, labelled: Json) -> None:
    first, second = (pair.ask(alice, "/api/v1/tasks") for _ in range(2))

    assert (first[1], second[1]) == ({"replica"}, set())
    assert first[0].data == second[0].data


@pytest.mark.parametrize("url", LISTS)
def test_one_sees_ones_own_write_at_once(
    alice: Client, pair: Pair, labelled: Json, url: str
) -> None:
    before, _ = pair.ask(alice, url)
    with pair.standing_still():
        add(alice, "Prune the fern", labels=["home"])
        meanwhile, asked = pair.ask(alice, url)
        assert asked == {"primary"}
        assert meanwhile.data != before.data

    add(alice, "Sweep", labels=["home"])
    pair.wait()
    assert pair.ask(alice, url)[1] == {"replica"}


def test_what_others_write_elsewhere_does_not_matter(
    alice: Client, bob: Client, pair: Pair, labelled: Json
) -> None:
    """The replica is behind, and holds all that Alice sees; the metrics tell how often it does."""
    with pair.standing_still():
        add(bob)
        before = outcomes(alice)
        assert pair.ask(alice, "/api/v1/tasks")[1] == {"replica"}
        assert pair.ask(bob, "/api/v1/tasks")[1] == {"primary"}
        assert outcomes(alice) - before == Counter(reached=1, behind=1)


def test_changes_tell_of_a_project_that_came_and_went_meanwhile(
    alice: Client, pair: Pair, labelled: Json
) -> None:
    """The replica has never heard of it, and so tells the same of Alice's projects."""
    with pair.standing_still():
        project = made(alice, "projects", name="Shed")
        task = add(alice, project_id=project["id"])
        cursor = alice.get("/api/v1/changes?limit=200").get_json()["next_cursor"]
        assert alice.delete(f"/api/v1/projects/{project['id']}").status_code == 204

        response, asked = pair.ask(alice, f"/api/v1/changes?cursor={cursor}")
        assert response.get_json()["deleted"] == [task["id"]]
        assert asked == {"primary"}


def test_a_replica_that_stops_makes_no_error(
    alice: Client, pair: Pair, labelled: Json, caplog: pytest.LogCaptureFixture
) -> None:
    assert pair.ask(alice, "/api/v1/stats")[1] == {"replica"}
    pair.replica.stop()

    for url in LISTS:
        assert pair.ask(alice, url)[1] == {"primary"}
    assert caplog.text.count("replica unavailable, continuing without it") == 1


@pytest.mark.faults
def test_a_frozen_one_costs_a_worker_seconds_and_once(
    alice: Client, pair: Pair, labelled: Json
) -> None:
    assert pair.ask(alice, "/api/v1/stats")[1] == {"replica"}
    with pair.replica.frozen():
        began = time.monotonic()
        assert pair.ask(alice, "/api/v1/stats")[1] == {"primary"}
        first = time.monotonic() - began
        assert first < 30
        assert pair.ask(alice, "/api/v1/labels")[1] == {"primary"}
        assert time.monotonic() - began - first < first / 2  # it waits for nothing


def test_it_is_asked_again_after_a_while(
    alice: Client, pair: Pair, labelled: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskapp.database.replica.RETRY_REPLICA_AFTER", 0.0)  # at once
    pair.replica.stop()
    assert pair.ask(alice, "/api/v1/stats")[1] == {"primary"}
    pair.replica.start()
    assert pair.ask(alice, "/api/v1/stats")[1] == {"replica"}


def test_an_export_that_the_replica_cannot_end_goes_on_from_the_primary(
    app: Flask, bob: Client, pair: Pair
) -> None:
    titles = [f"Fern {number}" for number in range(2500)]
    body = "".join(f'{{"title": "{title}"}}\n' for title in titles)
    imported = bob.post("/api/v1/tasks/import", data=body, content_type="application/x-ndjson")
    assert imported.status_code == 200
    pair.wait()

    before, stream = pair.asked(), FlaskClient(app)  # one that does not read it all at once
    response = stream.get("/api/v1/tasks?format=ndjson&sort=id", environ_base=bob.environ_base)
    lines = response.iter_encoded()
    begun = next(lines)
    assert pair.asked() == {**before, "replica": before["replica"] + 1}
    pair.replica.stop()
    exported = [json.loads(line) for line in (begun + b"".join(lines)).splitlines()]

    assert pair.asked()["primary"] == before["primary"] + 1
    assert [task["title"] for task in exported][-2500:] == titles


@pytest.mark.usefixtures("stage")
def test_the_doctor_looks_at_it(pair: Pair, variables: dict[str, str]) -> None:
    def found(**changes: str) -> str:
        told = servers.flask("doctor", **{**variables, **changes})
        assert told.returncode == 0, told.stdout
        return next(line for line in told.stdout.splitlines() if " replica " in line)

    assert found() == "ok        replica        follows"
    assert found(DATABASE_REPLICA_URL=variables["DATABASE_URL"]).startswith("degraded")
    pair.replica.stop()
    assert found().startswith("degraded")
    assert "See DATABASE_REPLICA_URL" in found()
