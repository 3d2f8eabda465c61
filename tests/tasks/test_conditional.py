"""ETag, If-None-Match and If-Match: a write never lands on what its author has not seen"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Flask
from werkzeug.http import parse_etags

from taskapp.database.caches import InMemory
from taskapp.web import conditional
from taskapp.web.conditional import is_named
from tests.conftest import Client, Json, add, made, refused

URL = "/api/v1/tasks"


def test_every_change_has_another_tag(alice: Client, task: Json) -> None:
    url = f"{URL}/{task['id']}"
    tags = [alice.get(url).headers["ETag"]]
    for title in ("a", "b", task["title"]):
        changed = alice.patch(url, json={"title": title})
        assert changed.headers["ETag"] == alice.get(url).headers["ETag"]
        tags.append(changed.headers["ETag"])

    assert len(set(tags)) == 4
    assert all(tag.startswith('"') for tag in tags)


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '"x",W/{} , "y"', "*"])
def test_if_none_match_spares_the_body(alice: Client, task: Json, form: str) -> None:
    for url in (f"{URL}/{task['id']}", f"{URL}?sort=title"):
        first = alice.get(url)
        tag = {"If-None-Match": form.format(first.headers["ETag"])}
        for method in ("GET", "HEAD"):
            again = alice.open(url, method=method, headers=tag)
            assert (again.status_code, again.data) == (304, b"")
            assert again.headers["ETag"] == first.headers["ETag"]
            assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
            assert again.headers["Vary"] == first.headers["Vary"]


def test_there_is_no_list_of_a_project_that_the_caller_does_not_see(
    alice: Client, charlie: Client, shared: Json
) -> None:
    anything = {"If-None-Match": "*"}
    for where in (f"project_id={shared['id']}", f"project_id={shared['id']}&format=csv"):
        for _ in range(3):  # an export that is not sent gives its place back
            assert alice.get(f"{URL}?{where}", headers=anything).status_code == 304
        refusal = charlie.get(f"{URL}?{where}", headers=anything)
        assert refused(refusal) == (404, "not-found")


def test_a_list_has_a_new_tag_when_anything_in_it_may_have_changed(
    alice: Client, bob: Client, charlie: Client, shared: Json
) -> None:
    tags = [alice.get(URL).headers["ETag"]]
    task = add(bob, project_id=shared["id"])
    tags.append(alice.get(URL).headers["ETag"])
    bob.patch(f"{URL}/{task['id']}", json={"title": "x"})
    tags.append(alice.get(URL).headers["ETag"])
    bob.delete(f"{URL}/{task['id']}")
    tags.append(alice.get(URL).headers["ETag"])
    assert len(set(tags)) == 4

    add(charlie)
    bob.patch(f"{URL}/{add(bob)['id']}", json={"title": "y"})
    assert alice.get(URL).headers["ETag"] == tags[-1]
    assert bob.get(URL).headers["ETag"] != alice.get(URL).headers["ETag"]
    assert alice.get(f"{URL}?limit=1").headers["ETag"] != tags[-1]


def test_a_remembered_list_is_the_same_list(alice: Client, task: Json) -> None:
    add(alice)
    first, second = (alice.get(f"{URL}?limit=1") for _ in range(2))

    assert second.data == first.data
    assert second.headers["Link"] == first.headers["Link"]


def test_a_question_spelled_in_another_way_has_a_page_of_its_own(alice: Client, task: Json) -> None:
    """A cursor is signed for the query as it was sent: that of the other would be refused."""
    add(alice)
    for zone in ("Z", "%2B00:00"):
        url = f"{URL}?limit=1&created_after=2020-01-01T00:00:00{zone}"
        first = alice.get(url)
        next_page = alice.get(f"{url}&cursor={first.get_json()['next_cursor']}")
        assert [each["id"] for each in next_page.get_json()["items"]] == [task["id"]]


def test_an_answer_takes_the_place_of_the_one_before(
    alice: Client, task: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which nobody can ask for any more: whoever writes and lists would fill the memory."""
    remembered = InMemory()
    monkeypatch.setattr(conditional, "cache", remembered)
    for title in "abc":
        alice.patch(f"{URL}/{task['id']}", json={"title": title})
        for _ in range(2):
            (listed,) = alice.get(URL).get_json()["items"]
            assert listed["title"] == title

    assert len(remembered.entries) == 1


