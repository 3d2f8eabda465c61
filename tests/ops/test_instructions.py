"""make instructions: what was never stored is not called cheap"""

from __future__ import annotations

import json

import pytest

from bench import instructions


@pytest.mark.parametrize(
    ("counted", "before", "is_cheap"),
    [(1_000, 1_000, True), (900, 1_000, True), (1_200, 1_000, False), (1_000, None, False)],
)
def test_judges_by_what_was_stored(counted: int, before: int | None, *, is_cheap: bool) -> None:
    assert instructions.judged(counted, before)[0] is is_cheap


def test_what_is_stored_has_the_names_of_what_is_counted() -> None:
    """A question that was renamed would be compared with itself, or with nothing."""
    stored = json.loads(instructions.BASELINE.read_text(encoding="utf-8")).keys() - {"on"}
    places = (("sqlite", instructions.REQUESTS), ("postgresql", instructions.REQUESTS))
    asked = {f"{place} {name}" for place, names in places for name in names}
    asked |= {f"worker {name}" for name in instructions.WORKER}

    assert stored <= asked
    assert {f"sqlite {name}" for name in instructions.REQUESTS} <= stored
