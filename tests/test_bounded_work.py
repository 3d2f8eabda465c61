"""What a request may cost: small bodies cannot make large work, counted rather than timed."""

from __future__ import annotations

import gc
import io
import unicodedata
import weakref
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder

from taskapp.database.caches import MAX_BYTES, MAX_VALUE_BYTES, InMemory, InRedis
from taskapp.extensions import db
from taskapp.users import passwords
from taskapp.web import body as web_body
from taskapp.web import fields
from tests.conftest import Client, named, refused

JSON = {"Content-Type": "application/json"}
LOGIN = "/api/v1/auth/login"
REGISTER = "/api/v1/auth/register"
MARKS = "\u0301\u0316"
LEET = "4@({[<369!1|0$5+7%2" * 3


class CountedUnicode:
    """Stands for `unicodedata`; notes how much was normalized at once."""

    def __init__(self) -> None:
        self.longest = 0

    def normalize(self, form: Any, text: str) -> str:
        self.longest = max(self.longest, len(text))
        return unicodedata.normalize(form, text)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> CountedUnicode:
    counted = CountedUnicode()
    monkeypatch.setattr(fields, "unicodedata", counted)
    return counted


def test_a_text_that_is_too_long_is_never_normalized(
    anonymous: Client, counted: CountedUnicode
) -> None:
    body = {"email": "a" + MARKS * 20_000, "password": "ä" * 20_000}

    assert named(anonymous.post(LOGIN, json=body)) == ["/email", "/password"]
    assert counted.longest == 0


def test_a_long_run_of_combining_marks_is_refused_before_it_is_normalized(
    alice: Client, counted: CountedUnicode
) -> None:
    body = {"title": "x", "description": "a" + MARKS * 9_000}

    assert named(alice.post("/api/v1/tasks", json=body)) == ["/description"]
    assert counted.longest <= 4 * 200


@pytest.mark.parametrize(
    ("marks", "status"), [("\u0316" * 30, 201), ("\u0316" * 31, 422), ("\u0301" * 31, 201)]
)
def test_thirty_marks_in_a_row_are_text_after_nfc(alice: Client, marks: str, status: int) -> None:
    response = alice.post("/api/v1/tasks", json={"title": f"a{marks}"})

    assert response.status_code == status


def test_a_text_that_nfc_makes_short_enough_is_taken(alice: Client) -> None:
    response = alice.post("/api/v1/tasks", json={"title": "e\u0301" * 200})

    assert response.get_json()["title"] == "é" * 200


def test_an_estimate_looks_at_24_characters(
    anonymous: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimated: list[str] = []

    def zxcvbn(password: str, user_inputs: list[str]) -> dict[str, int]:
        estimated.append(password)
        return {"score": 0}

    monkeypatch.setattr("zxcvbn.zxcvbn", zxcvbn)
    body = {"email": "x@example.com", "password": LEET, "name": "n " * 99}

    assert named(anonymous.post(REGISTER, json=body)) == ["/password"]
    assert [len(password) for password in estimated] == [24]


@pytest.mark.parametrize("keyed", [{}, {"Idempotency-Key": "hash-before-the-key"}])
def test_a_password_is_hashed_before_any_transaction(
    anonymous: Client, monkeypatch: pytest.MonkeyPatch, keyed: dict[str, str]
) -> None:
    hash_password = passwords.hash_password
    open_transactions: list[bool] = []

    def watched(password: str) -> str:
        open_transactions.append(db.session.registry().in_transaction())
        return hash_password(password)

    monkeypatch.setattr(passwords, "hash_password", watched)
    body = {"email": "dora@example.com", "password": "eleven quiet harbours", "name": "Dora"}

    assert anonymous.post(REGISTER, json=body, headers=keyed).status_code == 201
    assert open_transactions == [False]


@pytest.mark.parametrize("item", ["1", "{}", '""', "[]"])
def test_a_list_that_is_too_long_is_refused_whole(alice: Client, item: str) -> None:
    items = ",".join([item] * 300_000)
    batch = alice.post("/api/v1/tasks/batch", data=f'{{"operations":[{items}]}}', headers=JSON)
    task = alice.post("/api/v1/tasks", data=f'{{"title":"x","labels":[{items}]}}', headers=JSON)

    assert named(batch) == ["/operations"]
    assert named(task) == ["/labels"]
    assert len(batch.data) + len(task.data) < 2_000


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b'{"operations":[' + b"1," * 300_000 + b"1]}", ["/operations"]),
        (b'{"a":' * 31 + b"[" + b"[]," * 300_000 + b"1]" + b"}" * 31, [""]),
        (b"{" + b",".join(b'"k%d":1' % n for n in range(60_000)) + b"}", [""]),
        (b"[" + b"1," * 300_000 + b"1]", [""]),
    ],
)
def test_values_by_the_thousand_are_refused_before_our_reader_sees_them(
    alice: Client, monkeypatch: pytest.MonkeyPatch, body: bytes, pointers: list[str]
) -> None:
    """It is in Python, and took 0.4 s for a megabyte of empty lists, from whoever sent them."""
    monkeypatch.setattr(web_body, "DECODER", None)

    assert named(alice.post("/api/v1/tasks/batch", data=body, headers=JSON)) == pointers


def test_values_by_the_thousand_that_are_not_json_are_malformed(alice: Client) -> None:
    body = b'{"operations":[' + b"1," * 300_000 + b"}"

    answer = alice.post("/api/v1/tasks/batch", data=body, headers=JSON)

    assert refused(answer) == (400, "malformed-json")


def test_a_text_may_have_as_many_commas_as_it_has_room_for(alice: Client) -> None:
    body = {"title": "x", "description": ",[{" * 21_845}

    assert alice.post("/api/v1/tasks", json=body).status_code == 201