def test_two_services_on_one_redis_share_no_answers(
    app: Flask, alice: Client, anonymous: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = made(alice, "auth/tokens", name="x", scopes=["read"])["token"]
    script = anonymous.as_token(token)
    first = script.get(URL).headers["ETag"]
    other = replace(app.extensions["taskapp"], secret_key="another service has another")
    monkeypatch.setitem(app.extensions, "taskapp", other)

    assert script.get(URL).headers["ETag"] != first


CHANGED_BY_PROXIES = ["W/{}", "{}-gzip", "W/{}-gzip", "{}-br", "{}-zstd", "{}--gzip", "{};gzip"]


def changed(form: str, tag: str) -> str:
    """The tag as a proxy that compresses hands it on; a suffix stands inside the quotes."""
    weak, _, suffix = form.partition("{}")
    return f'{weak}{tag[:-1]}{suffix}"'


@pytest.mark.parametrize("form", CHANGED_BY_PROXIES)
@pytest.mark.parametrize("tag", ["1-2", "6AC_ZGc7B7YidDz-", "x--", "br", "a-br"])
def test_a_suffix_is_what_comes_after_the_whole_tag(form: str, tag: str) -> None:
    sent = parse_etags(changed(form, f'"{tag}"'))

    assert is_named(tag, sent)
    assert not is_named(f"{tag}2", sent)


@pytest.mark.parametrize("form", CHANGED_BY_PROXIES)
def test_a_tag_that_a_compressing_proxy_changed_is_still_ours(
    alice: Client, task: Json, form: str
) -> None:
    url = f"{URL}/{task['id']}"
    for path in (url, URL, "/api/v1/users/me"):
        tag = changed(form, alice.get(path).headers["ETag"])
        assert alice.get(path, headers={"If-None-Match": tag}).status_code == 304
    stale = changed(form, alice.get(url).headers["ETag"])
    headers = {"If-Match": stale}
    assert alice.patch(url, json={"title": "x"}, headers=headers).status_code == 200
    assert alice.patch(url, json={"title": "y"}, headers=headers).status_code == 412


@pytest.mark.parametrize("form", ["{}", '"x", {}', "*"])
def test_if_match_lets_a_fresh_write_through(alice: Client, task: Json, form: str) -> None:
    url = f"{URL}/{task['id']}"
    for method, body in (("PATCH", {"title": "x"}), ("DELETE", None)):
        tag = {"If-Match": form.format(alice.get(url).headers["ETag"])}
        assert alice.open(url, method=method, json=body, headers=tag).status_code < 300


@pytest.mark.parametrize("form", ["{old}", "W/{old}", '"x", "y"', "x", '""', ""])
def test_if_match_stops_a_stale_write(alice: Client, task: Json, form: str) -> None:
    url = f"{URL}/{task['id']}"
    old = alice.get(url).headers["ETag"]
    new = alice.patch(url, json={"status": "done"}).headers["ETag"]
    tag = {"If-Match": form.format(old=old, new=new)}

    for method, body in (("PATCH", {"title": "x"}), ("PATCH", {}), ("DELETE", None)):
        response = alice.open(url, method=method, json=body, headers=tag)
        assert refused(response) == (412, "precondition-failed")
    assert alice.get(url).headers["ETag"] == new


def test_a_tag_of_another_task_is_no_tag_of_this_one(alice: Client, task: Json) -> None:
    tag = alice.get(f"{URL}/{add(alice)['id']}").headers["ETag"]

    response = alice.patch(f"{URL}/{task['id']}", json={}, headers={"If-Match": tag})

    assert refused(response) == (412, "precondition-failed")


def test_nothing_is_there_to_match(alice: Client) -> None:
    response = alice.patch(f"{URL}/{2**62}", json={}, headers={"If-Match": "*"})

    assert refused(response) == (404, "not-found")


def test_of_two_writes_with_one_tag_one_is_refused(alice: Client, task: Json) -> None:
    url = f"{URL}/{task['id']}"
    tag = {"If-Match": alice.get(url).headers["ETag"]}

    def write(title: str) -> int:
        return alice.patch(url, json={"title": title}, headers=tag).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(write, "ab")) == [200, 412]


def test_a_service_may_want_if_match_on_every_write(
    app: Flask, alice: Client, task: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = replace(app.extensions["taskapp"], require_if_match=True)
    monkeypatch.setitem(app.extensions, "taskapp", strict)
    things = (f"{URL}/{task['id']}", f"/api/v1/projects/{task['project_id']}", "/api/v1/users/me")

    for url in things:
        for headers in ({}, {"If-None-Match": '"another"'}):  # that says nothing of what is there
            response = alice.patch(url, json={}, headers=headers)
            assert refused(response) == (428, "precondition-required")
        assert alice.patch(url, json={}, headers={"If-Match": "*"}).status_code == 200
    assert refused(alice.delete(things[0])) == (428, "precondition-required")
    assert add(alice)["title"]  # there is nothing yet that could be overwritten
