"""What a good client does when the network does not."""

from __future__ import annotations

import json
import time
from pathlib import Path

from .conftest import PASSWORD, Person, gunicorn, somebody
from .proxy import LOST_ANSWER, LOST_REQUEST, Proxy, Says


def test_a_lost_answer_does_not_make_a_second_task(lossy: Person, proxy: Proxy) -> None:
    proxy.next.extend([LOST_ANSWER, LOST_REQUEST, LOST_ANSWER])

    lossy.does("add", "Water the fern")

    assert [task["title"] for task in lossy.all_tasks()] == ["Water the fern"]
    sent = proxy.requests("POST")
    assert [seen.status for seen in sent] == [201, 0, 201, 201]
    assert len({seen.headers["idempotency-key"] for seen in sent}) == 1


def test_two_commands_have_two_keys(lossy: Person, proxy: Proxy) -> None:
    lossy.does("add", "Water the fern")
    lossy.does("add", "Water the fern")

    assert len(lossy.all_tasks()) == 2


def test_a_script_may_repeat_a_command_with_its_own_key(alice: Person) -> None:
    first = alice.does("add", "Water the fern", "--key", "fern-2026-12-01")
    second = alice.does("add", "Water the fern", "--key", "fern-2026-12-01")

    assert first == second
    assert len(alice.all_tasks()) == 1


def test_a_change_whose_answer_was_lost_is_not_taken_for_a_conflict(
    lossy: Person, proxy: Proxy
) -> None:
    task = lossy.add("Water the fern")
    proxy.next.extend([None, LOST_ANSWER])  # the task is read, then changed

    lossy.does("edit", str(task["id"]), "--title", "Water the ferns")

    assert [seen.status for seen in proxy.requests("PATCH")] == [200, 412]
    assert lossy.task(task["id"])["title"] == "Water the ferns"


def test_a_deletion_whose_answer_was_lost_is_not_taken_for_a_missing_task(
    lossy: Person, proxy: Proxy
) -> None:
    task = lossy.add("Water the fern")
    proxy.next.extend([None, LOST_ANSWER])

    lossy.does("rm", str(task["id"]))

    assert [seen.status for seen in proxy.requests("DELETE")] == [204, 404]
    assert lossy.all_tasks() == []


def test_it_waits_as_long_as_the_service_asks(lossy: Person, proxy: Proxy) -> None:
    proxy.next.append(Says(503, {"Retry-After": "2"}, {"detail": "The database is busy."}))
    began = time.monotonic()

    ran = lossy.run("add", "Water the fern")

    assert ran.returncode == 0
    assert time.monotonic() - began >= 2
    assert ran.stderr == "The database is busy. Trying again in 2 s.\n"


def test_a_limit_of_the_service_is_waited_for(tmp_path: Path) -> None:
    limit = {"RATELIMIT_ENABLED": "true", "RATELIMIT_DEFAULT": "6 per 4 seconds"}
    with gunicorn(tmp_path, **limit) as url, somebody(url, tmp_path) as person:
        person.does("login", "--email", person.email, stdin=f"{PASSWORD}\n")
        task_id = json.loads(person.does("add", "Water the fern", "--json"))["id"]

        ran = person.run("show", "--json", *[str(task_id)] * 20)

    assert ran.returncode == 0
    assert len(json.loads(ran.stdout)) == 20
    assert "Trying again in " in ran.stderr


def test_it_does_not_wait_for_minutes_but_says_how_long(lossy: Person, proxy: Proxy) -> None:
    proxy.next.append(Says(429, {"Retry-After": "900"}, {"detail": "Too many requests."}))

    ran = lossy.run("ls")

    assert ran.returncode == 7
    assert ran.stderr == "Error: Too many requests. Try again in 900 seconds.\n"


def test_a_retry_after_may_be_a_date(lossy: Person, proxy: Proxy) -> None:
    long_ago = "Wed, 21 Oct 2015 07:28:00 GMT"
    proxy.next.append(Says(503, {"Retry-After": long_ago}))

    lossy.does("ls")

    assert [seen.status for seen in proxy.requests("GET")] == [503, 200]


def test_a_request_in_progress_is_asked_for_again(lossy: Person, proxy: Proxy) -> None:
    proxy.next.append(Says(409, {}, {"code": "request-in-progress", "detail": "Still running."}))

    lossy.does("add", "Water the fern")

    assert len(lossy.all_tasks()) == 1


def test_patience_ends_and_says_how_to_go_on_without_a_duplicate(
    lossy: Person, proxy: Proxy
) -> None:
    proxy.next.extend([LOST_ANSWER] * 6)

    ran = lossy.run("add", "Water the fern")
    key = ran.stderr.partition("--key ")[2].split()[0]
    lossy.does("add", "Water the fern", "--key", key)

    assert ran.returncode == 7
    assert "It was tried 6 times" in ran.stderr
    assert len(lossy.all_tasks()) == 1


def test_a_service_that_is_not_there_is_exit_code_7(alice: Person) -> None:
    ran = alice.run("ls", TASKS_URL="http://127.0.0.1:9", TASKS_TOKEN="tsk_x")

    assert ran.returncode == 7
    assert "http://127.0.0.1:9 cannot be reached" in ran.stderr


def test_an_import_whose_answer_was_lost_imports_once(lossy: Person, proxy: Proxy) -> None:
    proxy.next.append(LOST_ANSWER)

    out = lossy.does("import", "--format", "ndjson", "-", stdin='{"title": "Water the fern"}\n')

    assert out == "1 created, 0 updated, 0 unchanged.\n"
    assert len(lossy.all_tasks()) == 1


def test_an_export_that_broke_off_is_written_again_from_its_beginning(
    lossy: Person, proxy: Proxy
) -> None:
    lossy.add("Water the fern")
    proxy.next.append(LOST_ANSWER)

    out = lossy.does("export")

    assert out.count("Water the fern") == 1
    assert len(proxy.requests("GET")) == 2
