"""Reminders: an event, once, however many processes look for what is due"""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from taskapp.tasks.reminders import fire_due
from tests.conftest import Client, Json, add, named

URL = "/api/v1/tasks"
LATER = dt.datetime(2031, 1, 1, tzinfo=dt.UTC)


def fire(app: Flask, moment: dt.datetime = LATER, limit: int = 1000) -> int:
    with app.app_context():
        return fire_due(moment, limit)


def reminded(client: Client, task: Json) -> list[str]:
    """The moments at which the task reminded somebody."""
    events = client.get(f"/api/v1/projects/{task['project_id']}/events?limit=200").get_json()
    return [
        event["changes"]["reminder"][1]
        for event in events["items"]
        if event["kind"] == "reminder" and event["task_id"] == task["id"]
    ]


def test_fires_once_and_leaves_the_task_alone(app: Flask, alice: Client) -> None:
    task = add(alice, due_at="2030-05-17T08:00:00Z", reminders=["-PT1H", "2030-01-01T00:00:00Z"])
    cursor = alice.get("/api/v1/changes").get_json()["next_cursor"]

    assert fire(app) == 1
    assert fire(app) == 0

    assert reminded(alice, task) == ["2030-01-01T00:00:00.000000Z", "2030-05-17T07:00:00.000000Z"]
    assert alice.get(f"{URL}/{task['id']}").get_json() == task
    assert alice.get(f"/api/v1/changes?cursor={cursor}").get_json()["tasks"] == []
    project = alice.get(f"/api/v1/projects/{task['project_id']}").get_json()
    assert project["revision"] == task["revision"] + 1


def test_fires_each_when_it_is_due(app: Flask, alice: Client) -> None:
    task = add(alice, due_at="2030-05-17T08:00:00Z", reminders=["-PT1H", "-P1D"])

    for at, moments in (
        ("2030-05-16T07:59:59Z", 0),
        ("2030-05-16T08:00:00Z", 1),
        ("2030-05-17T06:59:59Z", 1),
        ("2030-05-17T07:00:00Z", 2),
    ):
        fire(app, dt.datetime.fromisoformat(at))
        assert len(reminded(alice, task)) == moments


def test_many_processes_fire_once(app: Flask, alice: Client, shared: Json) -> None:
    tasks = [
        add(alice, f"{n}", project_id=shared["id"], reminders=["2030-01-01T00:00:00Z"])
        for n in range(12)
    ]

    with ThreadPoolExecutor(6) as pool:
        fired = sum(pool.map(lambda _: fire(app, limit=3), range(12)))

    assert fired == len(tasks)
    assert [len(reminded(alice, task)) for task in tasks] == [1] * len(tasks)


def test_moves_with_the_due_date(app: Flask, alice: Client) -> None:
    task = add(alice, due_at="2030-05-17T08:00:00Z", reminders=["-PT1H"])
    url = f"{URL}/{task['id']}"
    alice.patch(url, json={"due_at": "2032-05-17T08:00:00Z"})
    assert fire(app) == 0
    alice.patch(url, json={"due_at": "2030-06-17T08:00:00Z"})
    assert fire(app) == 1

    assert reminded(alice, task) == ["2030-06-17T07:00:00.000000Z"]


@pytest.mark.parametrize("status", ["done", "cancelled"])
def test_is_silent_when_it_is_done(app: Flask, alice: Client, status: str) -> None:
    task = add(alice, due_at="2030-05-17T08:00:00Z", reminders=["-PT1H"])
    alice.patch(f"{URL}/{task['id']}", json={"status": status})
    assert fire(app) == 0
    alice.patch(f"{URL}/{task['id']}", json={"status": "todo"})

    assert fire(app) == 1


def test_is_silent_when_it_is_deleted(app: Flask, alice: Client) -> None:
    task = add(alice, due_at="2030-05-17T08:00:00Z", reminders=["-PT1H"])
    alice.delete(f"{URL}/{task['id']}")
    assert fire(app) == 0
    alice.post(f"{URL}/{task['id']}/restore")

    assert fire(app) == 1


def test_a_moment_that_has_passed_fires_at_once_and_a_time_before_does_not(
    app: Flask, alice: Client
) -> None:
    now = dt.datetime.now(dt.UTC)
    soon = (now + dt.timedelta(minutes=10)).isoformat()
    task = add(alice, due_at=soon, reminders=["-PT1H", "2020-01-01T00:00:00Z"])
    fire(app, now)
    assert reminded(alice, task) == ["2020-01-01T00:00:00.000000Z"]
    alice.patch(f"{URL}/{task['id']}", json={"reminders": ["2020-01-01T00:00:00Z", "PT0S"]})
    fire(app, now)
    assert len(reminded(alice, task)) == 1
    fire(app)

    assert len(reminded(alice, task)) == 2


def test_a_day_counts_from_nine_where_somebody_is(
    app: Flask, alice: Client, bob: Client, shared: Json
) -> None:
    bob.patch("/api/v1/users/me", json={"timezone": "Asia/Tokyo"})
    alice.patch("/api/v1/users/me", json={"timezone": "Europe/Berlin"})
    body = {"project_id": shared["id"], "due_on": "2030-05-17", "reminders": ["PT0S"]}
    bobs = add(alice, assignee_id=bob.user["id"], **body)
    alices = add(alice, **body)
    fire(app)

    assert reminded(alice, bobs) == ["2030-05-17T00:00:00.000000Z"]
    assert reminded(alice, alices) == ["2030-05-17T07:00:00.000000Z"]


def test_a_moment_is_shown_in_utc(alice: Client) -> None:
    task = add(alice, reminders=["2030-05-17T10:00:00+02:00"])

    assert task["reminders"] == ["2030-05-17T08:00:00.000000Z"]


@pytest.mark.parametrize(
    "reminders",
    [["PT1H"], ["-P367D"], ["-P1M"], ["-P"], ["-PT"], ["1 hour"], ["2030-05-17"], [5], ["-P1Y"]],
)
def test_refuses_what_is_no_reminder(alice: Client, reminders: object) -> None:
    body = {"title": "Prune", "due_on": "2030-05-17", "reminders": reminders}

    assert named(alice.post(URL, json=body)) == ["/reminders/0"]


def test_refuses_more_than_five_and_a_time_before_nothing(alice: Client) -> None:
    many = {"title": "Prune", "due_on": "2030-05-17", "reminders": ["-PT1H"] * 6}
    assert named(alice.post(URL, json=many)) == ["/reminders"]
    assert named(alice.post(URL, json={"title": "x", "reminders": ["-PT1H"]})) == ["/reminders/0"]
    task = add(alice, due_on="2030-05-17", reminders=["-PT1H"])
    url = f"{URL}/{task['id']}"
    assert named(alice.patch(url, json={"due_on": None})) == ["/reminders/0"]
