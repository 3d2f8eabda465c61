"""Tasks that repeat: one next task, when the rule says, whatever else happens"""

from __future__ import annotations

import datetime as dt
import json
import re
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from dateutil.rrule import rrulestr
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from taskapp.tasks import recurrence, repeats
from taskapp.tasks.recurrence import FREQUENCIES, InvalidRule, first_after, parse
from tests import servers
from tests.conftest import Client, Json, add, named

URL = "/api/v1/tasks"
DAILY = {"rule": "FREQ=DAILY", "from": "due", "timezone": "Europe/Berlin"}
EMPTY = (
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=31",
    "FREQ=YEARLY;BYDAY=MO;BYSETPOS=366",
)


def finish(client: Client, task: Json) -> TestResponse:
    response = client.patch(f"{URL}/{task['id']}", json={"status": "done"})
    assert response.status_code == 200, response.get_json()
    return response


def follower(client: Client, response: TestResponse) -> Json:
    """The task that `Link` names as the next occurrence."""
    path = next_of(response)
    assert path is not None
    return dict(client.get(path).get_json())


def next_of(response: TestResponse) -> str | None:
    link = re.search(r'<([^>]*)>; rel="next-occurrence"', response.headers.get("Link", ""))
    return None if link is None else link[1]


def in_all(client: Client) -> int:
    return int(client.get(f"{URL}?total=true").get_json()["total"])


def test_the_next_task_is_like_the_one_before(alice: Client, bob: Client, shared: Json) -> None:
    parent = add(alice, project_id=shared["id"])
    task = add(
        alice,
        "Water the fern",
        project_id=shared["id"],
        description="Twice",
        priority="high",
        labels=["home"],
        assignee_id=bob.user["id"],
        parent_id=parent["id"],
        external_id="crm-1",
        due_on="2030-05-17",
        repeat={"rule": "FREQ=WEEKLY;BYDAY=MO,FR", "from": "due", "timezone": "UTC"},
        reminders=["-PT1H"],
    )
    add(alice, "Soil", parent_id=task["id"], project_id=shared["id"])

    done = finish(bob, task)

    following = follower(alice, done)
    expected = {
        **task,
        "id": following["id"],
        "due_on": "2030-05-20",
        "external_id": None,
        "created_by": bob.user["id"],
    }
    for name in ("created_at", "updated_at", "revision"):
        del expected[name], following[name]
    assert following == expected
    assert follower(alice, alice.get(f"{URL}/{task['id']}"))["id"] == following["id"]
    assert {each["id"] for each in alice.get(f"{URL}?repeat=true").get_json()["items"]} == {
        task["id"],
        following["id"],
    }


