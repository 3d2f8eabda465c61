"""Lists, tables and what a terminal gets to see."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import pytest

from taskapp_client import tables

from .conftest import PASSWORD, Person, somebody
from .proxy import Proxy


def titles(person: Person, *options: str) -> list[str]:
    return [task["title"] for task in json.loads(person.does("ls", "--json", *options))]


@pytest.fixture(scope="module")
def garden(service: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Somebody with some tasks, for tests that only look at them."""
    with somebody(service, tmp_path_factory.mktemp("garden")) as person:
        person.does("login", "--email", person.email, stdin=f"{PASSWORD}\n")
        fill(person)
        person.does("sync")
        yield person


def fill(alice: Person) -> None:
    project = alice.api.post("/projects", json={"name": "Garden"}).json()
    me = alice.api.get("/users/me").json()
    alice.add("Water the fern", labels=["Home", "plants"], priority="urgent", assignee_id=me["id"])
    alice.add("Feed the fern", labels=["home"], due_at="2020-01-01T00:00:00Z")
    alice.add("Rake", project_id=project["id"], due_at="2999-01-01T00:00:00Z", priority="low")
    done = alice.add("Sow")
    alice.change(done["id"], status="done")


FILTERS = {
    "what is open, the next due first": ((), ["Feed the fern", "Rake", "Water the fern"]),
    "all of them": (("--all",), ["Feed the fern", "Rake", "Water the fern", "Sow"]),
    "what is done": (("--done",), ["Sow"]),
    "a status": (("--status", "done", "--status", "cancelled"), ["Sow"]),
    "a label, without case": (("--label", "HOME"), ["Feed the fern", "Water the fern"]),
    "two labels": (("--label", "plants", "--label", "home"), ["Water the fern"]),
    "a project by the beginning of its name": (("--project", "garden"), ["Rake"]),
    "the inbox": (("--project", "inbox"), ["Feed the fern", "Water the fern"]),
    "words": (("--search", "fern wat"), ["Water the fern"]),
    "mine": (("--mine",), ["Water the fern"]),
    "priorities": (("--priority", "urgent", "--priority", "low"), ["Rake", "Water the fern"]),
    "by title": (("--sort", "title"), ["Feed the fern", "Rake", "Water the fern"]),
    "by priority, the most urgent first": (
        ("--sort", "-priority", "--limit", "2"),
        ["Water the fern", "Rake"],
    ),
}


@pytest.mark.parametrize("what", FILTERS)
def test_a_list_holds_what_was_asked_for_online_and_offline(garden: Person, what: str) -> None:
    options, expected = FILTERS[what]

    for listed in (titles(garden, *options), titles(garden, *options, "--offline")):
        assert sorted(listed) == sorted(expected)
        assert listed[:1] == expected[:1]


def test_what_was_due_and_what_is_due_today_can_be_listed(alice: Person) -> None:
    alice.add("Late", due_at="2020-01-01T00:00:00Z")

    alice.add("Today", due_at=dt.datetime.now(dt.UTC).isoformat())
    alice.add("Later", due_at="2999-01-01T00:00:00Z")

    assert "Late" in titles(alice, "--overdue")
    assert titles(alice, "--today") == ["Today"]


def test_a_long_list_is_read_to_its_end_by_cursors(lossy: Person, proxy: Proxy) -> None:
    operations = [{"op": "create", "body": {"title": f"Task {n}"}} for n in range(450)]
    assert lossy.api.post("/tasks/batch", json={"operations": operations}).status_code == 200

    listed = titles(lossy, "--limit", "500", "--sort", "id")

    assert listed == [f"Task {n}" for n in range(450)]
    assert len(proxy.requests("GET")) == 3


def test_a_list_says_that_there_is_more(garden: Person) -> None:
    ran = garden.run("ls", "--limit", "2")

    assert len(ran.stdout.splitlines()) == 3
    assert ran.stderr == "There are more than these 2: --limit 4 shows more.\n"


