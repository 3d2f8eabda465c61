"""GET /api/v1/tasks?q=: words, taken literally"""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.conftest import Client, add

URL = "/api/v1/tasks"
TEXTS = (
    ("Water the fern", "In the blue pot"),
    ("Waterproof boots", "50% off"),
    ("Straße kehren", "ÄPFEL und Birnen"),
    ("back\\slash under_score", ""),
    ("naïve café", "Cafe\u0301 again"),
    ("買う牛乳", "🪴 plant"),
    ('say "NEAR" -not OR* (a:b)', "O'Neill's e-mail"),
)


def found(client: Client, text: str) -> list[int]:
    """Which of the texts are found, by number."""
    response = client.get(f"{URL}?q={quote(text)}&sort=id&fields=title")
    assert response.status_code == 200, response.get_json()
    titles = [title for title, _ in TEXTS]
    return [titles.index(task["title"]) for task in response.get_json()["items"]]


@pytest.fixture
def reader(alice: Client) -> Client:
    for title, description in TEXTS:
        add(alice, title, description=description)
    return alice


def test_every_word_must_be_there_and_the_last_may_be_a_beginning(reader: Client) -> None:
    for text, numbers in (
        ("water", [0, 1]),
        ("wat", [0, 1]),
        ("WATER fern", [0]),
        ("fern wat", [0]),
        ("wat fern", []),
        ("water blue", [0]),
        ("water missing", []),
        ("ater", []),
        ("  fern  ", [0]),
    ):
        assert found(reader, text) == numbers, text


def test_compares_without_case_in_any_script(reader: Client) -> None:
    for text, numbers in (
        ("strasse", [2]),
        ("STRASSE", [2]),
        ("äpfel", [2]),
        ("apfel", []),
        ("cafe\u0301", [4]),
        ("買う", [5]),
        ("牛乳", []),
        ("🪴", [5]),
    ):
        assert found(reader, text) == numbers, text


def test_signs_are_no_operators(reader: Client) -> None:
    for text, numbers in (
        ("50%", [1]),
        ("5%", []),
        ("%", [1]),
        ("_", [3]),
        ("under_score", [3]),
        ("underXscore", []),
        ("\\", [3]),
        ("slash\\", []),
        ("back\\", [3]),
        ('"', [6]),
        ('"NEAR"', [6]),
        ("OR*", [6]),
        ("-not", [6]),
        ("-fern", []),
        ("(a:b)", [6]),
        ("O'Neill", [6]),
        ("e-mail", [6]),
        ("water & fern", []),
        ("water OR boots", []),
        ("fern:*", []),
        ("'", [6]),
        ("*", [6]),
        ("!!!", []),
    ):
        assert found(reader, text) == numbers, text


def test_takes_any_words_of_its_length(reader: Client) -> None:
    for text in ("x" * 200, "z " * 100, "'" * 200, "\\" * 200, "NEAR(", "\ufeff", "\u0301"):
        assert found(reader, text) == [], text


def test_searches_only_what_the_caller_sees(reader: Client, charlie: Client) -> None:
    assert found(charlie, "water") == []


def test_long_words_are_found_by_their_beginning(alice: Client) -> None:
    task = add(alice, "x" * 200, description="y" * 65_536)

    for text in ("x" * 200, "x" * 99, "y" * 200):
        items = alice.get(f"{URL}?q={text}").get_json()["items"]
        assert [item["id"] for item in items] == [task["id"]]