@pytest.mark.parametrize(
    ("rule", "due_at", "next_due"),
    [
        ("FREQ=DAILY", "2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z"),  # 9 o'clock stays 9
        ("FREQ=DAILY", "2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z"),  # 02:30 is skipped: 03:30
        ("FREQ=DAILY", "2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z"),  # 02:30 twice: the first
        ("FREQ=MONTHLY", "2026-01-31T08:00:00Z", "2026-03-31T07:00:00Z"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-31T08:00:00Z", "2026-02-28T08:00:00Z"),
        ("FREQ=YEARLY", "2024-02-29T08:00:00Z", "2028-02-29T08:00:00Z"),
        ("FREQ=WEEKLY;INTERVAL=2", "2026-05-15T08:00:00Z", "2026-05-29T08:00:00Z"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "2026-05-15T08:00:00Z", "2026-05-29T08:00:00Z"),
        ("FREQ=DAILY;UNTIL=20260516T080000Z", "2026-05-15T08:00:00Z", "2026-05-16T08:00:00Z"),
        ("FREQ=DAILY;UNTIL=20260516T075959Z", "2026-05-15T08:00:00Z", None),
        ("FREQ=DAILY;COUNT=1", "2026-05-15T08:00:00Z", None),
    ],
)
def test_the_next_due_is_true_to_the_local_hour(
    alice: Client, rule: str, due_at: str, next_due: str | None
) -> None:
    task = add(alice, due_at=due_at, repeat={**DAILY, "rule": rule})

    response = finish(alice, task)

    if next_due is None:
        assert next_of(response) is None
        assert in_all(alice) == 1
    else:
        assert follower(alice, response)["due_at"] == next_due.replace("Z", ".000000Z")


def test_a_series_keeps_the_hour_that_the_clocks_skipped(alice: Client) -> None:
    task = add(alice, due_at="2026-03-28T01:30:00Z", repeat=DAILY)
    dues = []
    for _ in range(3):
        task = follower(alice, finish(alice, task))
        dues.append(task["due_at"][:16])

    assert dues == ["2026-03-29T01:30", "2026-03-30T00:30", "2026-03-31T00:30"]


def test_count_counts_the_series(alice: Client) -> None:
    task = add(alice, due_on="2030-05-17", repeat={**DAILY, "rule": "FREQ=DAILY;COUNT=3"})
    second = follower(alice, finish(alice, task))
    third = follower(alice, finish(alice, second))

    assert next_of(finish(alice, third)) is None
    assert in_all(alice) == 3
    assert third["due_on"] == "2030-05-19"


def test_another_rule_counts_anew(alice: Client) -> None:
    task = add(alice, due_on="2030-05-17", repeat={**DAILY, "rule": "FREQ=DAILY;COUNT=2"})
    second = follower(alice, finish(alice, task))
    repeat = {**DAILY, "rule": "FREQ=WEEKLY;COUNT=2"}
    assert alice.patch(f"{URL}/{second['id']}", json={"repeat": repeat}).status_code == 200

    third = follower(alice, finish(alice, second))

    assert third["due_on"] == "2030-05-25"
    assert next_of(finish(alice, third)) is None


@pytest.mark.parametrize("due", [{}, {"due_on": "2020-01-01"}, {"due_at": "2020-01-01T08:00:00Z"}])
def test_from_done_counts_from_the_day_it_was_done(alice: Client, due: Json) -> None:
    zone = ZoneInfo("Pacific/Auckland")
    repeat = {"rule": "FREQ=DAILY;INTERVAL=3", "from": "done", "timezone": zone.key}
    task = add(alice, repeat=repeat, **due)

    following = follower(alice, finish(alice, task))

    day = dt.datetime.now(zone).date() + dt.timedelta(days=3)
    if "due_at" in due:
        hour = dt.datetime.fromisoformat(due["due_at"]).astimezone(zone).time()
        at = dt.datetime.fromisoformat(following["due_at"]).astimezone(zone)
        assert (at.date(), at.time()) == (day, hour)
    else:
        assert following["due_on"] == str(day)


def test_there_is_never_a_second_one(alice: Client) -> None:
    task = add(alice, due_on="2030-05-17", repeat=DAILY, external_id="crm-1")
    following = follower(alice, finish(alice, task))
    url = f"{URL}/{task['id']}"
    by_key = f"/api/v1/projects/{task['project_id']}/tasks/by-external-id/crm-1"

    for write in (
        lambda: alice.patch(url, json={"status": "done"}),
        lambda: alice.put(by_key, json={"status": "done"}),
        lambda: alice.post(
            f"{URL}/batch",
            json={"operations": [{"op": "update", "id": task["id"], "body": {"status": "done"}}]},
        ),
        lambda: alice.post(
            f"{URL}/import", json={"items": [{"external_id": "crm-1", "status": "done"}]}
        ),
    ):
        alice.patch(url, json={"status": "todo"})
        assert write().status_code == 200
        assert in_all(alice) == 2
    assert alice.delete(f"{URL}/{following['id']}").status_code == 204
    alice.patch(url, json={"status": "todo"})
    finish(alice, task)
    assert in_all(alice) == 1
    assert alice.delete(url).status_code == 204
    assert alice.post(f"{url}/restore").status_code == 200
    alice.patch(url, json={"status": "todo"})
    finish(alice, task)
    assert in_all(alice) == 1


@pytest.mark.parametrize("door", ["put", "batch", "import", "upsert"])
def test_every_door_makes_the_next_one(alice: Client, door: str) -> None:
    task = add(alice, due_on="2030-05-17", repeat=DAILY, external_id="crm-1", labels=["home"])
    home, done = task["project_id"], {"status": "done"}
    operations = {
        "batch": {"op": "update", "id": task["id"], "body": done},
        "upsert": {"op": "upsert", "project_id": home, "external_id": "crm-1", "body": done},
    }
    if door == "put":
        url = f"/api/v1/projects/{home}/tasks/by-external-id/crm-1"
        response = alice.put(url, json=done)
    elif door == "import":
        items = [{"external_id": "crm-1", **done}]
        response = alice.post(f"{URL}/import", json={"items": items})
    else:
        response = alice.post(f"{URL}/batch", json={"operations": [operations[door]]})

    assert response.status_code == 200, response.get_json()
    following = alice.get(f"{URL}?status=todo&label=home").get_json()["items"]
    assert [each["due_on"] for each in following] == ["2030-05-18"]


@pytest.mark.parametrize("door", ["post", "put"])
def test_a_task_created_as_done_names_the_next_one(alice: Client, door: str) -> None:
    body = {"title": "Water the fern", "status": "done", "due_on": "2030-05-17", "repeat": DAILY}
    key = f"/api/v1/projects/{alice.user['inbox_id']}/tasks/by-external-id/crm-1"

    response = alice.post(URL, json=body) if door == "post" else alice.put(key, json=body)

    assert response.status_code == 201, response.get_json()
    assert follower(alice, response)["due_on"] == "2030-05-18"
    assert next_of(alice.get(response.headers["Location"])) == next_of(response)


def test_a_restored_task_names_the_next_one(alice: Client) -> None:
    task = add(alice, due_on="2030-05-17", repeat=DAILY)
    following = next_of(finish(alice, task))
    assert alice.delete(f"{URL}/{task['id']}").status_code == 204

    restored = alice.post(f"{URL}/{task['id']}/restore")

    assert following is not None
    assert next_of(restored) == following


def test_the_next_one_is_named_to_who_sees_it(alice: Client, bob: Client, shared: Json) -> None:
    """Alice keeps the next one for herself, whatever she does with the one before"""
    task = add(alice, due_on="2030-05-17", repeat=DAILY)
    following = next_of(finish(alice, task))
    url = f"{URL}/{task['id']}"
    moved = alice.patch(url, json={"project_id": shared["id"]})

    assert following is not None
    assert next_of(moved) == following
    assert next_of(bob.get(url)) is None
    assert next_of(bob.patch(url, json={"title": "Water the yew"})) is None
    assert alice.patch(following, json={"project_id": shared["id"]}).status_code == 200
    assert next_of(bob.get(url)) == following


def test_no_event_names_other_tasks_of_a_series(alice: Client, bob: Client, shared: Json) -> None:
    """They may be where who reads it may not look"""
    first = add(alice, due_on="2030-05-17", repeat=DAILY)
    second = follower(alice, finish(alice, first))
    url = f"{URL}/{second['id']}"
    finish(alice, second)
    assert alice.patch(url, json={"project_id": shared["id"]}).status_code == 200
    assert bob.delete(url).status_code == 204
    assert bob.post(f"{url}/restore").status_code == 200

    history = bob.get(f"{url}/history").get_json()["items"]
    events = bob.get(f"/api/v1/projects/{shared['id']}/events").get_json()["items"]
    assert [event["kind"] for event in history[1:]] == ["deleted", "restored"]
    told = [event["changes"] for event in events[-2:]]
    assert told == [event["changes"] for event in history[1:]]
    assert {"title", "repeat"} <= told[0].keys() & told[1].keys()
    assert told[0].keys() | told[1].keys() <= second.keys()
    assert next_of(alice.get(url)) is not None  # the restore knew them


def test_fifty_at_once_make_one(alice: Client) -> None:
    task = add(alice, due_on="2030-05-17", repeat=DAILY)
    url, headers = f"{URL}/{task['id']}", dict(alice.environ_base)

    def done(number: int) -> int:
        client = alice.application.test_client()
        client.environ_base = headers
        status = "todo" if number % 5 == 4 else "done"  # some undo it in between
        return client.patch(url, json={"status": status}).status_code

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(done, range(50))) == {200}

    assert in_all(alice) == 2