def test_an_empty_list_is_no_error(alice: Person) -> None:
    ran = alice.run("ls")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "No tasks.\n")
    assert alice.does("ls", "--json") == "[]\n"


def test_a_project_that_is_not_there_is_named_beside_those_that_are(garden: Person) -> None:
    ran = garden.run("ls", "--project", "Cellar")

    assert ran.returncode == 3
    assert ran.stderr == "Error: You see no project 'Cellar'. There are: Garden, Inbox.\n"


def test_a_pipe_gets_no_colours(garden: Person) -> None:
    assert "\x1b" not in garden.does("ls")


def test_what_a_terminal_would_carry_out_is_not_printed(alice: Person) -> None:
    task = alice.add("Water\u009b31m the \u202efern", description="\u009b2J")

    shown = alice.does("ls") + alice.does("show", str(task["id"]))

    assert "\u009b" not in shown
    assert "\u202e" not in shown
    assert "Water\ufffd31m the \ufffdfern" in shown


def test_a_table_fits_the_terminal_also_in_japanese(alice: Person) -> None:
    alice.add("シダに水をやる" * 10)
    alice.add("Water the fern " * 10)

    lines = alice.does("ls", COLUMNS="80").splitlines()

    assert {tables.width(line) <= 80 for line in lines} == {True}
    assert lines[1].endswith("Inbox")
    assert "…" in lines[1]


def test_show_says_everything_there_is(alice: Person) -> None:
    task = alice.add("Water the fern", description="Twice, but gently", external_id="fern")

    shown = alice.does("show", str(task["id"]))

    assert "project   Inbox" in shown
    assert "key       fern" in shown
    assert "Twice, but gently" in shown
    assert json.loads(alice.does("show", "--json", str(task["id"])))["external_id"] == "fern"


def test_what_is_not_there_is_exit_code_3(alice: Person) -> None:
    assert alice.run("show", "4711").returncode == 3
    assert alice.run("done", "4711").returncode == 3
    assert alice.run("rm", "4711").returncode == 3


def test_what_the_service_refuses_is_exit_code_6_and_names_the_field(alice: Person) -> None:
    ran = alice.run("add", "t" * 600)

    assert ran.returncode == 6
    assert "\n  title: " in ran.stderr


def test_a_date_that_is_none_is_exit_code_2_and_says_what_is_one(alice: Person) -> None:
    ran = alice.run("add", "Water the fern", "--due", "whenever")

    assert ran.returncode == 2
    assert "'whenever' is no date that `tasks` knows. Write one of:" in ran.stderr
    assert alice.all_tasks() == []


def test_export_goes_to_a_file_at_once_or_not_at_all(garden: Person) -> None:
    file = garden.home / "tasks.csv"
    file.write_text("what was there")

    refused = garden.run("export", "-o", str(file), "--project", "Cellar")
    assert (refused.returncode, file.read_text()) == (3, "what was there")

    garden.does("export", "-o", str(file), "--all")
    assert len(file.read_text().splitlines()) == 5
    assert [path.name for path in garden.home.iterdir() if not path.name.startswith(".")] == [
        "tasks.csv"
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shells_are_told_how_to_complete(stranger: Person, shell: str) -> None:
    assert "_TASKS_COMPLETE" in stranger.does("completion", shell)


def test_completion_offers_commands_and_what_the_copy_holds(garden: Person) -> None:
    commands = garden.does(COMP_WORDS="tasks s", COMP_CWORD="1", _TASKS_COMPLETE="bash_complete")
    ids = garden.does(COMP_WORDS="tasks done ", COMP_CWORD="2", _TASKS_COMPLETE="bash_complete")
    labels = garden.does(
        COMP_WORDS="tasks ls --label h", COMP_CWORD="3", _TASKS_COMPLETE="bash_complete"
    )

    assert commands.split() == ["plain,show", "plain,sync"]
    assert len(ids.split()) == 3
    assert labels.split() == ["plain,home"]
