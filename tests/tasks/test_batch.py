"""POST /api/v1/tasks/batch"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import hypothesis
import pytest
from flask import Flask
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.conftest import Client, Json, add, made, named, refused

TASKS = "/api/v1/tasks"
URL = f"{TASKS}/batch"
PROJECTS = "/api/v1/projects"
DAILY = {"rule": "FREQ=DAILY", "from": "due"}


def batch(client: Client, *operations: Json) -> list[Json]:
    response = client.post(URL, json={"operations": operations})
    assert response.status_code == 200, response.get_json()
    return list(response.get_json()["results"])


def create(title: str, **more: object) -> Json:
    return {"op": "create", "body": {"title": title, **more}}


def titles(client: Client) -> list[str]:
    return [item["title"] for item in client.get("/api/v1/tasks?sort=id").get_json()["items"]]


def test_carries_out_everything_in_order(alice: Client, task: Json) -> None:
    made, changed, gone = batch(
        alice,
        create("Prune", labels=["Garden"]),
        {"op": "update", "id": task["id"], "body": {"status": "done"}},
        {"op": "delete", "id": task["id"], "revision": task["revision"] + 1},
    )

    assert made["task"]["labels"] == ["Garden"]
    assert alice.get(f"/api/v1/tasks/{made['id']}").get_json() == made["task"]
    assert changed["task"]["completed_at"] is not None
    assert gone == {"op": "delete", "id": task["id"]}
    assert titles(alice) == ["Prune"]


def test_takes_one_revision_of_each_project(alice: Client, shared: Json) -> None:
    results = batch(alice, *[create(f"{n}", project_id=shared["id"]) for n in range(5)])

    assert {result["task"]["revision"] for result in results} == {shared["revision"] + 1}


@pytest.mark.parametrize(
    ("operation", "status", "code", "pointer"),
    [
        ({"op": "update", "id": 999999, "body": {}}, 404, "not-found", "/operations/1"),
        ({"op": "delete", "id": 999999}, 404, "not-found", "/operations/1"),
        (create("x", project_id=999999), 404, "not-found", "/operations/1"),
        (create("x", assignee_id=999999), 404, "not-found", "/operations/1/body/assignee_id"),
        (create("x", external_id="taken"), 409, "conflict", "/operations/1/body/external_id"),
        (create(""), 422, "validation-error", "/operations/1/body/title"),
        ({"op": "create", "body": {}}, 422, "validation-error", "/operations/1/body/title"),
        ({"op": "update", "body": {}}, 422, "validation-error", "/operations/1/id"),
        ({"op": "delete", "id": 1, "body": {}}, 422, "validation-error", "/operations/1/body"),
        ({"op": "explode"}, 422, "validation-error", "/operations/1/op"),
        ({"op": []}, 422, "validation-error", "/operations/1/op"),
        ("delete", 422, "validation-error", "/operations/1/op"),
    ],
)
def test_refuses_all_as_one_operation_would_be(
    alice: Client, operation: Json, status: int, code: str, pointer: str
) -> None:
    alice.post("/api/v1/tasks", json={"title": "First", "external_id": "taken"})

    response = alice.post(URL, json={"operations": [create("Second"), operation]})

    assert refused(response) == (status, code)
    assert response.get_json()["errors"][0]["pointer"] == pointer
    assert titles(alice) == ["First"]


def test_a_stale_revision_is_412(alice: Client, task: Json) -> None:
    stale = {"op": "update", "id": task["id"], "revision": task["revision"] + 7, "body": {}}

    response = alice.post(URL, json={"operations": [create("Second"), stale]})

    assert refused(response) == (412, "precondition-failed")
    assert titles(alice) == [task["title"]]


def test_a_service_that_wants_if_match_wants_revisions(
    app: Flask, alice: Client, task: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = replace(app.extensions["taskapp"], require_if_match=True)
    monkeypatch.setitem(app.extensions, "taskapp", strict)
    seen = {"op": "update", "id": task["id"], "revision": task["revision"], "body": {}}

    for blind in (
        {"op": "update", "id": task["id"], "body": {}},
        {"op": "delete", "id": task["id"]},
    ):
        response = alice.post(URL, json={"operations": [create("x"), blind]})
        assert refused(response) == (428, "precondition-required")
        assert response.get_json()["errors"][0]["pointer"] == "/operations/1"
    batch(alice, create("x"), seen)


def test_a_viewer_may_not(alice: Client, bob: Client, shared: Json) -> None:
    member = f"/api/v1/projects/{shared['id']}/members/{bob.user['id']}"
    alice.patch(member, json={"role": "viewer"})

    response = bob.post(URL, json={"operations": [create("x", project_id=shared["id"])]})

    assert refused(response) == (403, "forbidden")


@pytest.mark.parametrize("count", [0, 501])
def test_takes_1_to_500_operations(alice: Client, count: int) -> None:
    assert named(alice.post(URL, json={"operations": [create("x")] * count})) == ["/operations"]


def test_what_changes_nothing_takes_no_revision(alice: Client, task: Json) -> None:
    (same,) = batch(alice, {"op": "update", "id": task["id"], "body": {"title": task["title"]}})

    assert same["task"] == task
    assert alice.post("/api/v1/tasks", json={"title": "x"}).get_json()["revision"] == (
        task["revision"] + 1
    )


def test_moves_between_projects(alice: Client, shared: Json, task: Json) -> None:
    move = {"op": "update", "id": task["id"], "body": {"project_id": shared["id"]}}
    rename = {"op": "update", "id": task["id"], "body": {"title": "Moved"}}

    _, renamed = batch(alice, move, rename)

    assert (renamed["task"]["project_id"], renamed["task"]["title"]) == (shared["id"], "Moved")


def test_batches_that_lock_each_other_out_are_tried_again(alice: Client, shared: Json) -> None:
    tasks = [create("Mine"), create("Ours", project_id=shared["id"])]
    ids = [result["id"] for result in batch(alice, *tasks)]

    def rename(number: int) -> int:
        order = ids if number % 2 else ids[::-1]
        body = {"title": f"{number}"}
        changes = [{"op": "update", "id": task_id, "body": body} for task_id in order]
        return alice.post(URL, json={"operations": changes}).status_code

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(rename, range(8))) == {200}


def test_an_order_that_matters_is_kept(alice: Client, shared: Json, task: Json) -> None:
    inbox = task["project_id"]
    key = {"op": "upsert", "project_id": inbox, "external_id": "crm-1"}
    child = add(alice, "Pot")
    results = batch(
        alice,
        create("Fern", external_id="crm-1", labels=["a"]),
        create("Moss", parent_id=task["id"]),
        {**key, "body": {"title": "Fern, watered", "labels": []}},
        {**key, "body": {"priority": "high"}},
        {"op": "update", "id": child["id"], "body": {"parent_id": task["id"]}},
        {"op": "update", "id": child["id"], "body": {"project_id": shared["id"]}},
        create("Soil", parent_id=child["id"], project_id=shared["id"]),
        create("Sand", project_id=shared["id"]),
        {"op": "delete", "id": task["id"]},
        create("Fern again", external_id="crm-2"),
    )

    assert results[0]["id"] == results[2]["id"] == results[3]["id"]
    fern = alice.get(f"{TASKS}/{results[0]['id']}").get_json()
    assert (fern["title"], fern["priority"], fern["labels"]) == ("Fern, watered", "high", [])
    assert results[6]["task"]["parent_id"] == child["id"]
    assert alice.get(f"{TASKS}/{results[1]['id']}").status_code == 404  # it went with its parent
    assert titles(alice) == ["Pot", "Fern, watered", "Soil", "Sand", "Fern again"]
    history = alice.get(f"{TASKS}/{fern['id']}/history").get_json()["items"]
    assert [event["kind"] for event in history] == ["created", "updated", "updated"]


@pytest.mark.parametrize(
    ("operations", "status", "pointer"),
    [
        ([{"op": "delete", "id": 0}, {"op": "update", "id": 0, "body": {}}], 404, "/operations/1"),
        ([{"op": "delete", "id": 0}, {"op": "delete", "id": 0}], 404, "/operations/1"),
        (
            [{"op": "delete", "id": 0}, create("x"), create("y", parent_id=0)],
            404,
            "/operations/2/body/parent_id",
        ),
        (
            [create("x", external_id="a"), create("y"), create("z", external_id="a")],
            409,
            "/operations/2/body/external_id",
        ),
    ],
)
def test_what_an_operation_undid_is_gone_for_the_next(
    alice: Client, task: Json, operations: list[Json], status: int, pointer: str
) -> None:
    for operation in operations:
        body = operation.get("body", {})
        for place, name in ((operation, "id"), (body, "parent_id")):
            if name in place:
                place[name] = task["id"]

    response = alice.post(URL, json={"operations": operations})

    assert refused(response)[0] == status
    assert response.get_json()["errors"][0]["pointer"] == pointer
    assert titles(alice) == [task["title"]]


def test_a_quota_is_told_by_the_operation_that_is_past_it(
    app: Flask, alice: Client, task: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(app.extensions["taskapp"], max_tasks_per_project=4)
    monkeypatch.setitem(app.extensions, "taskapp", small)
    delete = {"op": "delete", "id": task["id"]}
    creates = [create(str(number)) for number in range(5)]

    response = alice.post(URL, json={"operations": creates})
    assert refused(response) == (409, "quota-exceeded")
    (reason,) = response.get_json()["errors"]
    assert reason["pointer"] == "/operations/3"
    assert "4 tasks in the project are counted; 1 more" in reason["detail"]
    assert titles(alice) == [task["title"]]
    batch(alice, delete, *creates[:4])
    assert titles(alice) == ["0", "1", "2", "3"]
    assert refused(alice.post(TASKS, json={"title": "x"}))[1] == "quota-exceeded"


OPTIONAL = {
    "external_id": st.sampled_from(["a", "b", "c", "d", "e", "f", "there"]),
    "status": st.sampled_from(["todo", "in_progress", "done"]),
    "labels": st.sampled_from([[], ["home"], ["Home", "plants"]]),
    "assignee_id": st.sampled_from(["alice", "bob", "bob", None, "charlie"]),
    "parent_id": st.sampled_from(["here", "here", "here", None, "in another project", "nowhere"]),
}
DUES = st.sampled_from(
    [
        *({}, {"due_on": "2030-05-17"}, {"due_at": "2030-05-17T08:00:00Z"}),
        {"due_at": "2030-05-17T08:00:00Z", "reminders": ["-PT1H", "2020-01-01T00:00:00Z"]},
        {"due_on": "2030-05-17", "repeat": DAILY},
        {"reminders": ["-PT1H"]},  # before nothing: refused
        {"repeat": DAILY},  # as well
    ]
)
WISHES = st.tuples(
    st.fixed_dictionaries({"title": st.sampled_from(["Fern", "Moss"])}, optional=OPTIONAL), DUES
)
Refusal = tuple[int, int, str, list[str]]  # the operation's place, status, code, pointers


@hypothesis.settings(max_examples=40)
@hypothesis.given(st.lists(WISHES, min_size=2, max_size=8), st.booleans())
def test_operations_together_are_what_they_would_be_one_by_one(
    alice: Client, bob: Client, charlie: Client, wishes: list[tuple[Json, Json]], upsert: bool
) -> None:
    people = {"alice": alice.user["id"], "bob": bob.user["id"], "charlie": charlie.user["id"]}
    bodies = []
    for _ in range(2):
        project = made(alice, "projects", name="Garden")
        member = {"email": bob.user["email"], "role": "editor"}
        assert (
            alice.post(f"/api/v1/projects/{project['id']}/members", json=member).status_code < 300
        )
        root = add(alice, "Root", project_id=project["id"], external_id="there")
        parents = {"here": root["id"], "in another project": add(alice)["id"], "nowhere": 10**9}
        names = {**people, **parents}
        for fields, due in wishes:
            body = {"project_id": project["id"], **fields, **due}
            for name in {"assignee_id", "parent_id"} & body.keys():
                body[name] = names.get(body[name])
            bodies.append(body)
    one_by_one, together = bodies[: len(wishes)], bodies[len(wishes) :]

    refusal = first_refusal(alice, one_by_one, upsert)
    operations = [operation_of(body, upsert) for body in together]
    response = alice.post(URL, json={"operations": operations})

    assert refusal_of(response) == refusal
    after = trails(alice, together[0]["project_id"])
    if refusal is None:
        assert after == trails(alice, one_by_one[0]["project_id"])
        results = response.get_json()["results"]
        shown = {result["id"]: result["task"] for result in results}  # the last one of each task
        for task in shown.values():
            assert task == alice.get(f"{TASKS}/{task['id']}").get_json()
    else:
        assert [task["title"] for task, _ in after] == ["Root"]


TREE = [None, 0, 1, None, None]  # the parent of each task
CHANGED = st.fixed_dictionaries(
    {},
    optional={
        **OPTIONAL,
        "title": st.sampled_from(["Fern", "Moss"]),
        "due_on": st.sampled_from(["2030-05-17", None]),
        "due_at": st.sampled_from(["2030-05-17T08:00:00Z", None]),
        "parent_id": st.sampled_from([0, 1, 3, None]),
    },
)
# Which task, at which of its revisions, and its new fields; None deletes it.
STEP = st.tuples(
    st.integers(0, len(TREE)),
    st.sampled_from([None, None, None, "the first", "an old one"]),
    st.one_of(CHANGED, CHANGED, CHANGED, st.none(), st.none()),
)


@hypothesis.settings(max_examples=25)
@hypothesis.given(st.lists(STEP, min_size=2, max_size=8))
@hypothesis.example([(1, None, {}), (0, None, None)])  # changed, then deleted with its parent
def test_updates_and_deletes_together_are_what_they_would_be_one_by_one(
    alice: Client, bob: Client, charlie: Client, steps: list[tuple[int, str | None, Json | None]]
) -> None:
    people = {"alice": alice.user["id"], "bob": bob.user["id"], "charlie": charlie.user["id"]}
    gardens = []
    for _ in range(2):
        project = made(alice, "projects", name="Garden")
        member = {"email": bob.user["email"], "role": "editor"}
        added = alice.post(f"{PROJECTS}/{project['id']}/members", json=member)
        assert added.status_code < 300
        tasks: list[Json] = []
        for number, parent in enumerate(TREE):
            more = {} if parent is None else {"parent_id": tasks[parent]["id"]}
            repeating = {"due_on": "2030-05-17", "repeat": DAILY} if number == 4 else {}
            whole = {"project_id": project["id"], **more, **repeating}
            tasks.append(add(alice, str(number), external_id=str(number), **whole))
        gardens.append((project["id"], operations_on(tasks, steps, people)))
    (apart, one_by_one), (whole_project, together) = gardens

    refusal = first_refused_operation(alice, one_by_one)
    before = trails(alice, whole_project)
    response = alice.post(URL, json={"operations": together})

    assert refusal_of(response) == refusal
    if refusal is not None:
        assert trails(alice, whole_project) == before
        return
    assert trails(alice, whole_project) == trails(alice, apart)
    kinds = [deleted_in(alice, project_id) for project_id in (apart, whole_project)]
    assert kinds[0] == kinds[1]
    shown = {result["id"]: result for result in response.get_json()["results"]}
    for task_id, result in shown.items():
        answer = alice.get(f"{TASKS}/{task_id}")
        if answer.status_code == 404:  # deleted, or a task above it was later on
            continue
        assert answer.get_json() == result["task"]


def operations_on(
    tasks: list[Json], steps: list[tuple[int, str | None, Json | None]], people: dict[str, int]
) -> list[Json]:
    """The operations; the revision is one that a batch and single requests see alike."""
    operations = []
    touched: set[int] = set()
    for place, at, fields in steps:
        there = place < len(tasks)
        operation: Json = {"op": "delete", "id": tasks[place]["id"] if there else 10**9}
        if fields is not None:
            body = fields.copy()
            if "assignee_id" in body:
                body["assignee_id"] = people.get(body["assignee_id"])
            if body.get("parent_id") is not None:
                body["parent_id"] = tasks[body["parent_id"]]["id"]
            operation.update(op="update", body=body)
        if there and at == "the first" and place not in touched:
            operation["revision"] = tasks[place]["revision"]
        if there and at == "an old one":
            operation["revision"] = 1
        touched.add(place)
        operations.append(operation)
    return operations


def first_refused_operation(client: Client, operations: list[Json]) -> Refusal | None:
    for number, operation in enumerate(operations):
        alone = client.post(URL, json={"operations": [operation]})
        if alone.status_code != 200:
            _, status, code, pointers = refusal_of(alone) or (0, 0, "", [])
            return number, status, code, pointers
    return None


def deleted_in(client: Client, project_id: int) -> list[tuple[str, str | None, list[str]]]:
    """What the events of deletes keep: the title, the client's key, and all names of fields."""
    events = client.get(f"{PROJECTS}/{project_id}/events?limit=200").get_json()["items"]
    found = []
    for event in events:
        if event["kind"] == "deleted":
            changes = event["changes"]
            key = changes.get("external_id", [None])[0]
            found.append((changes["title"][0], key, sorted(changes)))
    return sorted(found, key=repr)


