"""GET /api/v1/tasks"""

from __future__ import annotations

import datetime as dt
import itertools
import threading
from string import ascii_letters
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Client, Json, add, made, named, refused

URL = "/api/v1/tasks"
STATUSES = ("todo", "in_progress", "done", "cancelled")
PRIORITIES = ("none", "low", "medium", "high", "urgent")
SORTS = ("id", "title", "status", "priority", "due_at", "created_at", "updated_at")
NOW = dt.datetime.now(dt.UTC)
TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
DAY = dt.timedelta(days=1)


def titles(client: Client, **query: Any) -> str:
    """The titles of what a query finds, in the order of their making unless it sorts."""
    response = client.get(f"{URL}?{urlencode({'sort': 'id', **query})}")
    assert response.status_code == 200, response.get_json()
    return "".join(task["title"] for task in response.get_json()["items"])


def paged(client: Client, **query: Any) -> list[Json]:
    """Every task of a list, page by page."""
    items: list[Json] = []
    while True:
        page = client.get(f"{URL}?{urlencode(query)}").get_json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        query["cursor"] = page["next_cursor"]


@pytest.fixture
def five(alice: Client, bob: Client, shared: Json) -> Client:
    """Five tasks, A to E, and one that Alice cannot see."""
    garden = shared["id"]
    first = add(alice, "A", labels=["Home", "plants"], due_at=(TODAY - DAY).isoformat())
    add(alice, "B", status="done", priority="low", due_at=(TODAY - DAY).isoformat())
    add(alice, "C", parent_id=first["id"], assignee_id=alice.user["id"], labels=["home"])
    add(bob, "D", project_id=garden, assignee_id=bob.user["id"], status="in_progress")
    add(alice, "E", project_id=garden, priority="urgent", due_at=TODAY.isoformat())
    add(bob, "X", labels=["home"])
    return alice


def test_lists_what_the_caller_can_see_newest_first(five: Client, charlie: Client) -> None:
    page = five.get(URL).get_json()

    assert page.keys() == {"items", "next_cursor"}
    assert "".join(task["title"] for task in page["items"]) == "EDCBA"
    assert page["items"][0] == five.get(f"{URL}/{page['items'][0]['id']}").get_json()
    assert charlie.get(URL).get_json() == {"items": [], "next_cursor": None}


def test_filters(five: Client, bob: Client, shared: Json) -> None:
    parent = five.get(f"{URL}?q=A").get_json()["items"][0]["id"]
    yesterday, tomorrow = (TODAY - DAY).isoformat(), (TODAY + DAY).isoformat()
    for query, found in (
        ({"project_id": shared["id"]}, "DE"),
        ({"status": "todo"}, "ACE"),
        ({"status": "done,in_progress"}, "BD"),
        ({"status": "cancelled"}, ""),
        ({"priority": "none"}, "ACD"),
        ({"priority": "low,urgent"}, "BE"),
        ({"label": "home"}, "AC"),
        ({"label": "HOME,Plants"}, "A"),
        ({"label": "nothing"}, ""),
        ({"label": "-home,home"}, ""),  # two labels
        ({"assignee": "me"}, "C"),
        ({"assignee": "none"}, "ABE"),
        ({"assignee": bob.user["id"]}, "D"),
        ({"assignee": 2**62}, ""),
        ({"parent": "none"}, "ABDE"),
        ({"parent": parent}, "C"),
        ({"due": "none"}, "CD"),
        ({"due": "overdue"}, "AE" if NOW > TODAY else "A"),
        ({"due": "today"}, "E"),
        ({"due_before": TODAY.isoformat()}, "AB"),
        ({"due_after": yesterday}, "E"),
        ({"due_after": yesterday, "due_before": tomorrow}, "E"),
        ({"created_after": yesterday}, "ABCDE"),
        ({"created_before": yesterday}, ""),
        ({"updated_after": (NOW + DAY).isoformat()}, ""),
        ({"updated_after": "2020-01-01T00:00:00+05:45"}, "ABCDE"),
        ({"q": "a"}, "A"),
        ({"status": "todo", "label": "home", "due": "none"}, "C"),
    ):
        assert titles(five, **query) == found, query
        assert five.get(f"{URL}?{urlencode(query)}&total=true").get_json()["total"] == len(found)


def test_overdue_is_due_in_the_past_and_still_open(alice: Client) -> None:
    soon, past = (NOW + DAY / 24).isoformat(), (NOW - DAY / 24).isoformat()
    for title, status in zip("ABCD", STATUSES, strict=True):
        add(alice, title, status=status, due_at=past)
    add(alice, "E", due_at=soon)
    add(alice, "F")

    assert titles(alice, due="overdue") == "AB"


def test_today_is_a_day_in_utc(alice: Client) -> None:
    instant = dt.timedelta(microseconds=1)
    for title, due_at in zip(
        "ABCD", (TODAY - instant, TODAY, TODAY + DAY - instant, TODAY + DAY), strict=True
    ):
        add(alice, title, due_at=due_at.astimezone(dt.timezone(DAY / 24 * 5)).isoformat())

    assert titles(alice, due="today") == "BC"


