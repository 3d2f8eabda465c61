"""GET /api/v1/feeds/{secret}.ics"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from icalendar import Calendar, Timezone

from taskapp.extensions import db
from taskapp.schema import Base
from taskapp.tasks.zones import vtimezone
from tests import servers
from tests.conftest import Client, Json, add, refused

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


def path_of(token: Json, query: str = "?as=todos") -> str:
    return f"/api/v1/feeds/{token['token']}.ics{query}"


@pytest.mark.parametrize("kind", ["events", "todos"])
def test_a_revision_of_after_a_restore_is_an_integer_of_calendars(alice: Client, kind: str) -> None:
    inbox = alice.user["inbox_id"]
    with alice.application.app_context(), db.engine.begin() as connection:
        projects = Base.metadata.tables["projects"]
        this_one = projects.c.id == inbox
        connection.execute(
            sa.update(projects).where(this_one).values(revision=1_796_000_000_000_000)
        )
    add(alice, due_on="2030-01-31")
    token = alice.post(TOKENS, json={"name": "feed", "scopes": ["feed"]}).get_json()

    calendar = Calendar.from_ical(alice.get(path_of(token, f"?as={kind}")).data)

    (item,) = (part for part in calendar.subcomponents if part.name in {"VEVENT", "VTODO"})
    assert item["sequence"] == 2**31 - 1  # RFC 5545, section 3.3.8


def titles(data: bytes, kind: str = "VTODO") -> set[str]:
    return {str(part["summary"]) for part in Calendar.from_ical(data).walk(kind)}


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
            body = {"title": title, "labels": ["ä,b"], "due_on": "2030-05-17"}
            servers.ask(f"{base}/api/v1/tasks", body, token=session)
        body = {"name": "phone", "scopes": ["feed"]}
        token = servers.ask(f"{base}{TOKENS}", body, token=session)[2]
        config = tmp_path / "vdirsyncer.conf"
        (tmp_path / "items").mkdir()
        config.write_text(VDIRSYNCER.format(folder=tmp_path, url=f"{base}{path_of(token, '')}"))
        said = [_vdirsyncer(config, command) for command in ("discover", "sync", "sync")]

    assert "Copying" in said[1]
    assert "Copying" not in said[2]
    items = [path.read_bytes() for path in (tmp_path / "items").glob("*.ics")]
    assert {title for item in items for title in titles(item, "VEVENT")} == {
        "Water; the, fern",
        "Paint\\nthe “fence”",
    }


def _vdirsyncer(config: Path, command: str) -> str:
    arguments = [sys.executable, "-m", "vdirsyncer", "-c", str(config), command]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def events(client: Client, token: Json) -> dict[str, Any]:
    """The feed's events by their titles, as the icalendar package reads them."""
    data = client.get(path_of(token, "")).data
    return {str(event["summary"]): event for event in Calendar.from_ical(data).walk("VEVENT")}


def test_shows_what_is_due_as_events(anonymous: Client, alice: Client, token: Json) -> None:
    add(alice, "never")
    add(alice, "day", due_on="2030-05-17", reminders=["-PT1H"])
    add(alice, "moment", due_at="2030-05-17T08:00:00Z", reminders=["-P1D", "2030-05-01T00:00:00Z"])

    found = events(anonymous, token)

    assert found.keys() == {"day", "moment"}
    assert found["day"].decoded("dtstart") == dt.date(2030, 5, 17)
    assert found["moment"].decoded("dtstart") == dt.datetime(2030, 5, 17, 8, tzinfo=dt.UTC)
    assert {str(event["transp"]) for event in found.values()} == {"TRANSPARENT"}
    alarms = [alarm.decoded("trigger") for alarm in found["day"].walk("VALARM")]
    assert alarms == [dt.timedelta(hours=8)]  # an hour before nine
    alarms = [alarm.decoded("trigger") for alarm in found["moment"].walk("VALARM")]
    assert alarms == [-dt.timedelta(days=1), dt.datetime(2030, 5, 1, tzinfo=dt.UTC)]


