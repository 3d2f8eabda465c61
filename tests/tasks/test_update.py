"""PATCH /api/v1/tasks/{id}"""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Client, Json, add, made, named, refused

URL = "/api/v1/tasks"


def change(client: Client, task: Json, **fields: Any) -> Json:
    response = client.patch(f"{URL}/{task['id']}", json=fields)
    assert response.status_code == 200, response.get_json()
    changed = dict(response.get_json())
    assert client.get(f"{URL}/{task['id']}").get_json() == changed
    return changed


@pytest.mark.parametrize("media", ["application/json", "application/merge-patch+json"])
def test_changes_what_is_sent_and_nothing_else(alice: Client, media: str) -> None:
    task = add(alice, description="Twice", priority="low", labels=["home"], external_id="A")

    response = alice.patch(
        f"{URL}/{task['id']}", data='{"title": "Water the yew"}', content_type=media
    )
    changed = response.get_json()

    assert response.status_code == 200
    assert changed["updated_at"] > task["updated_at"]
    own = {"title", "updated_at", "revision"}
    assert {name for name in task if changed[name] != task[name]} == own
    assert (changed["title"], changed["revision"]) == ("Water the yew", task["revision"] + 1)


@pytest.mark.parametrize(
    "same",
    [{}, {"title": "Water the fern"}, {"labels": ["home"]}, {"due_at": None, "status": "todo"}],
)
def test_changes_nothing_not_even_the_revision(alice: Client, same: Json) -> None:
    task = add(alice, labels=["home"])

    assert change(alice, task, **same) == task
    assert add(alice)["revision"] == task["revision"] + 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("external_id", "A"), ("due_at", "2030-01-31T16:00:00.000000Z"), ("assignee_id", 0),
     ("parent_id", 0)],
)  # fmt: skip
def test_null_clears(alice: Client, field: str, value: Any) -> None:
    others = {"assignee_id": alice.user["id"], "parent_id": add(alice)["id"]}
    task = add(alice, **{field: others.get(field, value)})
    assert task[field] is not None

    assert change(alice, task, **{field: None})[field] is None


@pytest.mark.parametrize(
    "field", ["title", "description", "status", "priority", "project_id", "labels"]
)
def test_null_is_refused_where_there_must_be_something(
    alice: Client, task: Json, field: str
) -> None:
    assert named(alice.patch(f"{URL}/{task['id']}", json={field: None})) == [f"/{field}"]


def test_labels_are_set_as_a_whole(alice: Client) -> None:
    task = add(alice, labels=["home", "plants"])
    assert change(alice, task, labels=["Plants", "b", "a"])["labels"] == ["a", "b", "Plants"]
    assert alice.get(f"{URL}?label=HOME").get_json()["items"] == []
    assert len(alice.get(f"{URL}?label=PLANTS,A").get_json()["items"]) == 1
    assert change(alice, task, labels=[])["labels"] == []
    assert alice.get(f"{URL}?label=plants").get_json()["items"] == []


def test_completed_at_follows_the_status(alice: Client, task: Json) -> None:
    done = change(alice, task, status="done")
    assert done["completed_at"] == done["updated_at"]
    renamed = change(alice, task, title="Water the yew", status="done")
    assert renamed["completed_at"] == done["completed_at"]
    assert change(alice, task, status="cancelled")["completed_at"] is None


def test_search_follows_the_text(alice: Client, task: Json) -> None:
    def found(word: str) -> int:
        return len(alice.get(f"{URL}?q={word}").get_json()["items"])

    change(alice, task, description="Under the window")
    assert (found("fern"), found("window")) == (1, 1)
    change(alice, task, title="Sweep")
    assert (found("fern"), found("window"), found("sweep")) == (0, 1, 1)


def test_assigns_members_only(alice: Client, bob: Client, charlie: Client, shared: Json) -> None:
    task = add(alice, project_id=shared["id"])

    assert change(bob, task, assignee_id=bob.user["id"])["assignee_id"] == bob.user["id"]
    response = alice.patch(f"{URL}/{task['id']}", json={"assignee_id": charlie.user["id"]})
    assert refused(response) == (404, "not-found")


def test_hides_and_protects(alice: Client, bob: Client, charlie: Client, shared: Json) -> None:
    task = add(alice, project_id=shared["id"])
    member = f"/api/v1/projects/{shared['id']}/members/{bob.user['id']}"
    alice.patch(member, json={"role": "viewer"})

    for client, status in ((charlie, 404), (bob, 403)):
        response = client.patch(f"{URL}/{task['id']}", json={"title": "x"})
        assert response.status_code == status
    assert alice.get(f"{URL}/{task['id']}").get_json() == task


def test_a_task_is_never_below_itself(alice: Client, task: Json) -> None:
    child = add(alice, parent_id=task["id"])
    grandchild = add(alice, parent_id=child["id"])

    for below in (task, child, grandchild):
        response = alice.patch(f"{URL}/{task['id']}", json={"parent_id": below["id"]})
        assert named(response) == ["/parent_id"]
    assert change(alice, grandchild, parent_id=task["id"])["parent_id"] == task["id"]