def test_times_bound_strictly(alice: Client, task: Json) -> None:
    for name in ("created", "updated"):
        assert titles(alice, **{f"{name}_after": task[f"{name}_at"]}) == ""
    assert titles(alice, created_before=task["created_at"]) == ""


def test_sorts(alice: Client) -> None:
    for title, status, priority, due in (
        ("b", "done", "none", None),
        ("a", "todo", "urgent", "2031-01-01T00:00:00Z"),
        ("B", "cancelled", "low", "2030-01-01T00:00:00Z"),
        ("é", "in_progress", "high", None),
        ("c", "todo", "medium", "2030-01-01T00:00:00Z"),
    ):
        add(alice, title, status=status, priority=priority, due_at=due)
    for sort, order in (
        ("id", "baBéc"),
        ("-id", "céBab"),
        ("title", "aBbcé"),
        ("-title", "écbBa"),
        ("status", "acébB"),
        ("-status", "Bbéca"),
        ("priority", "bBcéa"),
        ("-priority", "aécBb"),
        ("due_at", "Bcabé"),
        ("-due_at", "acBéb"),
        ("due_at,id", "Bcabé"),
        ("-due_at,-title", "acBéb"),
        ("status,-priority", "acébB"),
        ("created_at", "baBéc"),
        ("-updated_at", "céBab"),
    ):
        assert titles(alice, sort=sort) == order, sort


def test_gives_only_the_fields_that_were_asked_for(alice: Client, task: Json) -> None:
    for names in ("title", "id,title,labels", "revision", ",".join(task)):
        (item,) = alice.get(f"{URL}?fields={names}").get_json()["items"]
        assert item == {name: task[name] for name in names.split(",")}


def test_names_each_bad_parameter(alice: Client) -> None:
    for name, values in {
        "limit": ["0", "-1", "201", "abc", "", "1" + "0" * 30, "05", "1.0", "+1", "٣"],
        "total": ["yes", "1", "TRUE", ""],
        "sort": ["color", "", "id,", "id,-id", "title desc", "words", "--id", "ID", "id, title"],
        "fields": ["words", "", "id,id", "*"],
        "status": ["open", "", "todo,", "todo,todo", "TODO"],
        "priority": ["0", "none,highest"],
        "label": ["", ",", "a,a", "a,,b", "x" * 51, ",".join("abcdefghijklmnopqrstu"), "a%00"],
        "assignee": ["", "0", "007", "alice", "1,2", str(2**63)],
        "parent": ["me", "-1", str(2**63)],
        "project_id": ["", "1.0", "none", str(2**63)],
        "due": ["tomorrow", "", "today,overdue"],
        "due_before": ["2030-01-31", "", "2030-01-31T00:00:00", "0001-01-01T00:00:00%2B14:00"],
        "updated_after": ["now"],
        "q": ["", "x" * 201, "a%00b", "%ff", "%ed%a0%80"],
        "colour": ["red"],
        "LIMIT": ["1"],
    }.items():
        for value in values:
            assert named(alice.get(f"{URL}?{name}={value}")) == [name], value
    assert sorted(named(alice.get(f"{URL}?limit=0&due=x&a=1"))) == ["a", "due", "limit"]
    assert named(alice.get(f"{URL}?limit=1&limit=1")) == ["limit"]


def test_hides_the_projects_of_others(alice: Client, charlie: Client) -> None:
    secret = add(charlie)["project_id"]

    for project_id in (secret, 2**62):
        response = alice.get(f"{URL}?project_id={project_id}")
        assert refused(response) == (404, "not-found")


def test_a_label_with_a_comma_can_be_asked_for(alice: Client) -> None:
    task = add(alice, labels=["home, garden", "a\\b", "c"])
    add(alice, labels=["home", "c"])
    for label in (r"home\, garden", r"a\\b", r"a\b", r"home\, garden,c"):
        items = alice.get(URL, query_string={"label": label}).get_json()["items"]
        assert [item["id"] for item in items] == [task["id"]], label
    assert alice.get(f"{URL}?label=home,%20garden").get_json()["items"] == []


def test_a_plus_that_was_not_encoded_is_one(alice: Client, task: Json) -> None:
    for offset in ("+01:00", "%2B01:00", " 01:00"):
        response = alice.get(f"{URL}?created_after=2020-01-31T17:00:00{offset}")
        assert [item["id"] for item in response.get_json()["items"]] == [task["id"]]
    assert named(alice.get(f"{URL}?created_after=2020-01-31 17:00:00Z")) == ["created_after"]
    for zone in ("Etc/GMT+5", "Etc/GMT%2B5"):
        assert alice.get(f"{URL}?due=today&tz={zone}").status_code == 200
        assert alice.get(f"/api/v1/stats?tz={zone}").status_code == 200


def test_links_to_the_next_page(alice: Client) -> None:
    for title in "ABCDE":
        add(alice, title, labels=["a b"])
    url, seen = f"{URL}?label=a%20b&sort=title&limit=2&fields=title", ""
    while url:
        response = alice.get(url)
        page = response.get_json()
        seen += "".join(item["title"] for item in page["items"])
        links = response.headers["Link"].split(", ")
        link = next((each for each in links if 'rel="next"' in each), "")
        assert bool(link) == (page["next_cursor"] is not None)
        url = link.partition(">")[0].lstrip("<")
    assert seen == "ABCDE"


