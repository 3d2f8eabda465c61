"""Agents on /mcp lose no edit and create nothing twice, whatever is lost; needs a minute"""

from __future__ import annotations

import pytest

from tests.agents import race

pytestmark = pytest.mark.agents


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_two_agents_and_a_person_lose_nothing(database: str) -> None:
    with race.service(database) as base:
        outcome = race.run(base, [race.Agent, race.Agent, race.Person], race.OPERATIONS)

    assert outcome.created + outcome.edits == 3 * (race.OPERATIONS // 3)
    assert (outcome.duplicates, outcome.lost, outcome.doubled) == (0, 0, 0)


def test_a_naive_wrapper_loses_edits_and_creates_twice() -> None:
    with race.service("sqlite") as base:
        outcome = race.run(base, [race.NaiveAgent, race.NaiveAgent, race.NaiveAgent], 300)

    assert outcome.duplicates > 0
    assert outcome.lost > 0
