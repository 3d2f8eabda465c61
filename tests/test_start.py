"""What gunicorn says: where to go, and no secret."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests import servers


def test_a_server_on_ones_own_machine_says_what_to_open(tmp_path: Path) -> None:
    servers.migrate(TASKAPP_INSTANCE=str(tmp_path))
    log = tmp_path / "log"

    with servers.gunicorn(log=log, TASKAPP_INSTANCE=str(tmp_path)) as base:
        pass

    assert f"Open {base}/ in a browser" in log.read_text()
    assert "users create --admin" in log.read_text()


def test_a_server_in_production_does_not(tmp_path: Path) -> None:
    servers.migrate(TASKAPP_INSTANCE=str(tmp_path))
    log = tmp_path / "log"
    variables = {"ENVIRONMENT": "production", "SECRET_KEY": "0123456789abcdef" * 4}

    with servers.gunicorn(log=log, TASKAPP_INSTANCE=str(tmp_path), **variables):
        pass

    assert "Listening at" in log.read_text()
    assert "in a browser" not in log.read_text()


@pytest.mark.parametrize(
    ("request_line", "header", "reason"),
    [
        ("GET / HTTP/1.1", "Authorization Bearer {}", "InvalidHeader"),
        ("GET / HTTP/1.1", "Authorization\0: {}", "InvalidHeaderName"),
        ("GET /api/v1/feeds/{}.ics HTTP/0.1", "Host: x", "InvalidHTTPVersion"),
    ],
)
def test_what_gunicorn_cannot_read_is_not_quoted_in_the_log(
    request_line: str, header: str, reason: str, tmp_path: Path
) -> None:
    servers.migrate(TASKAPP_INSTANCE=str(tmp_path))
    log, secret = tmp_path / "log", "tsk_secret-of-a-feed"
    sent = f"{request_line}\r\n{header}\r\n\r\n".format(secret)

    with servers.gunicorn(log=log, TASKAPP_INSTANCE=str(tmp_path)) as base:
        port = int(base.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(sent.encode())
            assert b" 400 " in connection.recv(4096)

    assert f'address="127.0.0.1" reason="{reason}"' in log.read_text()
    assert secret not in log.read_text()