def test_a_cursor_is_good_for_its_caller_and_its_question_only(
    alice: Client, bob: Client, shared: Json
) -> None:
    for title in "ABC":
        add(alice, title, project_id=shared["id"])
    cursor = alice.get(f"{URL}?limit=1").get_json()["next_cursor"]

    assert alice.get(f"{URL}?limit=2&total=true&cursor={cursor}").get_json()["total"] == 3
    assert alice.get(f"{URL}?fields=id&cursor={cursor}").status_code == 200
    middle = len(cursor) // 2
    other = "A" if cursor[middle] != "A" else "B"
    damaged = [cursor[:-1], cursor[1:], cursor[:middle], "x", "é", "a.b", "." * 4000]
    damaged += [cursor[:middle] + other + cursor[middle + 1 :], "", "%00", "%ff", "x" * 8000]
    damaged += [cursor[:-1] + letter for letter in ascii_letters if letter != cursor[-1]]
    damaged += [f"{cursor}=", f"{cursor}!!", f"{cursor}.", f"{cursor}%ff"]
    foreign = [f"{cursor}&sort=title", f"{cursor}&status=todo", f"{cursor}&project_id=1"]
    for bad in damaged + foreign:
        response = alice.get(f"{URL}?cursor={bad}")
        assert refused(response) == (422, "invalid-cursor"), bad
        assert named(response) == ["cursor"]
    for client, url in ((bob, URL), (alice, "/api/v1/projects")):
        assert refused(client.get(f"{url}?cursor={cursor}")) == (422, "invalid-cursor")


def fill(client: Client, count: int, projects: int) -> list[Json]:
    """Tasks in which every value is there more than once, dealt out to the inbox and projects."""
    homes = [{"project_id": made(client, "projects", name="a")["id"]} for _ in range(projects - 1)]
    home = itertools.cycle([{}, *homes])
    values = itertools.islice(itertools.cycle(itertools.product("ab", range(7))), count)
    return [
        add(
            client,
            title,
            status=STATUSES[n % 4],
            priority=PRIORITIES[n % 5],
            due_at=None if n % 3 else f"2030-01-0{n % 2 + 1}T00:00:00Z",
            labels=["home"] if n % 2 else [],
            **next(home),
        )
        for title, n in values
    ]


def in_order(tasks: list[Json], sorts: list[str]) -> list[int]:
    """What Python makes of a sort: empty values last; the id, in the last sort's direction, settles
    what is equal.
    """
    ranks = {"status": STATUSES.index, "priority": PRIORITIES.index}
    by_id = "-id" if sorts[-1].startswith("-") else "id"
    for sort in reversed(sorts if {"id", "-id"} & {*sorts} else [*sorts, by_id]):
        name = sort.lstrip("-")
        rank = ranks.get(name, lambda value: value)
        empty = [task for task in tasks if task[name] is None]
        there = [task for task in tasks if task[name] is not None]
        there.sort(key=lambda task: rank(task[name]), reverse=sort.startswith("-"))
        tasks = there + empty
    return [task["id"] for task in tasks]


ORDERS = st.lists(st.sampled_from(SORTS), min_size=1, max_size=4, unique=True).flatmap(
    lambda names: st.tuples(*(st.sampled_from([name, f"-{name}"]) for name in names))
)
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["todo", "todo,done"]),
        "priority": st.sampled_from(["none,low,urgent"]),
        "label": st.just("home"),
        "due": st.just("none"),
        "q": st.just("a"),
    },
)


@pytest.mark.parametrize(
    ("projects", "noise"),
    [(1, False), (3, True), (20, False)],
    ids=["of one project", "of three while others write", "of more than are asked one by one"],
)
def test_any_list_by_pages_is_the_list_at_once(alice: Client, projects: int, noise: bool) -> None:
    """Whatever was there the whole time is there exactly once, and in order."""
    tasks = {task["id"]: task for task in fill(alice, 25, projects)}
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            ids = [add(alice, "a", priority="low", labels=["home"])["id"] for _ in range(3)]
            for task_id in ids:
                assert alice.delete(f"{URL}/{task_id}").status_code == 204

    @given(query=QUERIES, sorts=ORDERS, limit=st.integers(1, 30))
    def check(query: Json, sorts: tuple[str, ...], limit: int) -> None:
        query = {**query, "sort": ",".join(sorts)}
        at_once = [t["id"] for t in paged(alice, **query, limit=200) if t["id"] in tasks]
        by_pages = [t["id"] for t in paged(alice, **query, limit=limit) if t["id"] in tasks]
        assert by_pages == at_once == in_order([tasks[i] for i in sorted(by_pages)], [*sorts])

    writer = threading.Thread(target=write)
    if noise:
        writer.start()
    try:
        check()
    finally:
        over.set()
        if noise:
            writer.join()