@pytest.mark.parametrize(
    "statement", ["INSERT INTO tasks", "UPDATE tasks", "INSERT INTO events", "COMMIT"]
)
def test_a_worker_killed_in_between_leaves_neither_and_the_retry_leaves_both(
    fresh_environment: dict[str, str], statement: str
) -> None:
    with servers.gunicorn("tests.dying:app", **fresh_environment) as base:
        token = servers.sign_up(base, "alice@example.com")
        url = f"{base}{URL}"
        body = {"title": "Water the fern", "due_on": "2030-05-17", "repeat": DAILY}
        task = servers.ask(url, body, token=token)[2]
        path, done = f"{url}/{task['id']}", {"status": "done"}
        with pytest.raises(OSError):  # noqa: PT011 - the connection ends, each time in its own words
            servers.ask(path, done, method="PATCH", token=token, X_Die_Before=statement)
        left = servers.ask(url, token=token)[2]["items"]
        assert servers.ask(path, done, method="PATCH", token=token)[0] == 200
        items = servers.ask(f"{url}?sort=id", token=token)[2]["items"]

    assert left == [task]
    assert [each["status"] for each in items] == ["done", "todo"]


def test_a_series_ends_when_it_is_told_to(alice: Client) -> None:
    task = add(alice, due_on="2030-05-17", repeat=DAILY)
    url = f"{URL}/{task['id']}"
    assert alice.patch(url, json={"repeat": None}).get_json()["repeat"] is None

    assert next_of(finish(alice, task)) is None


