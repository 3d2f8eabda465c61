"""The folding that search and sorting share"""

from __future__ import annotations

import sys
from unicodedata import category

import pytest

from taskapp.marks import APOSTROPHES, DASHES, MARKS, QUOTES
from taskapp.tasks.folding import (
    ASCII_WORD,
    MAX_KEY_BYTES,
    MAX_WORD_LENGTH,
    MAX_WORDS,
    WORD,
    fold,
    title_key,
    words,
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Water", "water"),
        ("Ähre", "ahre"),
        ("Łódź", "lodz"),
        ("İstanbul", "istanbul"),
        ("Ёлка", "елка"),
        ("Straße", "strasse"),
        ("Æther", "aether"),
        ("ﬁne", "fine"),
        ("がぎぐ", "がぎぐ"),
        ("한국어", "한국어"),
        ("ที่บ้าน", "ที่บ้าน"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("“a” – b", '"a" - b'),  # noqa: RUF001 - as people type them
    ],
)
def test_case_accents_width_and_quotes_make_no_difference(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_a_run_without_spaces_is_found_by_each_pair_of_its_letters() -> None:
    assert words("買う牛乳") == ["買う", "う牛", "牛乳", "乳"]
    assert words("buy牛乳now") == ["buy", "牛乳", "乳", "now"]
    assert words("two words, two") == ["two", "words"]


def test_at_most_5_000_words_of_a_task_are_found() -> None:
    many = " ".join(f"word{number}" for number in range(MAX_WORDS + 100))

    assert len(words(many)) == MAX_WORDS
    assert words(many)[-1] == f"word{MAX_WORDS - 1}"
    assert words(f"☃ {many}") == words(many)


def test_a_long_word_is_found_by_its_beginning_whatever_stands_beside_it() -> None:
    long = "x" * MAX_WORD_LENGTH
    text = f"{long}yz {long}z fern's"

    assert words(text) == words(f"{text} ☃") == [long, "fern", "s"]


def test_titles_sort_by_what_is_folded_first() -> None:
    titles = ["zebra", "Apple", "äpfel", "apple", "Zebra"]

    assert sorted(titles, key=title_key) == ["äpfel", "Apple", "apple", "Zebra", "zebra"]
    longest = title_key("\U0001f600" * 500)
    assert len(longest.encode()) <= 2 * MAX_KEY_BYTES + 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("don't", "don’t"),  # noqa: RUF001 - as phones type it
        ("don't", "don´t"),  # noqa: RUF001 - as keyboards without that have it
        ("don't", "don`t"),
        ('5"', "5″"),
        ("ＦＵＬＬ", "full"),  # noqa: RUF001 - in the width of ideographs
        ("CAFÉ", "cafe\u0301"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("soft\u00adhyphen", "softhyphen"),
        ("\ufeffmark", "mark"),
        ("①", "1"),
        ("㎏", "kg"),
        ("a\u2011b", "a-b"),
        ("ｶﾞ", "ガ"),
        ("أحمد", "احمد"),
    ],
)
def test_what_people_take_for_equal_is_equal_when_folded(first: str, second: str) -> None:
    assert fold(first) == fold(second)
    assert words(fold(first)) == words(fold(second))


def test_every_combining_mark_of_unicode_is_known() -> None:
    selectors = range(0xE0000, 0xF0000)  # tags, and which picture of a sign is meant
    numbers = [number for number in range(sys.maxunicode + 1) if number not in selectors]

    expected = [char for char in map(chr, numbers) if category(char) in {"Mn", "Mc"}]

    assert list(MARKS) == expected


def test_words_of_ascii_are_those_of_any_text() -> None:
    text = "".join(f"a{chr(point)}9 {chr(point)}" for point in range(128))
    assert ASCII_WORD.findall(text) == WORD.findall(text)


@pytest.mark.parametrize("style", [APOSTROPHES + "'", QUOTES + '"', DASHES + "-"])
def test_every_style_of_a_sign_is_the_same(style: str) -> None:
    for first in style:
        for beside in ("", " ☃"):  # ASCII takes a shorter way
            assert fold(f"a{first}b{beside}") == fold(f"a{style[-1]}b{beside}"), first
    assert fold(fold(style)) == fold(style)
