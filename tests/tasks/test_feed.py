"""GET /api/v1/feeds/{secret}.ics"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from icalendar import Calendar

from tests import servers
from tests.conftest import Client, Json, refused

TOKENS = "/api/v1/auth/tokens"
VDIRSYNCER = """
[general]
status_path = "{folder}/status"
[pair tasks]
a = "feed"
b = "disk"
collections = null
[storage feed]
type = "http"
url = "{url}"
[storage disk]
type = "filesystem"
path = "{folder}/items"
fileext = ".ics"
"""


def path_of(token: Json) -> str:
    return f"/api/v1/feeds/{token['token']}.ics"


def titles(data: bytes) -> set[str]:
    return {str(todo["summary"]) for todo in Calendar.from_ical(data).walk("VTODO")}


@pytest.fixture
def token(alice: Client) -> Json:
    made: Json = alice.post(TOKENS, json={"name": "phone", "scopes": ["feed"]}).get_json()
    return made


def test_shows_what_is_open_in_every_project_of_its_owner(
    anonymous: Client, alice: Client, bob: Client, shared: Json, token: Json
) -> None:
    for title, status in (("a", "todo"), ("b", "in_progress"), ("c", "done"), ("d", "cancelled")):
        alice.post("/api/v1/tasks", json={"title": title, "status": status})
    bob.post("/api/v1/tasks", json={"title": "e", "project_id": shared["id"]})
    bob.post("/api/v1/tasks", json={"title": "f"})

    response = anonymous.get(path_of(token))

    assert (response.status_code, response.mimetype) == (200, "text/calendar")
    assert titles(response.data) == {"a", "b", "e"}
    assert response.headers["Cache-Control"] == "private, no-cache"


def test_an_unchanged_feed_is_304(
    anonymous: Client, alice: Client, task: Json, token: Json
) -> None:
    first = anonymous.get(path_of(token))
    again = {"If-None-Match": first.headers["ETag"]}

    assert anonymous.get(path_of(token), headers=again).status_code == 304
    assert anonymous.get(path_of(token)).data == first.data
    alice.patch(f"/api/v1/tasks/{task['id']}", json={"title": "Moss"})
    assert titles(anonymous.get(path_of(token), headers=again).data) == {"Moss"}


def test_a_feed_token_opens_nothing_else(alice: Client, token: Json) -> None:
    stranger = alice.as_token(token["token"])

    assert refused(stranger.get("/api/v1/tasks")) == (403, "insufficient-scope")
    assert refused(stranger.post("/api/v1/tasks", json={"title": "x"})) == (
        403,
        "insufficient-scope",
    )


@pytest.mark.parametrize("scope", ["read", "write"])
def test_other_tokens_open_no_feed(anonymous: Client, alice: Client, scope: str) -> None:
    other = alice.post(TOKENS, json={"name": "x", "scopes": [scope]}).get_json()

    assert refused(anonymous.get(path_of(other))) == (404, "not-found")


@pytest.mark.parametrize("secret", ["tsk_wrong", "x", "%00", "%FF", "a" * 3000, "..%2F"])
def test_a_wrong_secret_is_404(anonymous: Client, secret: str) -> None:
    assert refused(anonymous.get(f"/api/v1/feeds/{secret}.ics")) == (404, "not-found")


def test_an_ended_token_or_a_disabled_owner_is_404(
    anonymous: Client, alice: Client, admin: Client, token: Json
) -> None:
    ended = alice.post(TOKENS, json={"name": "old", "scopes": ["feed"]}).get_json()
    alice.delete(f"{TOKENS}/{ended['id']}")
    assert refused(anonymous.get(path_of(ended))) == (404, "not-found")

    admin.patch(f"/api/v1/users/{alice.user['id']}", json={"is_active": False})
    assert refused(anonymous.get(path_of(token))) == (404, "not-found")


def test_a_calendar_program_syncs_it_twice_without_change(
    fresh_environment: dict[str, str], tmp_path: Path
) -> None:
    """vdirsyncer, which nobody here wrote."""
    with servers.gunicorn(**fresh_environment) as base:
        session = servers.sign_up(base, "alice@example.com")
        for title in ("Water; the, fern", "Paint\\nthe “fence”"):
            servers.ask(f"{base}/api/v1/tasks", {"title": title, "labels": ["ä,b"]}, token=session)
        body = {"name": "phone", "scopes": ["feed"]}
        token = servers.ask(f"{base}{TOKENS}", body, token=session)[2]
        config = tmp_path / "vdirsyncer.conf"
        (tmp_path / "items").mkdir()
        config.write_text(VDIRSYNCER.format(folder=tmp_path, url=f"{base}{path_of(token)}"))
        said = [_vdirsyncer(config, command) for command in ("discover", "sync", "sync")]

    assert "Copying" in said[1]
    assert "Copying" not in said[2]
    items = [path.read_bytes() for path in (tmp_path / "items").glob("*.ics")]
    assert {title for item in items for title in titles(item)} == {
        "Water; the, fern",
        "Paint\\nthe “fence”",
    }


def _vdirsyncer(config: Path, command: str) -> str:
    arguments = [sys.executable, "-m", "vdirsyncer", "-c", str(config), command]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
