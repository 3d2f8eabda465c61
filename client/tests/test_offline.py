"""The offline copy is what the service holds, whatever happened in between."""

from __future__ import annotations

import json

from .conftest import Person
from .proxy import LOST_ANSWER, LOST_REQUEST, Proxy, Says

EXPIRED = Says(410, {}, {"code": "cursor-expired", "detail": "The cursor is too old."})


def held(person: Person) -> dict[int, str]:
    listed = json.loads(person.does("ls", "--offline", "--all", "--json", "--limit", "1000"))
    return {task["id"]: task["title"] for task in listed}


def there(person: Person) -> dict[int, str]:
    return {task["id"]: task["title"] for task in person.all_tasks()}


def many(person: Person, count: int) -> None:
    operations = [{"op": "create", "body": {"title": f"Task {n}"}} for n in range(count)]
    assert person.api.post("/tasks/batch", json={"operations": operations}).status_code == 200


def test_a_copy_follows_what_was_created_changed_and_deleted(alice: Person) -> None:
    fern, bread = alice.add("Water the fern"), alice.add("Buy bread")
    alice.does("sync")
    alice.change(fern["id"], title="Water the ferns")
    alice.api.delete(f"/tasks/{bread['id']}")
    alice.add("Buy a can")

    out = alice.does("sync")

    assert out == "2 changed, 1 gone; the copy holds 2 tasks.\n"
    assert held(alice) == there(alice)


def test_only_what_changed_is_fetched(lossy: Person, proxy: Proxy) -> None:
    many(lossy, 3)
    lossy.does("sync")
    lossy.add("Water the fern")

    assert lossy.does("sync").startswith("1 changed, 0 gone")


def test_an_idle_poll_is_a_304(lossy: Person, proxy: Proxy) -> None:
    many(lossy, 3)
    for _ in range(4):
        lossy.does("sync")

    polls = [seen.status for seen in proxy.seen if "/changes" in seen.path]
    assert polls == [200, 200, 304, 304]
    lossy.add("Water the fern")
    lossy.does("sync")
    assert held(lossy) == there(lossy)


def test_a_sync_that_broke_off_goes_on_where_it_stopped(lossy: Person, proxy: Proxy) -> None:
    many(lossy, 199)
    many(lossy, 199)
    proxy.next.extend([None, *[LOST_REQUEST] * 6])

    broken = lossy.run("sync")
    assert broken.returncode == 7
    assert lossy.run("ls", "--offline").returncode == 1  # half a copy is none
    lossy.does("sync")

    pages = [seen.path for seen in proxy.seen if "/changes" in seen.path and seen.status == 200]
    assert len(set(pages)) == len(pages) == 2
    assert len(held(lossy)) == 398


def test_a_lost_page_is_read_again(lossy: Person, proxy: Proxy) -> None:
    many(lossy, 5)
    proxy.next.append(LOST_ANSWER)

    lossy.does("sync")

    assert held(lossy) == there(lossy)


def test_an_expired_cursor_makes_the_copy_again_and_keeps_nothing_that_is_gone(
    lossy: Person, proxy: Proxy
) -> None:
    many(lossy, 5)
    lossy.does("sync")
    gone = lossy.all_tasks()[0]
    lossy.api.delete(f"/tasks/{gone['id']}")
    proxy.next.append(EXPIRED)

    ran = lossy.run("sync")

    assert "made again from the beginning" in ran.stderr
    assert held(lossy) == there(lossy)


def test_the_old_copy_can_be_read_until_the_new_one_is_whole(lossy: Person, proxy: Proxy) -> None:
    many(lossy, 5)
    lossy.does("sync")
    proxy.next.extend([EXPIRED, *[LOST_REQUEST] * 6])

    assert lossy.run("sync").returncode == 7

    assert len(held(lossy)) == 5


def test_a_project_that_one_has_left_is_gone_from_the_copy(alice: Person) -> None:
    project = alice.api.post("/projects", json={"name": "Garden"}).json()
    alice.add("Rake", project_id=project["id"])
    alice.does("sync")
    assert "Garden" in alice.does("ls", "--offline")

    alice.api.delete(f"/projects/{project['id']}")
    alice.does("sync")

    assert held(alice) == {}


def test_without_a_copy_it_says_how_to_make_one(alice: Person) -> None:
    ran = alice.run("ls", "--offline")

    assert ran.returncode == 1
    assert "run `tasks sync` while you are online" in ran.stderr


def test_the_copy_needs_no_network(alice: Person) -> None:
    alice.add("Water the fern")
    alice.does("sync")

    ran = alice.run("ls", "--offline", HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="")

    assert ran.returncode == 0
    assert "Water the fern" in ran.stdout