def test_a_series_is_shown_at_its_local_hour(anonymous: Client, alice: Client, token: Json) -> None:
    repeat = {"rule": "FREQ=DAILY;COUNT=5", "from": "due", "timezone": "America/New_York"}
    task = add(alice, "daily", due_at="2026-03-07T14:00:00Z", repeat=repeat)
    add(alice, "after", due_on="2030-05-17", repeat={**repeat, "from": "done"})
    alice.patch(f"/api/v1/tasks/{task['id']}", json={"status": "done"})

    found = events(anonymous, token)

    start = found["daily"]["dtstart"]
    assert start.params["TZID"] == "America/New_York"
    assert start.dt.replace(tzinfo=None) == dt.datetime.fromisoformat("2026-03-08T09:00:00")
    assert found["daily"]["rrule"] == {"FREQ": ["DAILY"], "COUNT": [4]}
    assert "rrule" not in found["after"]


def test_an_empty_feed_is_a_calendar(anonymous: Client, alice: Client, token: Json) -> None:
    alice.patch("/api/v1/users/me", json={"timezone": "Australia/Lord_Howe"})

    for query in ("", "?as=todos"):
        response = anonymous.get(path_of(token, query))
        calendar = Calendar.from_ical(response.data)
        assert [part["tzid"] for part in calendar.walk("VTIMEZONE")] == ["Australia/Lord_Howe"]
        assert calendar["name"] == "Tasks"
        assert calendar.decoded("refresh-interval") == dt.timedelta(hours=1)
        assert {len(line) <= 75 for line in response.data.split(b"\r\n")} == {True}


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
)
def test_a_zone_says_when_its_clocks_change(name: str) -> None:
    zone = ZoneInfo(name)
    component: Any = Timezone.from_ical(vtimezone(name, 2026))
    described = component.to_tz()
    moment = dt.datetime(2025, 1, 2, tzinfo=dt.UTC)
    while moment.year < 2035:
        wall = moment.astimezone(zone)
        if not wall.fold:  # of an hour that comes twice, VTIMEZONE means the first
            assert wall.replace(tzinfo=described).utcoffset() == wall.utcoffset(), wall
        moment += dt.timedelta(hours=7)


def test_a_program_that_asks_for_a_password_needs_no_secret_in_the_address(
    alice: Client, anonymous: Client
) -> None:
    add(alice, title="Water the fern", due_on="2030-01-31")
    token = alice.post(TOKENS, json={"name": "feed", "scopes": ["feed"]}).get_json()
    url = "/api/v1/feeds/tasks.ics"

    asked = anonymous.get(url)
    assert refused(asked) == (401, "unauthorized")
    bearer, _, basic = asked.headers["WWW-Authenticate"].partition(", ")
    assert bearer == 'Bearer realm="taskapp"'
    assert basic == 'Basic realm="taskapp", charset="UTF-8"'
    answer = anonymous.get(url, auth=("anything", token["token"]))
    assert answer.status_code == 200
    assert answer.mimetype == "text/calendar"
    assert answer.data == alice.get(path_of(token, "")).data == alice.get(url).data
    assert "private" in answer.headers["Cache-Control"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    tag = {"If-None-Match": answer.headers["ETag"]}
    assert anonymous.get(url, auth=("x", token["token"]), headers=tag).status_code == 304


def test_a_feed_token_in_the_header_opens_nothing_else(alice: Client, anonymous: Client) -> None:
    token = alice.post(TOKENS, json={"name": "feed", "scopes": ["feed"]}).get_json()
    feed = anonymous.as_token(token["token"])

    assert feed.get("/api/v1/feeds/tasks.ics").status_code == 200
    for url in ("/api/v1/tasks", "/api/v1/users/me", "/api/v1/changes", "/api/v1/projects"):
        response = feed.get(url)
        assert refused(response) == (403, "insufficient-scope")
        assert "Basic" not in response.headers["WWW-Authenticate"]
    alice.delete(f"{TOKENS}/{token['id']}")
    ended = feed.get("/api/v1/feeds/tasks.ics")
    assert refused(ended) == (401, "token-revoked")
