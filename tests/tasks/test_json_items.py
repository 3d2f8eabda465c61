"""The tasks of a long JSON document, read one at a time"""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskapp.errors import Invalid, MalformedJson
from taskapp.exchange.json_items import MAX_VALUE, PIECE, Document
from taskapp.web.body import strict_json

KNOWN = {"items", "next_cursor", "total"}


class Slow(io.BytesIO):
    """A file that gives a few bytes at a time, whatever is wanted."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self.most = most

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self.most if size is None else min(size, self.most))


def items_of(text: str | bytes, most: int = 10**9) -> list[Any]:
    data = text.encode() if isinstance(text, str) else text
    return list(Document(Slow(data, most)).items(KNOWN))


simple = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    simple,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
documents = st.fixed_dictionaries(
    {"items": st.lists(values, max_size=5)},
    optional={"next_cursor": st.none() | st.text(max_size=8), "total": st.integers(0, 10**6)},
)


@given(
    document=documents,
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 0, 2]),
    most=st.integers(1, 9),
)
def test_reads_what_the_standard_library_reads(
    document: Any, ascii_only: bool, indent: int | None, most: int
) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)

    assert items_of(text, most) == strict_json(text.encode())["items"]


@given(document=documents, data=st.data(), most=st.integers(1, 9))
def test_a_document_that_was_cut_is_never_taken_for_a_whole_one(
    document: Any, data: st.DataObject, most: int
) -> None:
    text = json.dumps(document).encode()
    length = data.draw(st.integers(0, len(text) - 1))

    with pytest.raises((MalformedJson, Invalid)):
        items_of(text[:length], most)


@pytest.mark.parametrize("most", [1, 10**9])
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x",
        "{",
        "{]",
        '{"items"}',
        '{"items": []',
        '{"items": []}}',
        '{"items": []} x',
        '{"items": [1 2]}',
        '{"items": [1,]}',
        '{"items": [,1]}',
        '{"items": [1}',
        '{"items": [],}',
        '{"items": [] "total": 1}',
        '{"items": [], "items": []}',
        "{items: []}",
        "{1: []}",
        '{"items": [NaN]}',
        '{"items": [1e999]}',
        '{"items": [9223372036854775808]}',
        '{"items": [{"a": 1, "a": 2}]}',
        '{"items": [01]}',
        "{'items': []}",
        '\ufeff{"items": []}',
        '{"items": ["\\ud800x"',
        b'{"items": ["\xff"]}',
        b'{"items": []}\xc3',
        '{"items": [' + "[" * 31 + "]" * 31 + "]}",
        '{"items": [' + "[" * 100_000 + "]}",
    ],
)
def test_what_is_not_strict_is_refused(text: str | bytes, most: int) -> None:
    if len(text) > PIECE:
        most = PIECE

    with pytest.raises(MalformedJson):
        items_of(text, most)


@pytest.mark.parametrize("number", ["12345", "-0.5e10", "1234567890123456789012.5", "0"])
@pytest.mark.parametrize("most", [1, 2, 7])
def test_a_number_may_lie_across_two_pieces(number: str, most: int) -> None:
    text = f'{{"total": {number} , "items": [{number},{number}]}}'

    assert items_of(text, most) == [json.loads(number)] * 2


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[]", [""]),
        ('"x"', [""]),
        ("{}", ["/items"]),
        ('{"items": 1}', ["/items"]),
        ('{"tasks": [{"title": "x"}]}', ["/tasks"]),
        ('{"b": 1, "a": "x", "items": []}', ["/a", "/b"]),
        ('{"a": 1, "c": {"x": 1}, "b": 2}', ["/a", "/c"]),
        ('{"items": [], "color": 1}', ["/color"]),
    ],
)
def test_what_no_list_of_tasks_has_is_named(text: str, names: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        items_of(text)

    assert [reason["pointer"] for reason in refused.value.errors or ()] == names


def test_a_value_that_is_longer_than_any_task_is_not_read_to_its_end() -> None:
    file = io.BytesIO(b'{"items": ["' + b"x" * 20 * MAX_VALUE + b'"]}')

    with pytest.raises(MalformedJson, match="Item 1 "):
        list(Document(file).items(KNOWN))
    assert file.tell() <= 3 * MAX_VALUE


def test_items_come_before_the_document_is_read_to_its_end() -> None:
    file = io.BytesIO(b'{"items": [' + b'{"title": "x"},' * 500_000)

    first = next(Document(file).items(KNOWN))

    assert first == {"title": "x"}
    assert file.tell() <= 2 * PIECE
