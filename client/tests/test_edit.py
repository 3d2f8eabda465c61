"""Editing over what others edit: nothing is overwritten unseen, and nothing typed is lost."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from collections.abc import Callable

import pytest

from .conftest import TASKS, Person
from .proxy import LOST_REQUEST, Proxy

Editor = Callable[[str], dict[str, str]]


def test_only_what_was_changed_is_sent(lossy: Person, proxy: Proxy, editor: Editor) -> None:
    task = lossy.add("Water the fern", description="Twice.\n\n", labels=["home"])

    lossy.does(
        "edit",
        str(task["id"]),
        **editor("text = text.replace('status: todo', 'status: in_progress')"),
    )

    (sent,) = proxy.requests("PATCH")
    assert sent.headers["if-match"]
    assert json.loads(sent.body) == {"status": "in_progress"}


def test_a_file_that_is_only_saved_changes_nothing(
    lossy: Person, proxy: Proxy, editor: Editor
) -> None:
    task = lossy.add("Water the fern", due_at="2027-01-31T17:00:12.345678Z")

    ran = lossy.run("edit", str(task["id"]), **editor("pass"))

    assert (ran.returncode, ran.stderr) == (0, "Nothing was changed.\n")
    assert proxy.requests("PATCH") == []


def test_the_form_takes_every_field(alice: Person, editor: Editor) -> None:
    parent = alice.add("Look after the plants")
    task = alice.add("Water the fern")
    changed = editor(f"""
text = text.replace("title: Water the fern", "title: Water: the ferns")
text = text.replace("priority: none", "priority: high")
text = text.replace("due: none", "due: 2027-01-31 17:00")
text = text.replace("labels:", "labels: home, a\\\\, b")
text = text.replace("parent: none", "parent: {parent["id"]}")
text = text.replace("assignee: none", "assignee: me")
text += "# a heading, not a comment\\nsecond line"
""")

    alice.does("edit", str(task["id"]), **changed)

    edited = alice.task(task["id"])
    assert edited["title"] == "Water: the ferns"
    assert edited["priority"] == "high"
    assert edited["due_at"] == "2027-01-31T16:00:00.000000Z"  # the machine is in Berlin
    assert edited["labels"] == ["a, b", "home"]
    assert edited["parent_id"] == parent["id"]
    assert edited["assignee_id"] == edited["created_by"]
    assert edited["description"] == "# a heading, not a comment\nsecond line"


def test_what_others_did_to_other_fields_stays(alice: Person, editor: Editor) -> None:
    task = alice.add("Water the fern")
    meanwhile = editor(f"""
import httpx
httpx.patch("{alice.url}/api/v1/tasks/{task["id"]}", json={{"priority": "urgent"}},
            headers={{"Authorization": "Bearer {alice.token}"}}).raise_for_status()
text = text.replace("Water the fern", "Water the ferns")
""")

    alice.does("edit", str(task["id"]), **meanwhile)

    edited = alice.task(task["id"])
    assert (edited["title"], edited["priority"]) == ("Water the ferns", "urgent")


@pytest.fixture
def conflicting(alice: Person, editor: Editor) -> tuple[int, dict[str, str]]:
    """A task, and an editor during whose work somebody else changes the same title."""
    task = alice.add("Water the fern")
    change = editor(f"""
import httpx
if "ferns" not in text:
    httpx.patch("{alice.url}/api/v1/tasks/{task["id"]}", json={{"title": "Feed the fern"}},
                headers={{"Authorization": "Bearer {alice.token}"}}).raise_for_status()
    text = text.replace("Water the fern", "Water the ferns")
    text = text.replace("priority: none", "priority: low")