def test_a_batch_of_faults_names_a_hundred(alice: Client) -> None:
    operations = [{"op": "delete", "id": 0}] * 500

    assert len(named(alice.post("/api/v1/tasks/batch", json={"operations": operations}))) == 100


def test_unknown_fields_are_named_a_hundred_times_at_most(anonymous: Client) -> None:
    members = ",".join(f'"k{number}":1' for number in range(40_000))
    response = anonymous.post(LOGIN, data=f"{{{members}}}", headers=JSON)

    assert len(named(response)) == 100
    assert len(response.data) < 20_000


def test_the_cache_of_a_worker_is_bounded_in_bytes() -> None:
    cache = InMemory()
    for number in range(1_000):
        cache.set(str(number), b"x" * MAX_VALUE_BYTES)

    assert sum(len(value) for _, value in cache.entries.values()) == cache.bytes <= MAX_BYTES
    assert cache.get("999") is not None
    assert cache.get("0") is None


def test_the_cache_skips_large_answers_and_forgets_in_time() -> None:
    cache = InMemory()

    assert not cache.set("large", b"x" * (MAX_VALUE_BYTES + 1))
    assert cache.get("large") is None
    assert cache.set("short", b"x", timeout=-1)
    assert cache.get("short") is None
    assert cache.bytes == 0


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
def test_a_value_in_redis_that_somebody_else_wrote_is_a_miss(app: Flask) -> None:
    cache = InRedis()
    with app.app_context():
        redis = app.extensions["shared"].redis
        assert cache.set("question", b"answer")
        assert cache.get("question") == b"answer"
        stored = redis.get("taskapp:question")
        redis.set("taskapp:another", stored)
        redis.set("taskapp:question", stored[:-1] + b"!")

        assert cache.get("question") is None
        assert cache.get("another") is None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tasks/batch", b'{"operations":[' + b"1," * 600 + b"1]}"),
        ("/tasks", b'{"title":5}'),
        ("/tasks", b'{"title":"x","unknown":1}'),
        ("/tasks", b"[["),
        ("/tasks?unknown=1", b'{"title":"x"}'),
        ("/tasks/999999/comments", b'{"text":"x"}'),
        ("/nowhere", b"{}"),
    ],
)
def test_a_refused_request_is_let_go_at_once(
    app: Flask, alice: Client, path: str, body: bytes
) -> None:
    """By its traceback an error holds frames, and they the body; a frame that holds it in turn
    keeps both until garbage is collected, which a worker with little to do hardly ever does."""
    token = alice.environ_base["HTTP_AUTHORIZATION"]
    headers = {"Authorization": token, "Content-Type": "application/json"}
    gc.collect()
    gc.disable()
    try:
        sent = io.BytesIO(body)
        asked = EnvironBuilder(
            f"/api/v1{path}", method="POST", headers=headers, input_stream=sent,
            content_length=len(body),
        ).get_environ()  # fmt: skip
        kept = weakref.ref(sent)
        answer = app.wsgi_app(asked, lambda *_: lambda _: None)
        assert b"/problems/" in b"".join(answer)
        answer.close()
        del sent, asked, answer
        assert kept() is None
    finally:
        gc.enable()


def test_a_forbidden_place_in_a_batch_costs_one_fault(alice: Client) -> None:
    response = alice.post("/api/v1/tasks/batch", json={"operations": "x" * 100_000})

    assert refused(response) == (422, "validation-error")
    assert len(response.data) < 1_000


def test_a_time_is_as_long_as_the_document_says(alice: Client) -> None:
    """Digits of a second are many for somebody, and a megabyte of them for nobody."""
    for digits, status in ((14, 201), (15, 422), (1_000_000, 422)):
        due_at = f"2030-01-31T17:00:00.{'1' * digits}+00:00"
        response = alice.post("/api/v1/tasks", json={"title": "x", "due_at": due_at})
        assert response.status_code == status, digits
    assert named(response) == ["/due_at"]


@pytest.mark.parametrize(("alarms", "status"), [(249, 200), (250, 400)])
def test_a_calendar_task_of_many_components_is_refused_before_it_is_read(
    alice: Client, alarms: int, status: int
) -> None:
    alarm = "BEGIN:VALARM\nTRIGGER:-PT1H\nACTION:DISPLAY\nEND:VALARM\n"
    todo = f"BEGIN:VTODO\nSUMMARY:Fern\n{alarm * alarms}END:VTODO\n"
    calendar = f"BEGIN:VCALENDAR\nVERSION:2.0\n{todo}END:VCALENDAR\n"
    headers = {"Content-Type": "text/calendar"}

    response = alice.post("/api/v1/tasks/import", data=calendar, headers=headers)

    assert response.status_code == status
    if status == 400:
        assert response.get_json()["detail"] == "VTODO 1 has more than 1,000 lines."


@pytest.mark.parametrize(
    ("media_type", "head", "tail"),
    [
        ("application/x-ndjson", "", ""),
        ("text/csv", "title", ""),
        ("text/calendar", "BEGIN:VCALENDAR", "END:VCALENDAR"),
    ],
)
def test_a_worker_that_reads_empty_lines_is_seen_to_make_progress(
    alice: Client, media_type: str, head: str, tail: str
) -> None:
    """The master replaces a worker of which it hears nothing for a minute."""
    heard: list[None] = []
    progress = {"taskapp.progress": lambda: heard.append(None)}
    body = head + "\n" * 50_000 + tail
    headers = {"Content-Type": media_type}

    response = alice.post("/api/v1/tasks/import", data=body, headers=headers, environ_base=progress)

    assert response.get_json()["created"] == 0
    assert len(heard) >= 5