def test_the_time_zone_is_the_callers_unless_it_is_named(alice: Client) -> None:
    alice.patch("/api/v1/users/me", json={"timezone": "Asia/Kolkata"})

    task = add(alice, due_on="2030-05-17", repeat={"rule": "freq=daily"})

    assert task["repeat"] == {"rule": "FREQ=DAILY", "from": "due", "timezone": "Asia/Kolkata"}


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("", "FREQ"),
        ("FREQ=HOURLY", "FREQ"),
        ("INTERVAL=2", "FREQ"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=1000", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=+1", "INTERVAL"),
        ("FREQ=DAILY;COUNT=+2", "COUNT"),
        ("FREQ=DAILY;BYMONTH=+3", "BYMONTH"),
        ("FREQ=DAILY;COUNT=0", "COUNT"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20300101", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20300230", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20300101T000000", "UNTIL"),
        ("FREQ=DAILY;BYHOUR=9", "BYDAY"),
        ("FREQ=DAILY;BYEASTER=0", "BYDAY"),
        ("FREQ=WEEKLY;BYDAY=2MO", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=6MO", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY"),
        ("FREQ=YEARLY;BYMONTH=13", "BYMONTH"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS"),
        ("FREQ=DAILY;WKST=XX", "WKST"),
        ("FREQ=DAILY\nDTSTART:20300101", "FREQ"),
        ("FREQ=DAILY;" + "BYMONTH=1," * 60, "500"),
    ],
)
def test_refuses_a_rule_and_names_the_part(alice: Client, rule: str, part: str) -> None:
    body = {"title": "Prune", "due_on": "2030-05-17", "repeat": {"rule": rule}}

    response = alice.post(URL, json=body)

    assert named(response) == ["/repeat/rule"]
    assert part in str(response.get_json()["errors"])


@pytest.mark.parametrize("rule", EMPTY)
def test_refuses_a_rule_that_finds_no_date(alice: Client, rule: str) -> None:
    body = {"title": "Prune", "due_on": "2030-05-17", "repeat": {"rule": rule}}

    assert named(alice.post(URL, json=body)) == ["/repeat/rule"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"repeat": DAILY}, "/repeat"),
        ({"repeat": {**DAILY, "rule": "FREQ=DAILY;UNTIL=20310101"},
          "due_at": "2030-05-17T08:00:00Z"}, "/repeat/rule"),
        ({"repeat": {**DAILY, "rule": "FREQ=DAILY;UNTIL=20310101T000000Z"},
          "due_on": "2030-05-17"}, "/repeat/rule"),
        ({"repeat": {**DAILY, "timezone": "Mars"}, "due_on": "2030-05-17"}, "/repeat/timezone"),
        ({"repeat": {**DAILY, "from": "birth"}, "due_on": "2030-05-17"}, "/repeat/from"),
    ],
)  # fmt: skip
def test_refuses_what_does_not_go_together(alice: Client, fields: Json, pointer: str) -> None:
    assert named(alice.post(URL, json={"title": "Prune", **fields})) == [pointer]
    item = {"items": [{"title": "Prune", **fields}]}
    assert named(alice.post(f"{URL}/import", json=item)) == [f"/items/0{pointer}"]


def test_a_repeat_is_changed_as_a_whole(alice: Client) -> None:
    """A PATCH leaves out fields of the task, not of its repeat."""
    task = add(alice, due_on="2030-05-17")
    url = f"{URL}/{task['id']}"
    body = {"repeat": {"rule": "FREQ=DAILY"}}
    whole = {"rule": "FREQ=DAILY", "from": "due", "timezone": "UTC"}

    assert alice.patch(url, json=body).get_json()["repeat"] == whole
    assert alice.patch(url, json={"repeat": None}).get_json()["repeat"] is None
    operation = {"op": "update", "id": task["id"], "body": body}
    assert alice.post(f"{URL}/batch", json={"operations": [operation]}).status_code == 200
    assert alice.get(url).get_json()["repeat"] == whole
    for incomplete in ({}, {"from": "done"}, {"timezone": "UTC"}):
        assert named(alice.patch(url, json={"repeat": incomplete})) == ["/repeat/rule"]


