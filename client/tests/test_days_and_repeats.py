"""Days, repetitions, reminders, and what was deleted, as the service keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Person
from .proxy import LOST_ANSWER, Proxy
from .test_doors import DOORS, SAMPLES, sample

Editor = Callable[[str], dict[str, str]]


def titles(person: Person, *options: str) -> list[str]:
    return [task["title"] for task in json.loads(person.does("ls", "--json", *options))]


def test_a_day_is_a_day_and_not_midnight(alice: Person) -> None:
    alice.does("add", "Water the fern", "--due", "2027-01-31")

    (task,) = alice.all_tasks()
    assert (task["due_on"], task["due_at"]) == ("2027-01-31", None)


def test_days_are_those_of_this_machine(alice: Person) -> None:
    for day in ("yesterday", "today", "tomorrow", "+8d"):
        alice.does("add", day, "--due", day)
    alice.does("sync")

    for options in ([], ["--offline"]):
        assert titles(alice, "--overdue", *options) == ["yesterday"]
        assert titles(alice, "--today", *options) == ["today"]
        assert titles(alice, "--week", *options) == ["today", "tomorrow"]


def test_a_day_becomes_a_moment_and_a_day_again(alice: Person, editor: Editor) -> None:
    task = alice.add("Water the fern", due_on="2027-01-31")

    alice.does("edit", str(task["id"]), "--due", "2027-01-31 17:00")
    moment = alice.task(task["id"])
    alice.does(
        "edit", str(task["id"]), **editor("text = text.replace('2027-01-31 17:00', '2027-01-31')")
    )
    alice.does("undo")
    undone = alice.task(task["id"])
    alice.does("undo")

    assert (moment["due_on"], moment["due_at"]) == (None, "2027-01-31T16:00:00.000000Z")
    assert undone["due_at"] == moment["due_at"]
    assert alice.task(task["id"])["due_on"] == "2027-01-31"


def test_a_repetition_is_named_in_words(alice: Person) -> None:
    alice.does("add", "Water the fern", "--due", "2027-01-31", "--repeat", "weekly from done")

    (task,) = alice.all_tasks()
    assert task["repeat"] == {"rule": "FREQ=WEEKLY", "from": "done", "timezone": "Europe/Berlin"}


def test_the_next_one_is_named_when_one_is_done(lossy: Person, proxy: Proxy) -> None:
    lossy.does("add", "Water the fern", "--due", "2027-01-31", "--repeat", "daily")
    (task,) = lossy.all_tasks()
    proxy.next.extend([None, LOST_ANSWER])

    lossy.run("done", str(task["id"]))

    assert [each["due_on"] for each in lossy.all_tasks()] == ["2027-01-31", "2027-02-01"]


def test_reminders_and_repetitions_can_be_edited(alice: Person, editor: Editor) -> None:
    task = alice.add("Water the fern", due_on="2027-01-31", reminders=["-PT1H"])
    changed = editor("""
text = text.replace("reminders: -PT1H", "reminders: -PT2H, -P1D")
text = text.replace("repeat: none", "repeat: FREQ=MONTHLY;BYDAY=-1FR in Asia/Tokyo")
""")

    alice.does("edit", str(task["id"]), **changed)

    edited = alice.task(task["id"])
    assert sorted(edited["reminders"]) == ["-P1D", "-PT2H"]
    assert edited["repeat"]["rule"] == "FREQ=MONTHLY;BYDAY=-1FR"
    assert edited["repeat"]["timezone"] == "Asia/Tokyo"


def test_what_was_deleted_comes_back_with_what_was_below_it(lossy: Person, proxy: Proxy) -> None:
    parent = lossy.add("Look after the plants")
    child = lossy.add("Water the fern", parent_id=parent["id"])
    lossy.does("rm", str(parent["id"]))
    assert lossy.all_tasks() == []
    proxy.next.append(LOST_ANSWER)

    lossy.does("undo")

    assert [task["id"] for task in lossy.all_tasks()] == [parent["id"], child["id"]]


def test_what_somebody_else_brought_back_is_no_error(alice: Person) -> None:
    task = alice.add("Water the fern")
    alice.does("rm", str(task["id"]))
    assert alice.api.post(f"/tasks/{task['id']}/restore").status_code == 200

    alice.does("undo")

    assert len(alice.all_tasks()) == 1


def test_several_deletions_come_back_in_their_order(alice: Person) -> None:
    ids = [str(alice.add(f"Task {number}")["id"]) for number in range(3)]
    alice.does("rm", *ids)

    alice.does("undo")

    assert [str(task["id"]) for task in alice.all_tasks()] == ids


@pytest.mark.parametrize("door", DOORS)
def test_whole_samples_are_imported_and_twice_is_once(alice: Person, door: str) -> None:
    file = sample(alice, DOORS[door]) if door != "vikunja" else SAMPLES / DOORS[door]

    first = json.loads(alice.does("import", "--from", door, str(file), "--json"))
    second = json.loads(alice.does("import", "--from", door, str(file), "--json"))

    assert first["created"] > 2
    assert second["created"] == second["updated"] == 0
    assert second["unchanged"] == first["created"]


def test_a_date_that_the_file_no_longer_has_is_taken_away(alice: Person) -> None:
    file: Path = alice.home / "todo.txt"
    file.write_text("Water the fern due:2027-01-31 id:fern\n")
    alice.does("import", "--from", "todotxt", str(file))
    file.write_text("Water the fern id:fern\n")
    alice.does("import", "--from", "todotxt", str(file))

    (task,) = alice.all_tasks()
    assert task["due_on"] is None