""")
    return task["id"], change


def test_a_conflict_is_shown_as_theirs_and_yours_and_overwrites_nothing(
    alice: Person, conflicting: tuple[int, dict[str, str]]
) -> None:
    task_id, variables = conflicting

    ran = alice.run("edit", str(task_id), **variables)

    assert ran.returncode == 5
    assert ran.stdout == "title\n  theirs: Feed the fern\n  yours:  Water the ferns\n"
    assert f"What you typed is kept: `tasks edit {task_id}` goes on with it." in ran.stderr
    assert alice.task(task_id)["title"] == "Feed the fern"


def test_what_was_typed_is_there_again_after_a_conflict(
    alice: Person, conflicting: tuple[int, dict[str, str]]
) -> None:
    task_id, variables = conflicting
    alice.run("edit", str(task_id), **variables)

    alice.does("edit", str(task_id), "--on-conflict", "mine", **variables)

    edited = alice.task(task_id)
    assert (edited["title"], edited["priority"]) == ("Water the ferns", "low")
    assert alice.run("edit", str(task_id), **variables).stderr == "Nothing was changed.\n"


def test_theirs_may_count_for_what_both_changed(
    alice: Person, conflicting: tuple[int, dict[str, str]]
) -> None:
    task_id, variables = conflicting

    alice.does("edit", str(task_id), "--on-conflict", "theirs", **variables)

    edited = alice.task(task_id)
    assert (edited["title"], edited["priority"]) == ("Feed the fern", "low")


def test_undoing_after_a_conflict_brings_theirs_back(
    alice: Person, conflicting: tuple[int, dict[str, str]]
) -> None:
    task_id, variables = conflicting
    alice.does("edit", str(task_id), "--on-conflict", "mine", **variables)

    alice.does("undo")

    edited = alice.task(task_id)
    assert (edited["title"], edited["priority"]) == ("Feed the fern", "none")


def test_at_a_terminal_it_asks_which_counts(
    alice: Person, conflicting: tuple[int, dict[str, str]]
) -> None:
    task_id, variables = conflicting

    shown = at_a_terminal(alice, ["edit", str(task_id)], {"Which counts?": "mine\n"}, variables)

    assert "theirs: Feed the fern" in shown
    assert alice.task(task_id)["title"] == "Water the ferns"


def test_at_a_terminal_one_may_edit_again_over_their_version(
    alice: Person, conflicting: tuple[int, dict[str, str]]
) -> None:
    task_id, variables = conflicting
    answers = {"Which counts?": "edit\n", "Edit again?": "y\n"}

    shown = at_a_terminal(alice, ["edit", str(task_id)], answers, variables)

    assert f'Saved {task_id} "Water the ferns"' in shown
    edited = alice.task(task_id)
    assert (edited["title"], edited["priority"]) == ("Water the ferns", "low")


def at_a_terminal(
    person: Person, arguments: list[str], answers: dict[str, str], variables: dict[str, str]
) -> str:
    """Run `tasks` with a terminal, and answer each question once; what was shown."""
    main, child = pty.openpty()
    process = subprocess.Popen(
        [TASKS, *arguments],
        env=person.environment(TERM="dumb", **variables),
        stdin=child,
        stdout=child,
        stderr=child,
        close_fds=True,
    )
    os.close(child)
    shown, left, deadline = "", dict(answers), time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([main], [], [], 0.2)[0]:
            try:
                piece = os.read(main, 4096)
            except OSError:  # the other end was closed
                break
            shown += piece.decode()
            for question in [q for q in left if q in shown]:
                os.write(main, left.pop(question).encode())
        elif process.poll() is not None:
            break
    os.close(main)
    assert process.wait(10) == 0, shown
    assert left == {}
    return shown


def test_what_cannot_be_read_is_kept_too(alice: Person, editor: Editor) -> None:
    task = alice.add("Water the fern")
    wrong = editor("text = text.replace('due: none', 'due: whenever') + 'A long story.'")

    ran = alice.run("edit", str(task["id"]), **wrong)
    right = editor("text = text.replace('due: whenever', 'due: none')")
    alice.does("edit", str(task["id"]), **right)

    assert ran.returncode == 1
    assert "'whenever' is no date that `tasks` knows. Write one of:" in ran.stderr
    assert alice.task(task["id"])["description"] == "A long story."


def test_what_the_service_refuses_is_kept_too(alice: Person, editor: Editor) -> None:
    task = alice.add("Water the fern")
    wrong = editor("text = text.replace('parent: none', 'parent: 4711') + 'A long story.'")

    ran = alice.run("edit", str(task["id"]), **wrong)
    right = editor("text = text.replace('parent: 4711', 'parent: none')")
    alice.does("edit", str(task["id"]), **right)

    assert ran.returncode in {3, 6}
    assert alice.task(task["id"])["description"] == "A long story."


def test_what_the_network_lost_is_kept_too(lossy: Person, proxy: Proxy, editor: Editor) -> None:
    task = lossy.add("Water the fern")
    proxy.next.extend([None, None, *[LOST_REQUEST] * 6])  # task, projects, six tries

    ran = lossy.run("edit", str(task["id"]), **editor("text += 'A long story.'"))
    lossy.does("edit", str(task["id"]), **editor("pass"))

    assert ran.returncode == 7
    assert lossy.task(task["id"])["description"] == "A long story."


def test_a_draft_can_be_dropped(alice: Person, editor: Editor) -> None:
    task = alice.add("Water the fern")
    alice.run("edit", str(task["id"]), **editor("text = text.replace('none', 'nonsense')"))

    ran = alice.run("edit", str(task["id"]), "--discard", **editor("pass"))

    assert ran.stderr == "Nothing was changed.\n"


def test_options_change_a_task_without_an_editor(alice: Person) -> None:
    task = alice.add("Water the fern", labels=["home"], due_at="2027-01-31T17:00:00Z")

    alice.does("edit", str(task["id"]), "--title", "Feed it", "--due", "none", "--no-labels")

    edited = alice.task(task["id"])
    assert (edited["title"], edited["due_at"], edited["labels"]) == ("Feed it", None, [])


def test_a_task_moves_to_another_project_by_its_name(alice: Person) -> None:
    garden = alice.api.post("/projects", json={"name": "Garden"}).json()
    task = alice.add("Water the fern")

    alice.does("edit", str(task["id"]), "--project", "gard")

    assert alice.task(task["id"])["project_id"] == garden["id"]