def test_a_repeating_task_keeps_its_due(alice: Client) -> None:
    task = add(alice, due_on="2030-05-17", repeat=DAILY)

    assert named(alice.patch(f"{URL}/{task['id']}", json={"due_on": None})) == ["/repeat"]


def test_an_export_of_repeats_comes_back_the_same(alice: Client, shared: Json) -> None:
    task = add(alice, due_on="2030-05-17", repeat=DAILY, reminders=["-PT1H"], external_id="a")
    for kind, media in (("csv", "text/csv"), ("ndjson", "application/x-ndjson")):
        data = alice.get(f"{URL}?format={kind}&project_id={task['project_id']}").data
        url = f"{URL}/import?project_id={shared['id']}"
        response = alice.post(url, data=data, content_type=media)
        assert response.status_code == 200, json.dumps(response.get_json())
    copy = alice.get(f"{URL}?project_id={shared['id']}").get_json()["items"]

    assert [(each["repeat"], each["reminders"], each["due_on"]) for each in copy] == [
        (task["repeat"], task["reminders"], task["due_on"])
    ]


RULES = st.builds(
    lambda *parts: ";".join(part for part in parts if part),
    st.sampled_from([f"FREQ={name}" for name in FREQUENCIES]),
    st.sampled_from(["", "INTERVAL=2", "INTERVAL=3", "INTERVAL=7"]),
    st.sampled_from(["", "BYMONTH=2", "BYMONTH=1,6,12", "BYMONTH=4,4"]),
    st.sampled_from(["", "BYMONTHDAY=1", "BYMONTHDAY=31", "BYMONTHDAY=-1,15", "BYMONTHDAY=29,30"]),
    st.sampled_from(["", "BYDAY=MO", "BYDAY=SU,WE", "BYDAY=2TU", "BYDAY=-1FR,1MO", "BYDAY=5SA"]),
    st.sampled_from(["", "BYSETPOS=1", "BYSETPOS=-1", "BYSETPOS=2,-2"]),
    st.sampled_from(["", "WKST=SU", "WKST=TH"]),
)


def rule_of(text: str) -> recurrence.Rule:
    try:
        return parse(text)
    except InvalidRule:
        return hypothesis.reject()  # type: ignore[no-any-return]  # it raises


@hypothesis.settings(max_examples=300)
@hypothesis.given(RULES, st.dates(dt.date(2023, 1, 1), dt.date(2027, 12, 31)))
def test_dates_are_those_of_a_walk_day_by_day(text: str, start: dt.date) -> None:
    """The oracle reads RFC 5545 for each day of ten years: is it one of the rule?"""
    rule = rule_of(text)
    found = first_after(rule, start)
    walked = walk(rule, start)
    if rule.frequency == "DAILY" and walked is not None:
        hypothesis.assume((walked - start).days < recurrence.MAX_PERIODS)

    assert found == walked or (walked is None and found is not None and found > end_of(start))


def end_of(start: dt.date) -> dt.date:
    return start + dt.timedelta(days=3653)


def walk(rule: recurrence.Rule, start: dt.date) -> dt.date | None:
    """The first occurrence after the start within ten years."""
    chosen: dict[int, list[dt.date]] = {}
    day = start - dt.timedelta(days=366)
    while day < end_of(start) + dt.timedelta(days=366):
        if fits(rule, start, day):
            chosen.setdefault(periods_between(rule, start, day), []).append(day)
        day += dt.timedelta(days=1)
    for period in sorted(chosen):
        if period < 0 or period % rule.interval:
            continue
        for number, day in enumerate(chosen[period]):
            from_end = number - len(chosen[period])
            picked = not rule.by_set_pos or {number + 1, from_end} & set(rule.by_set_pos)
            if picked and start < day <= end_of(start):
                return day
    return None


