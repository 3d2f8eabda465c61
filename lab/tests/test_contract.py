"""The contract that taskapp and its async twin share, over HTTP, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from lab.tests.conftest import PASSWORD, Json, Service, ids, made, named, refused

TASKS = "/api/v1/tasks"
REGISTER = "/api/v1/auth/register"
LOGIN = "/api/v1/auth/login"


def newcomer_body(**changes: Any) -> Json:
    return {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "name": "Ann", **changes}


def test_is_alive(anonymous: httpx.Client) -> None:
    answer = anonymous.get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


# Accounts


def test_registers_a_user(anonymous: httpx.Client) -> None:
    body = newcomer_body(name="  Ann ")
    answer = anonymous.post(REGISTER, json=body)
    user = answer.json()

    assert answer.status_code == 201
    assert (
        answer.headers["Location"]
        == str(anonymous.base_url).rstrip("/") + f"/api/v1/users/{user['id']}"
    )
    assert answer.headers["ETag"].startswith('"')
    assert answer.headers["Cache-Control"] == "no-store"
    assert user.keys() == {
        *("id", "email", "name", "role", "is_active", "email_verified"),
        *("timezone", "notifications", "inbox_id", "created_at", "updated_at"),
    }
    assert (user["email"], user["name"], user["role"]) == (body["email"], "Ann", "user")
    assert (user["timezone"], user["email_verified"]) == ("UTC", False)


def test_refuses_an_address_that_is_taken_but_for_its_case(anonymous: httpx.Client) -> None:
    answer = anonymous.post(REGISTER, json=newcomer_body(email="ALICE@example.com"))

    assert refused(answer) == (409, "email-taken")


@pytest.mark.parametrize("password", ["short", "password1234", "annannannann"])
def test_refuses_guessable_passwords(anonymous: httpx.Client, password: str) -> None:
    assert named(anonymous.post(REGISTER, json=newcomer_body(password=password))) == {"/password"}


def test_names_every_wrong_field_of_a_registration(anonymous: httpx.Client) -> None:
    body = {"email": "nobody", "name": "", "role": "admin"}

    assert named(anonymous.post(REGISTER, json=body)) == {"/email", "/name", "/role", "/password"}


def test_one_of_many_registrations_of_one_address_wins(service: Service) -> None:
    body = newcomer_body()

    def register(_: int) -> int:
        return httpx.post(f"{service.base}{REGISTER}", json=body, timeout=30).status_code

    with ThreadPoolExecutor(10) as pool:
        statuses = sorted(pool.map(register, range(10)))

    assert statuses == [201, *[409] * 9]


def test_signs_in(anonymous: httpx.Client) -> None:
    answer = anonymous.post(LOGIN, json={"email": "Alice@Example.com", "password": PASSWORD})
    pair = answer.json()

    assert answer.status_code == 200
    assert pair.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 3600)


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_says_the_same_whatever_was_wrong(anonymous: httpx.Client, email: str) -> None:
    answer = anonymous.post(LOGIN, json={"email": email, "password": "not the password"})

    assert refused(answer) == (401, "wrong-credentials")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="taskapp"'


@pytest.mark.parametrize(
    ("authorization", "code"),
    [("", "unauthorized"), ("Basic YTpi", "unauthorized"), ("Bearer nonsense", "invalid-token")],
)
def test_asks_for_a_token(anonymous: httpx.Client, authorization: str, code: str) -> None:
    answer = anonymous.get(TASKS, headers={"Authorization": authorization})

    assert refused(answer) == (401, code)
    assert ("error=" in answer.headers["WWW-Authenticate"]) == (code == "invalid-token")


def test_takes_no_refresh_token_for_an_access_token(anonymous: httpx.Client) -> None:
    body = {"email": "alice@example.com", "password": PASSWORD}
    token = anonymous.post(LOGIN, json=body).json()["refresh_token"]
    answer = anonymous.get(TASKS, headers={"Authorization": f"Bearer {token}"})

    assert refused(answer) == (401, "invalid-token")


def test_reads_the_scheme_without_case(alice: httpx.Client, anonymous: httpx.Client) -> None:
    token = alice.headers["Authorization"].partition(" ")[2]

    assert anonymous.get(TASKS, headers={"Authorization": f"bearer {token}"}).status_code == 200


# Creating


def test_creates_a_task_with_defaults(alice: httpx.Client) -> None:
    answer = alice.post(TASKS, json={"title": "  Water the fern "})
    task = answer.json()
    at = task["created_at"]

    assert answer.status_code == 201
    assert answer.headers["Location"] == str(alice.base_url).rstrip("/") + f"{TASKS}/{task['id']}"
    assert at.endswith("Z")
    assert len(at) == len("2026-01-31T09:30:00.000000Z")
    assert list(task.items()) == list(
        {
            "id": task["id"],
            "project_id": task["project_id"],
            "external_id": None,
            "title": "Water the fern",
            "description": "",
            "status": "todo",
            "priority": "none",
            "due_at": None,
            "due_on": None,
            "repeat": None,
            "reminders": [],
            "assignee_id": None,
            "parent_id": None,
            "labels": [],
            "created_by": task["created_by"],
            "created_at": at,
            "updated_at": at,
            "completed_at": None,
            "revision": task["revision"],
        }.items()
    )


def test_keeps_every_field_that_is_sent(alice: httpx.Client, task: Json) -> None:
    sent = {
        "title": "Ca\u0301fe \U0001f331",
        "description": "two\nlines\t ",
        "status": "in_progress",
        "priority": "urgent",
        "due_at": "2030-01-31T17:00:00.5+01:00",
        "external_id": uuid4().hex,
        "labels": ["b", "A", "a", " B "],
        "assignee_id": task["created_by"],
        "parent_id": task["id"],
        "project_id": task["project_id"],
    }
    got = made(alice, **sent)
    kept = {"title": "Cáfe \U0001f331", "due_at": "2030-01-31T16:00:00.500000Z"}

    assert {name: got[name] for name in sent} == {**sent, **kept, "labels": ["A", "b"]}


def test_a_task_made_done_is_completed(alice: httpx.Client) -> None:
    task = made(alice, title="Done", status="done")

    assert task["completed_at"] == task["created_at"]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, "/title"),
        ({"title": " "}, "/title"),
        ({"title": 5}, "/title"),
        ({"title": "a\x00b"}, "/title"),
        ({"title": "x" * 501}, "/title"),
        ({"title": "a", "id": 1, "surprise": 1}, "/id /surprise"),
        ({"title": "a", "status": "Done"}, "/status"),
        ({"title": "a", "priority": None}, "/priority"),
        ({"title": "a", "project_id": None}, "/project_id"),
        ({"title": "a", "assignee_id": "5"}, "/assignee_id"),
        ({"title": "a", "parent_id": True}, "/parent_id"),
        ({"title": "a", "parent_id": 0}, "/parent_id"),
        ({"title": "a", "due_at": "2030-01-31"}, "/due_at"),
        ({"title": "a", "due_at": "2030-01-31T17:00:00"}, "/due_at"),
        ({"title": "a", "due_at": "0001-01-01T00:00:00+14:00"}, "/due_at"),
        ({"title": "a", "labels": ["ok", ""]}, "/labels/1"),
        ({"title": "a", "labels": "home"}, "/labels"),
        ({"title": "a", "labels": ["x"] * 21}, "/labels"),
        ({"title": "a", "a/b~c": 1}, "/a~1b~0c"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_names_every_wrong_field_of_a_task(alice: httpx.Client, body: Json, pointers: str) -> None:
    assert named(alice.post(TASKS, json=body)) == set(pointers.split())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{} {}",
        b'\xef\xbb\xbf{"title": "a"}',
        b'{"title": "\xff"}',
        b'{"title": "a", "title": "b"}',
        b'{"title": NaN}',
        b'{"title": 1e999}',
        b'{"title": 9223372036854775808}',
        b'{"title": ' + b"[" * 40 + b"]" * 40 + b"}",
    ],
    ids=lambda raw: ascii(raw)[:30],
)
def test_takes_only_strict_json(alice: httpx.Client, raw: bytes) -> None:
    answer = alice.post(TASKS, content=raw, headers={"Content-Type": "application/json"})

    assert refused(answer) == (400, "malformed-json")


def test_takes_only_an_object(alice: httpx.Client) -> None:
    assert named(alice.post(TASKS, json=["a"])) == {""}


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/merge-patch+json"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {},
    ],
    ids=str,
)
def test_takes_only_plain_json(alice: httpx.Client, headers: dict[str, str]) -> None:
    answer = alice.post(TASKS, content=b'{"title": "a"}', headers=headers)

    assert refused(answer) == (415, "unsupported-media-type")


def test_reads_json_as_utf_8_whatever_its_charset(alice: httpx.Client) -> None:
    """A charset says nothing of JSON (RFC 8259, 11)."""
    headers = {"Content-Type": "application/json; charset=latin-1"}
    answer = alice.post(TASKS, content=b'{"title": "Caf\xc3\xa9"}', headers=headers)

    assert (answer.status_code, answer.json()["title"]) == (201, "Caf\xe9")


def test_refuses_a_body_that_is_too_large(alice: httpx.Client) -> None:
    answer = alice.post(TASKS, json={"title": "a", "description": "x" * 2**20})

    assert refused(answer) == (413, "payload-too-large")


def test_external_ids_are_unique_in_a_project(alice: httpx.Client) -> None:
    body = {"title": "a", "external_id": uuid4().hex}
    first = made(alice, **body)

    assert refused(alice.post(TASKS, json=body)) == (409, "conflict")
    assert alice.patch(f"{TASKS}/{first['id']}", json=body).status_code == 200


def test_others_things_do_not_exist_in_bodies(
    alice: httpx.Client, charlie: httpx.Client, task: Json
) -> None:
    for field, value in (("project_id", task["project_id"]), ("parent_id", task["id"])):
        answer = charlie.post(TASKS, json={"title": "a", field: value})
        assert refused(answer) == (404, "not-found")
    theirs = made(charlie, title="a")

    answer = alice.post(TASKS, json={"title": "a", "assignee_id": theirs["created_by"]})

    assert refused(answer) == (404, "not-found")
    assert answer.json()["errors"][0]["pointer"] == "/assignee_id"


# Reading


def test_shows_a_task_with_its_etag(alice: httpx.Client, task: Json) -> None:
    answer = alice.get(f"{TASKS}/{task['id']}")
    tag = answer.headers["ETag"]

    assert (answer.status_code, answer.json()) == (200, task)
    for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = alice.get(f"{TASKS}/{task['id']}", headers={"If-None-Match": header})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tag


@pytest.mark.parametrize("name", ["0", "007", "+1", "1.0", "x", "9223372036854775808", "9" * 30])
def test_what_is_no_id_does_not_exist(alice: httpx.Client, name: str) -> None:
    assert refused(alice.get(f"{TASKS}/{name}")) == (404, "not-found")


def test_hides_other_peoples_tasks(charlie: httpx.Client, task: Json) -> None:
    url = f"{TASKS}/{task['id']}"

    assert refused(charlie.get(url)) == (404, "not-found")
    assert refused(charlie.patch(url, json={"title": "Mine"})) == (404, "not-found")
    assert refused(charlie.delete(url)) == (404, "not-found")
    assert task["id"] not in ids(charlie.get(TASKS, params={"limit": 200}))


def test_answers_head_options_and_wrong_methods(alice: httpx.Client, task: Json) -> None:
    url = f"{TASKS}/{task['id']}"
    head, options, wrong = alice.head(url), alice.options(url), alice.put(url, json={})
    known = {"GET", "HEAD", "OPTIONS", "PATCH", "DELETE"}

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["ETag"] == alice.get(url).headers["ETag"]
    assert options.status_code == 200
    assert set(options.headers["Allow"].split(", ")) == known
    assert refused(wrong) == (405, "method-not-allowed")
    assert set(wrong.headers["Allow"].split(", ")) == known


def test_unknown_urls_are_not_found(alice: httpx.Client) -> None:
    for url in ("/api/v1/nothing", f"{TASKS}/", "/openapi"):
        assert refused(alice.get(url)) == (404, "not-found")


def test_every_answer_has_an_id_and_guards_itself(anonymous: httpx.Client) -> None:
    for url in ("/health", "/nowhere"):
        answer = anonymous.get(url, headers={"X-Request-ID": "abc-1"})
        assert answer.headers["X-Request-ID"] == "abc-1"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "db;dur=" in answer.headers["Server-Timing"]
    made_up = anonymous.get("/health", headers={"X-Request-ID": "not an id"})

    assert " " not in made_up.headers["X-Request-ID"]


# Listing


def test_lists_newest_first(newcomer: httpx.Client) -> None:
    made_ids = [made(newcomer, title=title)["id"] for title in "abc"]
    answer = newcomer.get(TASKS)

    assert ids(answer) == made_ids[::-1]
    assert answer.json()["next_cursor"] is None
    assert "total" not in answer.json()


def test_pages_through_a_sorted_list(newcomer: httpx.Client) -> None:
    days = (3, None, 1, None, 2)
    dues = [None if day is None else f"2030-01-0{day}T00:00:00Z" for day in days]
    by_due = {made(newcomer, title="a", due_at=due)["id"]: due or "9" for due in dues}
    url: str | None = f"{TASKS}?sort=due_at,id&limit=2&total=true"
    result: list[int] = []
    while url:
        answer = newcomer.get(url)
        result += ids(answer)
        assert answer.json()["total"] == 5
        url = answer.links.get("next", {}).get("url")

    assert result == sorted(by_due, key=lambda task_id: (by_due[task_id], task_id))


def test_finds_by_every_filter(newcomer: httpx.Client) -> None:
    old = made(newcomer, title="Fix the 50% bug", labels=["Home"], due_at="2020-01-01T00:00:00Z")
    new = made(
        newcomer, title="Call Bob", status="done", priority="high", assignee_id=old["created_by"]
    )
    below = made(newcomer, title="Call Ann", parent_id=old["id"], due_at="2031-01-01T00:00:00Z")
    wanted: dict[str, list[Json]] = {
        "status=done,cancelled": [new],
        "priority=high": [new],
        "label=home": [old],
        "assignee=me": [new],
        "assignee=none": [below, old],
        f"assignee={old['created_by']}": [new],
        f"parent={old['id']}": [below],
        "parent=none": [new, old],
        "due=none": [new],
        "due=overdue": [old],
        "due=today": [],
        "due_before=2025-01-01T00:00:00Z": [old],
        "due_after=2025-01-01T00:00:00Z": [below],
        f"created_after={old['created_at']}": [below, new],
        f"created_before={new['created_at']}": [old],
        f"updated_after={new['updated_at']}": [below],
        "q=call": [below, new],
        "q=call+bo": [new],
        "q=50%25": [old],
        "q=0%25+b": [],
        f"project_id={old['project_id']}": [below, new, old],
        "sort=title": [below, new, old],
        "sort=-status,id": [new, old, below],
    }
    result = {query: ids(newcomer.get(f"{TASKS}?{query}")) for query in wanted}

    assert result == {query: [task["id"] for task in tasks] for query, tasks in wanted.items()}


def test_shows_only_the_fields_asked_for(alice: httpx.Client, task: Json) -> None:
    answer = alice.get(TASKS, params={"fields": "title,id", "limit": 1, "sort": "-id"})

    assert answer.json()["items"] == [{"id": task["id"], "title": task["title"]}]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=+5", "limit"),
        ("limit=1&limit=2", "limit"),
        ("colour=red", "colour"),
        ("total=1", "total"),
        ("status=todo,todo", "status"),
        ("status=", "status"),
        ("sort=id,-id", "sort"),
        ("sort=colour", "sort"),
        ("fields=password_hash", "fields"),
        ("assignee=you", "assignee"),
        ("parent=9223372036854775808", "parent"),
        ("due=tomorrow", "due"),
        ("due_before=2030-01-01", "due_before"),
        ("q=", "q"),
    ],
)
def test_names_every_wrong_parameter(alice: httpx.Client, query: str, parameter: str) -> None:
    assert named(alice.get(f"{TASKS}?{query}")) == {parameter}


def test_takes_no_parameters_where_there_are_none(alice: httpx.Client, task: Json) -> None:
    assert named(alice.get(f"{TASKS}/{task['id']}?verbose=1")) == {"verbose"}


def test_a_cursor_is_good_for_its_own_list_only(alice: httpx.Client, charlie: httpx.Client) -> None:
    for title in "ab":
        made(alice, title=title)
    cursor = alice.get(f"{TASKS}?limit=1").json()["next_cursor"]

    assert alice.get(f"{TASKS}?limit=1&cursor={cursor}").status_code == 200
    for client, query in ((alice, "sort=title&"), (charlie, ""), (alice, "cursor=x&")):
        url = f"{TASKS}?{query}" + ("" if "cursor" in query else f"cursor={cursor}")
        assert refused(client.get(url.rstrip("&"))) == (422, "invalid-cursor")


def test_a_list_is_unchanged_until_somebody_writes(newcomer: httpx.Client) -> None:
    made(newcomer, title="a")
    tag = newcomer.get(TASKS).headers["ETag"]
    unchanged = newcomer.get(TASKS, headers={"If-None-Match": tag})
    made(newcomer, title="b")
    changed = newcomer.get(TASKS, headers={"If-None-Match": tag})

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert len(ids(changed)) == 2


# Changing


def test_changes_only_what_is_sent(alice: httpx.Client, task: Json) -> None:
    answer = alice.patch(f"{TASKS}/{task['id']}", json={"status": "done", "labels": ["b", "a"]})
    after = answer.json()
    derived = {name: after[name] for name in ("revision", "updated_at", "completed_at")}

    assert answer.status_code == 200
    assert after == {**task, "status": "done", "labels": ["a", "b"], **derived}
    assert after["completed_at"] == after["updated_at"] > task["updated_at"]
    assert after["revision"] > task["revision"]
    assert alice.get(f"{TASKS}/{task['id']}").json() == after


def test_what_changes_nothing_takes_no_revision(alice: httpx.Client, task: Json) -> None:
    for body in ({}, {"title": task["title"]}):
        assert alice.patch(f"{TASKS}/{task['id']}", json=body).json() == task


def test_null_clears_and_merge_patch_is_understood(alice: httpx.Client) -> None:
    task = made(alice, title="a", due_at="2030-01-01T00:00:00Z", status="done")
    answer = alice.patch(
        f"{TASKS}/{task['id']}",
        content=b'{"due_at": null, "status": "todo"}',
        headers={"Content-Type": "application/merge-patch+json"},
    )

    assert (answer.json()["due_at"], answer.json()["completed_at"]) == (None, None)


def test_refuses_what_cannot_be_null(alice: httpx.Client, task: Json) -> None:
    body = dict.fromkeys(("title", "description", "status", "labels"))

    assert named(alice.patch(f"{TASKS}/{task['id']}", json=body)) == {f"/{name}" for name in body}


def test_never_overwrites_unseen_work(alice: httpx.Client, task: Json) -> None:
    url = f"{TASKS}/{task['id']}"
    stale = alice.get(url).headers["ETag"]
    fresh = alice.patch(url, json={"title": "b"}, headers={"If-Match": stale}).headers["ETag"]

    refusal = alice.patch(url, json={"title": "c"}, headers={"If-Match": stale})
    assert refused(refusal) == (412, "precondition-failed")
    assert refused(alice.delete(url, headers={"If-Match": stale})) == (412, "precondition-failed")
    assert alice.get(url).json()["title"] == "b"
    listed = alice.patch(url, json={"title": "d"}, headers={"If-Match": f'"x", {fresh}'})
    assert listed.status_code == 200
    assert alice.patch(url, json={"title": "e"}, headers={"If-Match": "*"}).status_code == 200
    unless = {"If-None-Match": alice.get(url).headers["ETag"]}
    assert refused(alice.delete(url, headers=unless)) == (412, "precondition-failed")


def test_no_step_is_lost_between_many_writers(service: Service, task: Json) -> None:
    """Six writers raise a counter in the description, each again and again until it holds."""

    def raise_it(_: int) -> None:
        url = f"{service.base}{TASKS}/{task['id']}"
        with httpx.Client(headers=service.alice.headers, timeout=30) as client:
            while True:
                seen = client.get(url)
                more = str(int(seen.json()["description"] or 0) + 1)
                tag = {"If-Match": seen.headers["ETag"]}
                status = client.patch(url, json={"description": more}, headers=tag).status_code
                assert status in {200, 412}
                if status == 200:
                    return

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(raise_it, range(12)))

    after = service.alice.get(f"{TASKS}/{task['id']}").json()
    assert after["description"] == "12"


def test_a_task_cannot_be_below_itself(alice: httpx.Client, task: Json) -> None:
    child = made(alice, title="b", parent_id=task["id"])

    answer = alice.patch(f"{TASKS}/{task['id']}", json={"parent_id": child["id"]})

    assert named(answer) == {"/parent_id"}


def test_deletes_a_task_and_what_is_below_it(alice: httpx.Client, task: Json) -> None:
    child = made(alice, title="b", parent_id=task["id"])
    url = f"{TASKS}/{task['id']}"
    first, second = alice.delete(url), alice.delete(url)

    assert (first.status_code, first.content) == (204, b"")
    assert refused(second) == (404, "not-found")
    assert refused(alice.get(f"{TASKS}/{child['id']}")) == (404, "not-found")
