"""A page is the same whether the nearest rows fill it or all rows are looked through"""

from __future__ import annotations

from itertools import pairwise

import pytest
from flask import Flask

from taskapp.tasks import query, search
from tests.conftest import Client, Json, add, made

URL = "/api/v1/tasks"
FILTERS = (
    *(
        "q=water",
        "q=wat",
        "q=water%20fern",
        "q=fern%20wat",
        "q=rose",
        "q=5%25%20water",
        "q=nothing",
    ),
    *("due=overdue", "due_after=2020-01-02T12:00:00Z", "due_before=2020-01-05T00:00:00Z"),
    *("created_after=2020-01-01T00:00:00Z", "updated_after=2020-01-01T00:00:00Z"),
    *("label=home", "label=home,plants", "q=water&label=home", "label=home,plants&priority=high"),
    *("q=water&status=todo&due=overdue", "q=water%20fern%20fe"),
)
SORTS = ("-id", "id", "title", "-title", "due_at", "-due_at", "priority,-created_at")


def fill(alice: Client, *project_ids: int) -> list[Json]:
    """One project has the oldest tasks, the next one those after them; few are alike."""
    tasks = []
    for number in range(24):
        words = ["Water", "Rose", "Waterfall 5%"][number % 3], ["fern", "moss"][number % 2]
        day = f"2020-01-{number % 7 + 1:02}"
        due = {"due_on": day} if number % 4 == 1 else {}
        labels = ["home", "plants"][: number % 3]
        place = {"project_id": project_ids[number * len(project_ids) // 24]}
        priority = ["low", "high"][number % 2]
        task = add(alice, " ".join(words), labels=labels, priority=priority, **due, **place)
        tasks.append(task)
    return tasks


def all_pages(client: Client, asked: str) -> list[int]:
    found: list[int] = []
    cursor = ""
    while cursor is not None:
        url = f"{URL}?{asked}&limit=5&total=true&fields=id" + (
            f"&cursor={cursor}" if cursor else ""
        )
        page = client.get(url).get_json()
        found += [task["id"] for task in page["items"]]
        cursor = page["next_cursor"]
        total: int = page["total"]
    assert len(found) == total
    return found


@pytest.mark.parametrize("sort", SORTS)
def test_however_few_rows_are_near(
    alice: Client, shared: Json, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    last = add(alice, "x")
    fill(alice, made(alice, "projects", name="Old")["id"], shared["id"], last["project_id"])
    for filters in FILTERS:
        asked = f"{filters}&sort={sort}"
        pages = []
        for rows in (0, 2, 25):
            monkeypatch.setattr(query, "NEAREST_ROWS", rows)
            # Another revision, so that no page is remembered.
            alice.patch(f"{URL}/{last['id']}", json={"title": f"x {rows} {FILTERS.index(filters)}"})
            pages.append(all_pages(alice, asked))
        for one, other in pairwise(pages):
            assert one == other, asked


def test_a_moved_task_is_found_by_words_where_it_is(
    alice: Client, bob: Client, shared: Json
) -> None:
    task = add(alice, "Water the fern")
    url = f"{URL}?q=fern%20wat&fields=id"
    assert bob.get(url).get_json()["items"] == []

    alice.patch(f"{URL}/{task['id']}", json={"project_id": shared["id"]})

    for reader in (alice, bob):
        assert reader.get(url).get_json()["items"] == [{"id": task["id"]}]
    inbox = f"{url}&project_id={task['project_id']}"
    assert alice.get(inbox).get_json()["items"] == []
    alice.patch(f"{URL}/{task['id']}", json={"title": "Roses"})
    assert alice.get(url).get_json()["items"] == []
    assert len(bob.get(f"{URL}?q=roses").get_json()["items"]) == 1
    alice.delete(f"{URL}/{task['id']}")
    assert bob.get(f"{URL}?q=roses").get_json()["items"] == []


def test_words_of_many_projects_are_asked_for_in_pieces(
    app: Flask, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_TERMS_LENGTH", 60)
    ids = []
    for number in range(20):
        project = made(alice, "projects", name=f"Project {number}")
        ids.append(add(alice, "Water the fern", project_id=project["id"])["id"])
        add(alice, "Water the moss", project_id=project["id"])

    assert all_pages(alice, "q=water%20fer&sort=id") == ids
    with app.app_context():
        asked, values = search.search_for("water fer", "sqlite", ids)
    assert asked.pieces > 5
    assert all(len(values[f"terms_{number}"]) <= 64 for number in range(asked.pieces))
