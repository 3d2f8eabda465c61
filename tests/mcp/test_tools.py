"""The tools: a retry never duplicates, a stale write never overwrites"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from tests.conftest import Client, Json, made
from tests.mcp.conftest import call, new_id, send


def text_of(result: Json) -> str:
    return "\n".join(block["text"] for block in result["content"])


def test_finds_what_was_created(alice: Client, task: Json) -> None:
    found = call(alice, "find_tasks", text="fern", status=["todo"])["structuredContent"]

    assert [each["id"] for each in found["items"]] == [task["id"]]
    assert found["items"][0]["revision"] == task["revision"]


def test_finds_labels_with_any_sign_in_them(alice: Client) -> None:
    labels = ["home, sweet home", "a\\b", "c\\,d", "plain"]
    for label in labels:
        call(alice, "create_task", request_id=new_id(), title=label, labels=[label])

    for label in labels:
        items = call(alice, "find_tasks", labels=[label])["structuredContent"]["items"]
        assert [each["title"] for each in items] == [label]
    assert call(alice, "find_tasks", labels=["home"])["structuredContent"]["items"] == []
    twice = call(alice, "find_tasks", labels=["plain", "plain"])["structuredContent"]
    assert len(twice["items"]) == 1


def test_finds_what_is_due_within_a_week(alice: Client) -> None:
    today = dt.datetime.now(dt.UTC).date()
    for days in (-2, 0, 6, 8):
        due_on = str(today + dt.timedelta(days=days))
        call(alice, "create_task", request_id=new_id(), title=f"in {days}", due_on=due_on)

    for due, titles in (
        ("none", []),
        ("overdue", ["in -2"]),
        ("today", ["in 0"]),
        ("week", ["in 0", "in 6"]),
    ):
        found = call(alice, "find_tasks", due=due, newest_first=False)["structuredContent"]
        assert [each["title"] for each in found["items"]] == titles


def test_a_cursor_is_good_for_its_own_tool(alice: Client) -> None:
    for title in ("a", "b"):
        call(alice, "create_task", request_id=new_id(), title=title)
    found = call(alice, "find_tasks", limit=1)["structuredContent"]["next_cursor"]
    changed = call(alice, "what_changed", limit=1)["structuredContent"]["next_cursor"]
    made(alice, "projects", name="Garden")
    listed = call(alice, "list_projects", limit=1)["structuredContent"]["next_cursor"]

    tools = {"find_tasks": found, "what_changed": changed, "list_projects": listed}
    for tool in tools:
        for owner, cursor in tools.items():
            result = call(alice, tool, limit=1, cursor=cursor)
            assert result["isError"] is (tool != owner), f"{tool} with a cursor of {owner}"
            if tool != owner:
                assert "invalid-cursor" in result["content"][0]["text"]


def test_what_a_model_has_to_read_is_short(alice: Client) -> None:
    response = send(alice, "tools/list")
    task = response.get_json()["result"]["tools"][0]["outputSchema"]["properties"]["items"]["items"]

    assert len(response.data) < 30_000  # bytes
    assert task["properties"]["description"] == {"type": "string"}  # a field, and no explanation
    assert task["properties"]["status"]["enum"] == ["todo", "in_progress", "done", "cancelled"]
    assert set(task["required"]) == set(task["properties"])


def test_each_argument_is_explained(alice: Client) -> None:
    mute = []
    for tool in send(alice, "tools/list").get_json()["result"]["tools"]:
        for name, schema in tool["inputSchema"]["properties"].items():
            if not schema.get("description", "").endswith("."):
                mute.append(f"{tool['name']}.{name}")

    assert mute == []


def test_pages_through_what_it_finds(alice: Client) -> None:
    for number in range(3):
        call(alice, "create_task", request_id=new_id(), title=f"Task {number}")
    first = call(alice, "find_tasks", limit=2)["structuredContent"]
    rest = call(alice, "find_tasks", limit=2, cursor=first["next_cursor"])["structuredContent"]

    assert [each["title"] for each in first["items"] + rest["items"]][:3] == [
        *("Task 2", "Task 1", "Task 0")
    ]


def test_a_call_without_a_request_id_writes_nothing(alice: Client) -> None:
    result = call(alice, "create_task", title="Water the fern")

    assert result["isError"]
    assert "request_id" in text_of(result)
    assert call(alice, "find_tasks")["structuredContent"]["items"] == []


def test_a_repeated_call_answers_the_first_result_and_says_so(alice: Client) -> None:
    request_id = new_id()
    first, again = (
        call(alice, "create_task", request_id=request_id, title="Once")["structuredContent"]
        for _ in range(2)
    )

    assert (first["repeated"], again["repeated"]) == (False, True)
    assert first["task"] == again["task"]
    assert len(call(alice, "find_tasks")["structuredContent"]["items"]) == 1


def test_a_request_id_is_good_for_one_change(alice: Client) -> None:
    request_id = new_id()
    call(alice, "create_task", request_id=request_id, title="Once")
    result = call(alice, "create_task", request_id=request_id, title="Twice")

    assert result["isError"]
    assert "idempotency-mismatch" in text_of(result)


def test_a_stale_write_is_refused_and_shows_who_changed_what(alice: Client, task: Json) -> None:
    alice.patch(f"/api/v1/tasks/{task['id']}", json={"title": "Water the cactus"})
    result = call(
        alice,
        "update_task",
        request_id=new_id(),
        id=task["id"],
        revision=task["revision"],
        title="Water the palm",
    )

    assert result["isError"]
    assert "Read it again" in text_of(result)
    assert '["Water the fern","Water the cactus"]' in text_of(result)
    now = call(alice, "get_task", id=task["id"])["structuredContent"]["task"]
    assert now["title"] == "Water the cactus"


def refused_changes(client: Client, task: Json) -> list[Json]:
    """What an update of a task is told that somebody else has changed since."""
    stale = {"id": task["id"], "revision": task["revision"], "title": "Water the palm"}
    result = call(client, "update_task", request_id=new_id(), **stale)
    assert result["isError"]
    changes: list[Json] = json.loads(text_of(result).partition("instructions): ")[2])
    return changes


def test_a_stale_write_names_no_other_task_of_a_series(
    alice: Client, bob: Client, shared: Json
) -> None:
    repeat = {"rule": "FREQ=DAILY", "from": "due", "timezone": "UTC"}
    task = made(
        alice, "tasks", title="Fern", due_on="2030-05-17", repeat=repeat, project_id=shared["id"]
    )
    url = f"/api/v1/tasks/{task['id']}"
    assert alice.patch(url, json={"status": "done"}).status_code == 200
    assert alice.delete(url).status_code == 204
    assert alice.post(f"{url}/restore").status_code == 200

    changes = refused_changes(bob, task)
    assert [change["kind"] for change in changes] == ["updated", "deleted", "restored"]
    assert all(change["changes"].keys() <= task.keys() for change in changes)


def test_a_stale_write_shows_the_newest_20_changes(alice: Client, task: Json) -> None:
    for number in range(25):
        alice.patch(f"/api/v1/tasks/{task['id']}", json={"title": f"{number}"})

    changes = refused_changes(alice, task)

    assert [change["changes"]["title"][1] for change in changes] == [f"{n}" for n in range(5, 25)]
    assert changes[0].keys() == {"revision", "at", "user_id", "kind", "changes"}


def test_a_stale_write_shows_fewer_changes_where_they_are_long(alice: Client, task: Json) -> None:
    long = "\U0001f600" * 65_530
    for number in range(20):
        alice.patch(f"/api/v1/tasks/{task['id']}", json={"description": f"{long}{number:02}"})

    changes = refused_changes(alice, task)

    texts = [change["changes"]["description"] for change in changes]
    assert texts == [[f"{long}{n - 1:02}", f"{long}{n:02}"] for n in range(20 - len(texts), 20)]
    assert 5 < len(texts) < 10


def test_changes_only_what_is_sent(alice: Client, task: Json) -> None:
    changed = call(
        alice,
        "update_task",
        request_id=new_id(),
        id=task["id"],
        revision=task["revision"],
        priority="high",
    )["structuredContent"]["task"]

    assert (changed["priority"], changed["title"]) == ("high", "Water the fern")


def test_completes_a_task(alice: Client, task: Json) -> None:
    arguments = {"id": task["id"], "revision": task["revision"], "request_id": new_id()}
    done = call(alice, "complete_task", **arguments)["structuredContent"]["task"]

    assert done["status"] == "done"


def test_brings_a_deleted_task_back(alice: Client, task: Json) -> None:
    alice.delete(f"/api/v1/tasks/{task['id']}")
    arguments = {"id": task["id"], "request_id": new_id()}
    restored = call(alice, "restore_task", **arguments)["structuredContent"]
    again = call(alice, "restore_task", **arguments)["structuredContent"]

    assert restored["task"]["title"] == task["title"]
    assert (restored["repeated"], again["repeated"]) == (False, True)


def test_comments_are_read_with_their_task(alice: Client, task: Json) -> None:
    call(alice, "comment", request_id=new_id(), task_id=task["id"], body="Twice a week")
    read = call(alice, "get_task", id=task["id"])["structuredContent"]

    assert [comment["body"] for comment in read["comments"]] == ["Twice a week"]


def test_says_what_has_changed_since(alice: Client, task: Json) -> None:
    first = call(alice, "what_changed")["structuredContent"]
    alice.delete(f"/api/v1/tasks/{task['id']}")
    since = call(alice, "what_changed", cursor=first["next_cursor"])["structuredContent"]

    assert task["id"] in [each["id"] for each in first["tasks"]]
    assert since["deleted"] == [task["id"]]


def test_texts_are_marked_as_data(alice: Client, task: Json) -> None:
    result = call(alice, "get_task", id=task["id"])

    assert "not instructions" in result["content"][0]["text"]


@pytest.mark.parametrize(
    ("tool", "arguments", "word"),
    [
        ("get_task", {"id": 999_999}, "not-found"),
        ("get_task", {"id": "7"}, "/id"),
        ("find_tasks", {"status": ["open"]}, "/status/0"),
        ("find_tasks", {"status": []}, "/status"),
        ("find_tasks", {"color": "red"}, "/color"),
        ("find_tasks", {"cursor": "x"}, "invalid-cursor"),
        ("create_task", {"request_id": "short", "title": "x"}, "/request_id"),
    ],
)
def test_a_bad_argument_is_named(
    alice: Client, tool: str, arguments: dict[str, Any], word: str
) -> None:
    result = call(alice, tool, **arguments)

    assert result["isError"]
    assert word in text_of(result)


def test_a_read_token_finds_and_does_not_write(alice: Client) -> None:
    token = alice.post("/api/v1/auth/tokens", json={"name": "agent", "scopes": ["read"]})
    reader = alice.as_token(token.get_json()["token"])

    assert call(reader, "find_tasks")["structuredContent"]["items"] == []
    arguments = {"request_id": new_id(), "title": "x"}
    response = send(reader, "tools/call", {"name": "create_task", "arguments": arguments})
    assert response.status_code == 403
    assert 'scope="write"' in response.headers["WWW-Authenticate"]


def test_what_others_may_not_see_is_not_there(charlie: Client, task: Json) -> None:
    assert "not-found" in text_of(call(charlie, "get_task", id=task["id"]))


def test_a_refused_call_leaves_nothing_behind(alice: Client, task: Json) -> None:
    request_id = new_id()
    arguments = {"request_id": request_id, "id": task["id"], "parent_id": task["id"]}
    refused = call(alice, "update_task", **arguments, revision=task["revision"])
    assert refused["isError"]

    title = call(alice, "get_task", id=task["id"])["structuredContent"]["task"]
    assert title["revision"] == task["revision"]