def operation_of(body: Json, upsert: bool) -> Json:
    if not upsert:
        return {"op": "create", "body": body}
    project_id, key, rest = parts_of(body)
    return {"op": "upsert", "project_id": project_id, "external_id": key, "body": rest}


def parts_of(body: Json) -> tuple[int, str, Json]:
    rest = body.copy()
    return rest.pop("project_id"), rest.pop("external_id", "there"), rest


def send(client: Client, body: Json, upsert: bool) -> TestResponse:
    if not upsert:
        return client.post(TASKS, json=body)
    project_id, key, rest = parts_of(body)
    return client.put(f"{PROJECTS}/{project_id}/tasks/by-external-id/{key}", json=rest)


def first_refusal(client: Client, bodies: list[Json], upsert: bool) -> Refusal | None:
    for number, body in enumerate(bodies):
        response = send(client, body, upsert)
        if response.status_code not in {200, 201}:
            problem = response.get_json()
            pointers = [reason["pointer"] for reason in problem.get("errors", [])]
            return number, response.status_code, problem["code"], pointers
    return None


def refusal_of(response: TestResponse) -> Refusal | None:
    if response.status_code == 200:
        return None
    status, code = refused(response)
    places = [reason["pointer"].split("/", 3) for reason in response.get_json()["errors"]]
    (number,) = {int(place[2]) for place in places}
    return number, status, code, ["".join(place[3:]).removeprefix("body") for place in places]


def trails(client: Client, project_id: int) -> list[tuple[Json, list[Json]]]:
    """What each task is, but for ids and times, and all that changed in it."""
    tasks = client.get(f"{TASKS}?sort=id&project_id={project_id}").get_json()["items"]
    tasks.sort(key=lambda task: (task["external_id"] or "", task["title"], task["due_on"] or ""))
    ids = {task["id"]: place for place, task in enumerate(tasks)}
    found = []
    for task in tasks:
        events = client.get(f"{TASKS}/{task['id']}/history").get_json()["items"]
        changes = [(event["kind"], sorted(event["changes"])) for event in events]
        task["parent_id"] = ids.get(task["parent_id"])
        for name in ("id", "project_id", "revision", "created_at", "updated_at", "completed_at"):
            del task[name]
        found.append((task, changes))
    return found
