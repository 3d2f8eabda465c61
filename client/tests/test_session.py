"""A whole session, as a stranger has it, while every third answer is lost."""

from __future__ import annotations

import json
from collections.abc import Callable

from .conftest import PASSWORD, Person
from .proxy import Proxy


def test_a_whole_session_with_every_third_answer_lost(
    stranger: Person, proxy: Proxy, editor: Callable[[str], dict[str, str]]
) -> None:
    person = Person(proxy.url, stranger.email, stranger.home, stranger.api)
    out = person.does("login", "--email", person.email, stdin=f"{PASSWORD}\n")
    assert out.startswith(f"Signed in to {proxy.url} as {person.email}")
    proxy.every = 3

    assert person.does("add", "Water the fern", "--due", "tomorrow 17:00", "--label", "home")
    assert person.does("add", "Buy bread", "--priority", "high")
    fern, bread = (str(task["id"]) for task in person.all_tasks())

    listed = person.does("ls")
    assert listed.index("Water the fern") < listed.index("Buy bread")  # what is due comes first
    assert "tomorrow 17:00" in listed

    person.does("edit", fern, **editor("text = text.replace('Water the fern', 'Water the ferns')"))
    assert person.task(int(fern))["title"] == "Water the ferns"
    person.does("undo")
    assert person.task(int(fern))["title"] == "Water the fern"

    person.does("done", fern, bread)
    assert [task["status"] for task in person.all_tasks()] == ["done", "done"]
    person.does("undo")
    assert [task["status"] for task in person.all_tasks()] == ["todo", "todo"]

    assert "the copy holds 2 tasks" in person.does("sync")
    assert len(json.loads(person.does("ls", "--offline", "--json"))) == 2

    exported = person.does("export")
    assert [json.loads(line)["title"] for line in exported.splitlines()] == [
        "Water the fern",
        "Buy bread",
    ]
    person.does("rm", bread)
    assert [task["title"] for task in person.all_tasks()] == ["Water the fern"]
    assert "1 gone" in person.does("sync")

    lines = "(A) Call Mom @phone\nx 2026-11-02 2026-11-01 Pay rent\n"
    for _ in range(2):
        person.does("import", "--from", "todotxt", "-", stdin=lines)
    assert [task["title"] for task in person.all_tasks()] == [
        "Water the fern",
        "Call Mom",
        "Pay rent",
    ]

    assert person.does("logout").startswith("Signed out")
    assert person.run("ls").returncode == 4

    lost = [seen for number, seen in enumerate(proxy.seen) if number and number % 3 == 0]
    assert len(lost) > 10
