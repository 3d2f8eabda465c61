"""Tasks due on a day, and what "today" is where people live"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from hypothesis import strategies as st

from taskapp.tasks.due import rank, start_of
from tests.conftest import Client, Json, add, made, named

URL = "/api/v1/tasks"
# Zone, a moment of the night on which its clocks change, and the day that it is there then.
NIGHTS = [
    ("Pacific/Auckland", "2026-09-26T13:30:00+00:00", "2026-09-27"),
    ("Pacific/Auckland", "2026-04-04T12:30:00+00:00", "2026-04-05"),
    ("Asia/Kolkata", "2026-03-28T18:45:00+00:00", "2026-03-29"),
    ("America/St_Johns", "2026-03-08T03:45:00+00:00", "2026-03-08"),
    ("America/St_Johns", "2026-11-01T02:15:00+00:00", "2026-10-31"),
    ("America/Los_Angeles", "2026-03-08T09:30:00+00:00", "2026-03-08"),
    ("America/Los_Angeles", "2026-11-01T06:45:00+00:00", "2026-10-31"),
]


def titles(client: Client, query: str) -> list[str]:
    response = client.get(f"{URL}?sort=id&{query}")
    assert response.status_code == 200, response.get_json()
    return [task["title"] for task in response.get_json()["items"]]


def local(day: dt.date, time: dt.time, zone: str) -> str:
    return dt.datetime.combine(day, time, ZoneInfo(zone)).isoformat()


def test_a_day_is_shown_as_it_was_sent(alice: Client) -> None:
    task = add(alice, due_on="2030-05-17")

    assert (task["due_on"], task["due_at"]) == ("2030-05-17", None)
    assert alice.get(f"{URL}/{task['id']}").get_json() == task
    exported = alice.get(f"{URL}?format=csv&fields=title,due_on")
    assert exported.get_data(as_text=True).splitlines()[1].endswith(",2030-05-17")


@pytest.mark.parametrize(
    "day", ["2030-02-30", "1969-12-31", "3000-01-01", "2030-1-1", "2030-01-01T00:00:00Z", 5, ""]
)
def test_refuses_what_is_no_day(alice: Client, day: object) -> None:
    response = alice.post(URL, json={"title": "Prune", "due_on": day})

    assert named(response) == ["/due_on"]


def test_is_due_at_a_moment_or_on_a_day(alice: Client) -> None:
    both = {"title": "Prune", "due_on": "2030-05-17", "due_at": "2030-05-17T08:00:00Z"}
    refused = alice.post(URL, json=both)
    task = add(alice, due_at="2030-05-17T08:00:00Z")
    url = f"{URL}/{task['id']}"

    assert refused.status_code == 422
    assert named(alice.patch(url, json={"due_on": "2030-05-18"})) == ["/due_on"]
    moved = alice.patch(url, json={"due_on": "2030-05-18", "due_at": None}).get_json()
    assert (moved["due_on"], moved["due_at"]) == ("2030-05-18", None)
    assert named(alice.patch(url, json={"due_at": "2030-05-18T08:00:00Z"})) == ["/due_at"]


def test_sorts_days_and_moments_together(alice: Client) -> None:
    add(alice, "never")
    add(alice, "midnight", due_at="2030-05-17T00:00:00Z")
    add(alice, "day", due_on="2030-05-17")
    add(alice, "before", due_at="2030-05-16T23:59:59.999999Z")
    add(alice, "tomorrow", due_on="2030-05-18")

    order = ["before", "day", "midnight", "tomorrow", "never"]
    up = alice.get(f"{URL}?sort=due_at").get_json()["items"]
    down = alice.get(f"{URL}?sort=-due_at").get_json()["items"]

    assert [task["title"] for task in up] == order
    assert [task["title"] for task in down] == [*order[3::-1], "never"]


def test_pages_go_on_where_days_and_moments_meet(alice: Client, shared: Json) -> None:
    for number in range(4):
        home = shared["id"] if number % 2 else alice.user["inbox_id"]
        add(alice, f"day {number}", project_id=home, due_on="2030-05-17")
        add(alice, f"moment {number}", project_id=home, due_at="2030-05-17T00:00:00Z")
        add(alice, f"never {number}", project_id=home)
    for sort in ("due_at", "-due_at", "due_at,-title"):
        whole = alice.get(f"{URL}?sort={sort}").get_json()["items"]
        paged, cursor = [], ""
        while cursor is not None:
            page = alice.get(f"{URL}?sort={sort}&limit=5{cursor}").get_json()
            paged += page["items"]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"

        assert paged == whole


@pytest.mark.parametrize(("zone", "moment", "day"), NIGHTS)
def test_today_and_week_and_overdue_are_those_of_the_zone(
    alice: Client, monkeypatch: pytest.MonkeyPatch, zone: str, moment: str, day: str
) -> None:
    now = dt.datetime.fromisoformat(moment)
    today = dt.date.fromisoformat(day)
    assert now.astimezone(ZoneInfo(zone)).date() == today
    monkeypatch.setattr("taskapp.tasks.routes.now", lambda: now)
    first, last = dt.time(), dt.time(23, 59, 59, 999999)
    for name, shift in (("yesterday", -1), ("today", 0), ("tomorrow", 1), ("6", 6), ("7", 7)):
        at = today + dt.timedelta(days=shift)
        add(alice, f"{name} on", due_on=str(at))
        add(alice, f"{name} first", due_at=local(at, first, zone))
        add(alice, f"{name} last", due_at=local(at, last, zone))

    def of(*names: str) -> list[str]:
        return [f"{name} {kind}" for name in names for kind in ("on", "first", "last")]

    assert titles(alice, f"due=today&tz={zone}") == of("today")
    assert titles(alice, f"due=week&tz={zone}") == of("today", "tomorrow", "6")
    late = set(titles(alice, f"due=overdue&tz={zone}"))
    assert late >= set(of("yesterday"))
    assert late - set(of("yesterday")) == {"today first"}


def test_the_callers_own_zone_is_what_counts(
    alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = dt.datetime(2026, 5, 17, 23, 0, tzinfo=dt.UTC)
    monkeypatch.setattr("taskapp.tasks.routes.now", lambda: now)
    add(alice, "seventeenth", due_on="2026-05-17")
    add(alice, "eighteenth", due_on="2026-05-18")

    assert titles(alice, "due=today") == ["seventeenth"]
    me = alice.patch("/api/v1/users/me", json={"timezone": "Asia/Tokyo"})
    assert me.get_json()["timezone"] == "Asia/Tokyo"
    assert titles(alice, "due=today") == ["eighteenth"]
    assert titles(alice, "due=overdue") == ["seventeenth"]
    assert titles(alice, "due=overdue&tz=UTC") == []


def test_limits_compare_days_with_the_day_that_it_is_then(alice: Client) -> None:
    for day in ("16", "17", "18"):
        add(alice, day, due_on=f"2030-05-{day}")
    limit = "2030-05-17T23:00:00Z"

    assert titles(alice, f"due_before={limit}") == ["16"]
    assert titles(alice, f"due_before={limit}&tz=Asia/Tokyo") == ["16", "17"]
    assert titles(alice, f"due_after={limit}") == ["18"]
    assert titles(alice, f"due_after={limit}&tz=Asia/Tokyo") == []


@pytest.mark.parametrize("zone", ["", "Mars", "UTC+2", "../etc/passwd", "localtime"])
def test_refuses_what_is_no_time_zone(alice: Client, zone: str) -> None:
    assert named(alice.get(f"{URL}?tz={zone}")) == ["tz"]
    assert named(alice.patch("/api/v1/users/me", json={"timezone": zone})) == ["/timezone"]


def test_stats_count_in_the_zone(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    task = add(alice, due_on=str(dt.datetime.now(dt.UTC).date() - dt.timedelta(days=3)))
    stats = alice.get("/api/v1/stats?tz=Pacific/Auckland").get_json()

    assert stats["overdue"] == 1
    assert stats["open_by_age"][0] == {"under_days": 7, "count": 1}
    assert [entry["under_days"] for entry in stats["open_by_age"]] == [7, 30, 90, None]
    alice.patch(f"{URL}/{task['id']}", json={"status": "done"})
    days = alice.get("/api/v1/stats?tz=Pacific/Auckland").get_json()["done_per_day"]
    today = dt.datetime.now(ZoneInfo("Pacific/Auckland")).date()
    assert days[-1] == {"date": str(today), "count": 1}
    assert len(days) == 30


def test_filters_by_when_something_was_done(alice: Client) -> None:
    done = add(alice, "done", status="done")
    add(alice, "open")

    assert titles(alice, "completed_after=2020-01-01T00:00:00Z") == ["done"]
    assert titles(alice, f"completed_before={done['completed_at']}") == []


@hypothesis.given(
    st.sampled_from(["Asia/Beirut", "America/Havana", "Africa/Cairo", "America/Sao_Paulo", "UTC"]),
    st.dates(dt.date(1990, 1, 1), dt.date(2037, 12, 31)),
)
def test_a_day_begins_where_the_day_before_ends(name: str, day: dt.date) -> None:
    zone = ZoneInfo(name)
    start = start_of(day, zone)

    assert start.astimezone(zone).date() == day
    just_before = start - dt.timedelta(microseconds=1)
    assert just_before.astimezone(zone).date() == day - dt.timedelta(days=1)


@hypothesis.given(st.dates(dt.date(1970, 1, 2), dt.date(2999, 12, 31)), st.integers(-1, 1))
def test_ranks_put_a_day_before_the_moment_at_which_it_begins(
    day: dt.date, microseconds: int
) -> None:
    midnight = dt.datetime.combine(day, dt.time(), dt.UTC)
    moment = midnight + dt.timedelta(microseconds=microseconds)
    of_day, of_moment = rank(None, day), rank(moment, None)
    assert of_day is not None
    assert of_moment is not None

    assert (of_day < of_moment) == (microseconds >= 0)


ZONES = ("Pacific/Auckland", "Asia/Kolkata", "America/St_Johns", "America/Los_Angeles", "UTC")
CHANGES = [dt.datetime.fromisoformat(moment) for _, moment, _ in NIGHTS]
NEAR = st.builds(
    lambda change, minutes: change + dt.timedelta(minutes=minutes),
    st.sampled_from(CHANGES),
    st.integers(-3 * 1440, 9 * 1440),
)
DUES = st.one_of(st.none(), NEAR, NEAR.map(lambda moment: moment.date()))


def due_fields(due: dt.datetime | dt.date | None) -> Json:
    if due is None:
        return {}
    if isinstance(due, dt.datetime):
        return {"due_at": due.isoformat()}
    return {"due_on": str(due)}


def is_within(due: dt.datetime | dt.date | None, zone: ZoneInfo, now: dt.datetime, by: str) -> bool:
    """What the contract says of each filter, of one task and in one zone."""
    today = now.astimezone(zone).date()
    if due is None:
        return by == "none"
    is_moment = isinstance(due, dt.datetime)
    day = due.astimezone(zone).date() if isinstance(due, dt.datetime) else due
    if by == "overdue":
        return due < now if isinstance(due, dt.datetime) else day < today
    if by == "before":
        return due < now if is_moment else day < today  # type: ignore[operator]  # both are moments
    if by == "after":
        return due > now if is_moment else day > today  # type: ignore[operator]  # as above
    days = {"today": 1, "week": 7}.get(by, 0)
    return 0 <= (day - today).days < days


@hypothesis.settings(max_examples=12)
@hypothesis.given(
    dues=st.lists(DUES, min_size=1, max_size=12),
    now=NEAR.map(lambda moment: moment.replace(microsecond=0)),
    name=st.sampled_from(ZONES),
)
def test_any_filter_by_due_is_what_the_contract_says(
    alice: Client, dues: list[dt.datetime | dt.date | None], now: dt.datetime, name: str
) -> None:
    project = made(alice, "projects", name="Nights")
    items = [{"title": str(number), **due_fields(due)} for number, due in enumerate(dues)]
    imported = alice.post(f"{URL}/import?project_id={project['id']}", json={"items": items})
    assert imported.status_code == 200, imported.get_json()
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    queries = {by: f"due={by}" for by in ("none", "today", "week", "overdue")}
    queries.update(before=f"due_before={moment}", after=f"due_after={moment}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("taskapp.tasks.routes.now", lambda: now)
        for by, query in queries.items():
            shown = titles(alice, f"{query}&tz={name}&project_id={project['id']}")
            zone = ZoneInfo(name)
            wanted = [str(n) for n, due in enumerate(dues) if is_within(due, zone, now, by)]
            assert shown == wanted, (by, name, now, dues)