def test_moves_with_its_children_and_leaves_behind_what_is_not_there(
    alice: Client, bob: Client, charlie: Client, shared: Json
) -> None:
    attic = made(alice, "projects", name="Attic")
    made(alice, f"projects/{attic['id']}/members", email=charlie.user["email"], role="viewer")
    top = add(alice, project_id=shared["id"])
    task = add(alice, project_id=shared["id"], parent_id=top["id"], assignee_id=bob.user["id"])
    mine = add(alice, project_id=shared["id"], parent_id=task["id"], assignee_id=alice.user["id"])
    bobs = add(alice, project_id=shared["id"], parent_id=mine["id"], assignee_id=bob.user["id"])

    moved = change(alice, task, project_id=attic["id"])
    children = [alice.get(f"{URL}/{child['id']}").get_json() for child in (mine, bobs)]

    assert (moved["project_id"], moved["parent_id"], moved["assignee_id"]) == (
        attic["id"],
        None,
        None,
    )
    assert [child["project_id"] for child in children] == [attic["id"]] * 2
    assert [child["parent_id"] for child in children] == [task["id"], mine["id"]]
    assert [child["assignee_id"] for child in children] == [alice.user["id"], None]
    assert {moved["revision"]} == {child["revision"] for child in children}
    assert refused(bob.get(f"{URL}/{bobs['id']}")) == (404, "not-found")
    assert charlie.get(f"{URL}/{bobs['id']}").status_code == 200


def test_a_move_may_name_new_company(alice: Client, bob: Client, shared: Json) -> None:
    task, parent = add(alice), add(alice, project_id=shared["id"])
    company = {"parent_id": parent["id"], "assignee_id": bob.user["id"]}

    moved = change(alice, task, project_id=shared["id"], **company)

    assert {name: moved[name] for name in company} == company


@pytest.mark.parametrize("child", [False, True])
def test_an_external_id_that_is_there_already_stops_a_change_and_a_move(
    alice: Client, shared: Json, child: bool
) -> None:
    add(alice, external_id="A", project_id=shared["id"])
    other = add(alice, project_id=shared["id"])
    task = add(alice, external_id=None if child else "A")
    if child:
        add(alice, external_id="A", parent_id=task["id"])

    for url, body in ((other, {"external_id": "A"}), (task, {"project_id": shared["id"]})):
        response = alice.patch(f"{URL}/{url['id']}", json=body)
        assert refused(response) == (409, "conflict")
    assert alice.get(f"{URL}/{task['id']}").get_json() == task


def test_a_move_may_bring_a_new_external_id(alice: Client, shared: Json) -> None:
    add(alice, external_id="A", project_id=shared["id"])
    task = add(alice, external_id="A")

    assert change(alice, task, project_id=shared["id"], external_id="B")["external_id"] == "B"


def test_moves_only_where_the_caller_may_write(
    alice: Client, bob: Client, charlie: Client, shared: Json
) -> None:
    member = f"/api/v1/projects/{shared['id']}/members/{bob.user['id']}"
    alice.patch(member, json={"role": "viewer"})
    task, inbox = add(bob), add(charlie)["project_id"]

    for project_id, status in ((shared["id"], 403), (inbox, 404), (2**62, 404)):
        response = bob.patch(f"{URL}/{task['id']}", json={"project_id": project_id})
        assert response.status_code == status
    assert bob.get(f"{URL}/{task['id']}").get_json() == task


TITLES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "title": TITLES.map(lambda title: unicodedata.normalize("NFC", title)),
        "description": st.sampled_from(["", "Twice", "a\tb\n"]),
        "status": st.sampled_from(["todo", "in_progress", "done", "cancelled"]),
        "priority": st.sampled_from(["none", "high", "urgent"]),
        "due_at": st.sampled_from([None, "2030-01-31T16:00:00.000000Z"]),
        "external_id": st.sampled_from([None, "A", "b/c"]),
        "labels": st.sampled_from([[], ["home"], ["a", "Home"]]),
    },
)
DERIVED = ("completed_at", "updated_at", "revision")


@given(patches=st.lists(PATCHES, min_size=1, max_size=6))
def test_any_sequence_of_patches_changes_only_the_fields_sent(
    alice: Client, patches: list[Json]
) -> None:
    task = add(alice)
    for patch in patches:
        changed = change(alice, task, **patch)
        expected = {**task, **patch, **{name: changed[name] for name in DERIVED}}
        assert changed == expected
        assert (changed["completed_at"] is not None) == (changed["status"] == "done")
        took_a_turn = any(changed[name] != task[name] for name in patch)
        assert changed["revision"] == task["revision"] + took_a_turn
        task = changed
    alice.delete(f"{URL}/{task['id']}")
