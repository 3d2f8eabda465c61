"""What somebody sees who starts the service for the first time."""

from __future__ import annotations

from pathlib import Path

from tests import servers


def test_a_server_on_ones_own_machine_says_what_to_open(tmp_path: Path) -> None:
    servers.migrate(TASKAPP_INSTANCE=str(tmp_path))
    log = tmp_path / "log"

    with servers.gunicorn(log=log, TASKAPP_INSTANCE=str(tmp_path)) as base:
        pass

    assert f"Open {base}/docs in a browser" in log.read_text()
    assert "users create --admin" in log.read_text()


def test_a_server_in_production_does_not(tmp_path: Path) -> None:
    servers.migrate(TASKAPP_INSTANCE=str(tmp_path))
    log = tmp_path / "log"
    variables = {"ENVIRONMENT": "production", "SECRET_KEY": "0123456789abcdef" * 4}

    with servers.gunicorn(log=log, TASKAPP_INSTANCE=str(tmp_path), **variables):
        pass

    assert "Listening at" in log.read_text()
    assert "in a browser" not in log.read_text()
