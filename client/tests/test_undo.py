"""undo: the last thing that this machine did, and nothing that others did."""

from __future__ import annotations

import json

from .conftest import Person
from .proxy import LOST_ANSWER, Proxy


def test_what_was_added_is_deleted_again(alice: Person) -> None:
    alice.does("add", "Water the fern")

    alice.does("undo")

    assert alice.all_tasks() == []


def test_what_was_added_and_changed_by_others_stays(alice: Person) -> None:
    alice.does("add", "Water the fern")
    (task,) = alice.all_tasks()
    alice.change(task["id"], description="With a can")

    ran = alice.run("undo")

    assert ran.returncode == 5
    assert len(alice.all_tasks()) == 1


def test_an_edit_is_undone_field_by_field(alice: Person) -> None:
    task = alice.add("Water the fern", labels=["home"], due_at="2027-01-31T17:00:00Z")
    alice.does("edit", str(task["id"]), "--title", "Feed it", "--due", "none", "--label", "x")
    alice.change(task["id"], priority="high")  # somebody else, another field

    alice.does("undo")

    now = alice.task(task["id"])
    assert (now["title"], now["labels"]) == ("Water the fern", ["home"])
    assert now["due_at"] == "2027-01-31T17:00:00.000000Z"
    assert now["priority"] == "high"


def test_what_others_changed_to_something_else_is_not_undone(alice: Person) -> None:
    task = alice.add("Water the fern")
    alice.does("edit", str(task["id"]), "--title", "Feed the fern")
    alice.change(task["id"], title="Sell the fern")

    ran = alice.run("undo")

    assert ran.returncode == 5
    assert ran.stdout == "title\n  theirs: Sell the fern\n  yours:  Water the fern\n"
    assert alice.task(task["id"])["title"] == "Sell the fern"


def test_done_is_undone_for_all_that_one_command_did(alice: Person) -> None:
    ids = [str(alice.add(f"Task {n}")["id"]) for n in range(3)]
    alice.does("done", *ids)

    undone = json.loads(alice.does("undo", "--json"))

    assert {task["status"] for task in undone} == {"todo"}
    assert {task["status"] for task in alice.all_tasks()} == {"todo"}


def test_what_was_done_before_one_failed_can_be_undone(alice: Person) -> None:
    task = alice.add("Water the fern")
    assert alice.run("done", str(task["id"]), "4711").returncode == 3

    alice.does("undo")

    assert alice.task(task["id"])["status"] == "todo"


def test_undo_goes_back_step_by_step_and_then_says_so(alice: Person) -> None:
    alice.does("add", "Water the fern")
    (task,) = alice.all_tasks()
    alice.does("edit", str(task["id"]), "--priority", "low")
    alice.does("edit", str(task["id"]), "--priority", "high")

    for priority in ("low", "none"):
        alice.does("undo")
        assert alice.task(task["id"])["priority"] == priority
    alice.does("undo")

    ran = alice.run("undo")
    assert (ran.returncode, alice.all_tasks()) == (3, [])
    assert "There is nothing to undo" in ran.stderr


def test_undo_survives_a_lost_answer(lossy: Person, proxy: Proxy) -> None:
    task = lossy.add("Water the fern")
    lossy.does("done", str(task["id"]))
    proxy.next.append(LOST_ANSWER)

    lossy.does("undo")

    assert lossy.task(task["id"])["status"] == "todo"


def test_what_cannot_be_undone_can_be_passed_over(alice: Person) -> None:
    task = alice.add("Water the fern")
    alice.does("edit", str(task["id"]), "--title", "Feed the fern")
    other = alice.add("Buy bread")
    alice.does("done", str(other["id"]))
    alice.api.delete(f"/tasks/{other['id']}")
    assert alice.run("undo").returncode == 3

    alice.does("undo", "--skip")
    alice.does("undo")

    assert alice.task(task["id"])["title"] == "Water the fern"


def test_done_twice_says_that_it_was_done_already(alice: Person) -> None:
    task = alice.add("Water the fern")
    alice.does("done", str(task["id"]))

    ran = alice.run("done", str(task["id"]))

    assert ran.stderr == f'It was done already: {task["id"]} "Water the fern".\n'