def periods_between(rule: recurrence.Rule, first: dt.date, last: dt.date) -> int:
    if rule.frequency == "YEARLY":
        return last.year - first.year
    if rule.frequency == "MONTHLY":
        return (last.year - first.year) * 12 + last.month - first.month
    if rule.frequency == "WEEKLY":
        weeks = [(day.toordinal() - 1 - rule.week_start) // 7 for day in (first, last)]
        return weeks[1] - weeks[0]
    return (last - first).days


def fits(rule: recurrence.Rule, start: dt.date, day: dt.date) -> bool:
    months = rule.by_month
    numbers = rule.by_month_day
    weekdays = rule.by_day
    if not numbers and not weekdays:  # the start says it
        if rule.frequency == "WEEKLY" and day.weekday() != start.weekday():
            return False
        if rule.frequency in {"MONTHLY", "YEARLY"} and day.day != start.day:
            return False
        if rule.frequency == "YEARLY" and not months and day.month != start.month:
            return False
    month_ends = (day.replace(day=1) + dt.timedelta(days=31)).replace(day=1)
    from_end = (day - month_ends).days
    return (
        (not months or day.month in months)
        and (not numbers or bool({day.day, from_end} & set(numbers)))
        and (not weekdays or any(is_that_weekday(rule, each, day) for each in weekdays))
    )


def is_that_weekday(rule: recurrence.Rule, wanted: recurrence.Weekday, day: dt.date) -> bool:
    """The nth from the start, or from the end, is found by stepping through the weeks."""
    if day.weekday() != wanted.weekday:
        return False
    in_year = rule.frequency == "YEARLY" and not rule.by_month

    def inside(other: dt.date) -> bool:
        return other.year == day.year and (in_year or other.month == day.month)

    step = dt.timedelta(days=7 if wanted.number > 0 else -7)
    place, other = 1, day - step
    while inside(other):
        place, other = place + 1, other - step
    return wanted.number in (0, place, -place) and (
        wanted.number == 0 or abs(wanted.number) == place
    )


@hypothesis.settings(max_examples=150)
@hypothesis.given(RULES, st.dates(dt.date(2023, 1, 1), dt.date(2027, 12, 31)))
def test_dates_are_those_of_dateutil(text: str, start: dt.date) -> None:
    rule = rule_of(text)
    numbers = {bool(day.number) for day in rule.by_day}
    # It wants both of `MO,1TU` at once, and begins the first week at its start.
    hypothesis.assume(len(numbers) < 2 and not (rule.by_set_pos and rule.frequency == "WEEKLY"))
    found = first_after(rule, start)
    hypothesis.assume(found is not None)
    theirs = rrulestr(text, dtstart=dt.datetime.combine(start, dt.time()))

    assert found == theirs.after(dt.datetime.combine(start, dt.time(1))).date()


@pytest.mark.parametrize(
    ("rule", "start", "dates"),
    [  # the examples of RFC 5545, section 3.8.5.3
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05", "10 19 24"),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05", "17 19 31"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09-04", "7 6"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997-09-29", "30 27 30 29"),
        ("FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "1997-09-13", "11 8 13 10"),
        ("FREQ=YEARLY;BYDAY=20MO", "1997-05-19", "18 17"),
    ],
)
def test_the_standards_own_examples(rule: str, start: str, dates: str) -> None:
    day, found = dt.date.fromisoformat(start), []
    for _ in dates.split():
        following = first_after(parse(rule), day)
        assert following is not None
        day = following
        found.append(str(day.day))

    assert found == dates.split()


@pytest.mark.parametrize("rule", EMPTY)
def test_a_rule_without_dates_ends_after_counted_steps(rule: str) -> None:
    steps = recurrence.Steps(recurrence.MAX_PERIODS)

    assert first_after(parse(rule), dt.date(2026, 1, 1), steps) is None
    assert steps.left >= 0


@hypothesis.given(
    st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo"]),
    st.dates(dt.date(2024, 1, 1), dt.date(2034, 1, 1)),
    st.times().map(lambda at: at.replace(microsecond=0)),
)
def test_each_day_has_one_occurrence_at_its_hour(name: str, day: dt.date, at: dt.time) -> None:
    zone = ZoneInfo(name)
    repeat = {"rule": "FREQ=DAILY", "from": "due", "timezone": name}
    due_at = dt.datetime.combine(day, at, zone).astimezone(dt.UTC)
    start = due_at.astimezone(zone).replace(tzinfo=None)
    due_wall = None
    for number in range(1, 8):
        task = {"due_at": due_at, "due_on": None, "repeat": repeat}
        due = repeats.next_due(task, due_at, number, due_wall)
        assert due is not None
        assert due.due_at is not None
        expected = start + dt.timedelta(days=number)
        assert due.due_at == expected.replace(tzinfo=zone).astimezone(dt.UTC)
        due_at, due_wall = due.due_at, due.due_wall
