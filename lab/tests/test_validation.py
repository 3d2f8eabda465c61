"""The validation exercise: the same posts through marshmallow and pydantic."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from lab.exercises.validation import age_on, async_, sync
from lab.exercises.validation.__main__ import post

Check = Callable[[dict[str, Any]], set[str]]
COMMENT = {"author": "bob@example.com", "text": "Well said."}


@pytest.fixture(params=[sync, async_], ids=["marshmallow", "pydantic"])
def check(request: pytest.FixtureRequest) -> Check:
    result: Check = request.param.wrong_places
    return result


def test_a_right_post_has_no_wrong_places(check: Check) -> None:
    assert check(post(3)) == set()


@pytest.mark.parametrize(
    "password",
    ["Short-1", "all-lower-case-7", "ALL-UPPER-CASE-7", "No-Digits-Here", "NoSigns1234567"],
)
def test_wants_a_strong_password(check: Check, password: str) -> None:
    assert check(post(0, password=password)) == {"author.password"}


@pytest.mark.parametrize(
    "email", ["", "nobody", "a b@example.com", "ann@", "@example.com", "ann@ex..com"]
)
def test_wants_a_real_address(check: Check, email: str) -> None:
    assert check(post(0, email=email)) == {"author.email"}


def test_wants_adults(check: Check) -> None:
    today = dt.datetime.now(dt.UTC).date()
    child = today.replace(year=today.year - 17, day=1).isoformat()
    grown = today.replace(year=today.year - 18, day=1).isoformat()

    assert check(post(0, born=child)) == {"author.born"}
    assert check(post(0, born=grown)) == set()


def test_names_every_wrong_place(check: Check) -> None:
    data = post(0, name="", born="yesterday")
    data["comments"] = [COMMENT, {**COMMENT, "text": ""}, {"author": "nobody"}]
    data["title"] = None

    assert check(data) == {
        "title", "author.name", "author.born",
        "comments.1.text", "comments.2.author", "comments.2.text",
    }  # fmt: skip


def test_refuses_what_it_does_not_know(check: Check) -> None:
    assert check({**post(0), "surprise": 1}) == {"surprise"}


def test_they_do_not_agree_on_every_address() -> None:
    """What is real? email-validator refuses names that can be nobody's on the internet."""
    reserved = post(0, email="ann@printer.local")

    assert sync.wrong_places(reserved) == set()
    assert async_.wrong_places(reserved) == {"author.email"}


@pytest.mark.parametrize(
    ("day", "age"), [("2026-05-16", 17), ("2026-05-17", 18), ("2026-12-31", 18)]
)
def test_a_birthday_counts_from_its_own_day_on(day: str, age: int) -> None:
    assert age_on(dt.date.fromisoformat(day), dt.date(2008, 5, 17)) == age
