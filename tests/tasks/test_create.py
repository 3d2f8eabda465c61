"""POST /api/v1/tasks"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Client, Json, add, made, named, refused

URL = "/api/v1/tasks"


def test_creates_a_task_in_the_inbox(alice: Client) -> None:
    response = alice.post(URL, json={"title": "  Water the fern "})
    task = response.get_json()
    inbox = alice.get("/api/v1/projects").get_json()["items"][0]
    got = alice.get(f"{URL}/{task['id']}")

    assert response.status_code == 201
    assert response.headers["Location"] == f"http://localhost{URL}/{task['id']}"
    assert got.get_json() == task
    assert got.headers["ETag"] == response.headers["ETag"]
    for name in ("id", "created_at", "updated_at"):
        del task[name]
    assert task == {
        "project_id": inbox["id"],
        "external_id": None,
        "title": "Water the fern",
        "description": "",
        "status": "todo",
        "priority": "none",
        "due_at": None,
        "due_on": None,
        "repeat": None,
        "reminders": [],
        "assignee_id": None,
        "parent_id": None,
        "labels": [],
        "created_by": alice.user["id"],
        "completed_at": None,
        "revision": inbox["revision"],
    }


def test_keeps_every_field_that_a_client_may_send(alice: Client, bob: Client, shared: Json) -> None:
    sent: Json = {
        "project_id": shared["id"],
        "external_id": "crm/47 11?",
        "title": "Water the fern",
        "description": "Twice\n\ta week",
        "status": "done",
        "priority": "urgent",
        "due_at": "2030-01-31T16:00:00.000000Z",
        "assignee_id": bob.user["id"],
        "parent_id": add(alice, project_id=shared["id"])["id"],
        "labels": ["Home", "plants"],
    }
    task = add(alice, **sent)

    assert {name: task[name] for name in sent} == sent
    assert task["completed_at"] == task["created_at"] == task["updated_at"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2030-01-31T17:00:00+01:00", "2030-01-31T16:00:00.000000Z"),
        ("2030-01-31t16:00:00.1234567z", "2030-01-31T16:00:00.123456Z"),
        ("1970-01-01T00:00:00-00:00", "1970-01-01T00:00:00.000000Z"),
        ("3000-01-01T00:30:00+01:00", "2999-12-31T23:30:00.000000Z"),
    ],
)
def test_keeps_times_in_utc(alice: Client, sent: str, kept: str) -> None:
    task = add(alice, due_at=sent)

    assert alice.get(f"{URL}/{task['id']}").get_json()["due_at"] == kept


def test_gives_text_back_unchanged(alice: Client) -> None:
    for text in (
        "\u202eright to left",
        "👩‍👩‍👧‍👦 family",
        "<script>alert(1)</script>",
        "{{7*7}} %s %(x)s",
        "=cmd()",
        "a'; DROP TABLE tasks; --",
        "back\\slash",
        "👍" * 200,
        "\ufeffmark",
    ):
        task = add(alice, text, description=f"  {text}\n", labels=[text[:50]], external_id=text)

        assert alice.get(f"{URL}/{task['id']}").get_json() == task
        assert (task["title"], task["description"]) == (text, f"  {text}\n")
        assert (task["labels"], task["external_id"]) == ([text[:50]], text)


def test_composes_text_so_that_it_compares(alice: Client) -> None:
    assert add(alice, "Cafe\u0301")["title"] == "Caf\u00e9"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("title", [None, "", " \n", "x" * 501, 5, "a\x00b", "\ud800", "a\x1b"]),
        ("description", [None, "x" * 65_537, []]),
        ("status", [None, "open", "TODO", 0]),
        ("priority", [None, "highest", ""]),
        ("due_at", ["2030-01-31", "2030-01-31T16:00:00", "", 0, True, "2030-02-30T00:00:00Z"]),
        ("due_at", ["0001-01-01T00:00:00+14:00", "1970-01-01T13:00:00+14:00"]),
        ("due_at", ["9999-12-31T23:59:59-01:00", "3000-01-01T00:00:00Z"]),
        ("due_at", ["2030-01-31T23:59:60Z", "٢٠٣٠-01-31T00:00:00Z", "2030-01-31T00:00:00+25:00"]),
        ("due_at", ["2030-01-31T24:00:00Z", "2030-01-31T00:00:00+05:60"]),
        ("project_id", [None, "1", 1.0, True, 0, -1]),
        ("assignee_id", ["me", 1.5, False]),
        ("parent_id", ["1", [], {}]),
        ("labels", [None, "home", {"a": 1}, ["a"] * 21]),
        ("external_id", ["", "x" * 201, 7]),
        *((name, [1]) for name in ("id", "created_by", "revision", "completed_at", "words")),
    ],
    ids=str,
)
def test_names_each_bad_or_foreign_field(alice: Client, field: str, values: list[Any]) -> None:
    for value in values:
        assert named(alice.post(URL, json={"title": "x", field: value})) == [f"/{field}"], value


def test_names_a_bad_label_by_its_place(alice: Client) -> None:
    for label in ("", " ", "x" * 51, 1, None, "a\x00"):
        body = {"title": "x", "labels": ["ok", label]}
        assert named(alice.post(URL, json=body)) == ["/labels/1"]


def test_names_all_that_is_wrong_at_once(alice: Client) -> None:
    found = named(alice.post(URL, json={"status": "open", "a/b~c": 1}))

    assert sorted(found) == ["/a~1b~0c", "/status", "/title"]


def test_sorts_labels_and_keeps_the_first_spelling(alice: Client) -> None:
    labels = ["plants", " Home ", "HOME", "straße", "STRASSE", "Äpfel"]

    assert add(alice, labels=labels)["labels"] == ["Home", "plants", "straße", "Äpfel"]


@pytest.mark.parametrize("field", ["project_id", "parent_id", "assignee_id"])
def test_does_not_tell_whether_others_things_exist(
    alice: Client, charlie: Client, field: str
) -> None:
    secret = add(charlie)
    theirs = {"parent_id": secret["id"], "assignee_id": charlie.user["id"]}
    for value in (theirs.get(field, secret["project_id"]), 2**62):
        response = alice.post(URL, json={"title": "x", field: value})
        assert refused(response) == (404, "not-found")


def test_wants_a_parent_of_the_same_project(alice: Client, shared: Json) -> None:
    elsewhere = add(alice)

    response = alice.post(
        URL, json={"title": "x", "project_id": shared["id"], "parent_id": elsewhere["id"]}
    )

    assert named(response) == ["/parent_id"]


def test_takes_an_external_id_once_in_a_project(alice: Client, shared: Json) -> None:
    add(alice, external_id="A")
    for other in ({"external_id": "a"}, {"external_id": "A", "project_id": shared["id"]}, {}, {}):
        add(alice, **other)

    assert refused(alice.post(URL, json={"title": "x", "external_id": "A"})) == (409, "conflict")


def test_a_viewer_may_look_only(alice: Client, bob: Client, shared: Json) -> None:
    member = f"/api/v1/projects/{shared['id']}/members/{bob.user['id']}"
    assert alice.patch(member, json={"role": "viewer"}).status_code == 200

    response = bob.post(URL, json={"title": "x", "project_id": shared["id"]})

    assert refused(response) == (403, "forbidden")
    assert bob.get(f"{URL}?project_id={shared['id']}").get_json()["items"] == []


def test_each_write_takes_the_next_revision_of_its_project(alice: Client) -> None:
    project = made(alice, "projects", name="Garden")

    revisions = [add(alice, project_id=project["id"])["revision"] for _ in range(3)]

    assert revisions == [project["revision"] + step for step in (1, 2, 3)]


def test_a_control_character_is_named_with_its_place(alice: Client) -> None:
    for text, place in (("a\x07b", "Character 2 is U+0007"), ("\ud800", "Character 1 is U+D800")):
        response = alice.post(URL, json={"title": "x", "description": text})
        (reason,) = response.get_json()["errors"]
        assert reason["pointer"] == "/description"
        assert place in reason["detail"]
