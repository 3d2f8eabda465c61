"""A short soak, with every attacker beside people at work; `python -m tests.faults.soak` is long"""

from __future__ import annotations

import pytest

from tests import leftovers
from tests.faults.attackers import ATTACKS
from tests.faults.soak import MOST_MEMORY, soak

pytestmark = pytest.mark.faults


def test_whatever_attackers_do_nothing_is_lost_and_memory_is_bounded() -> None:
    """How long others wait says nothing on a machine that does something else as well."""
    with leftovers.folder() as folder:
        outcome = soak(20, folder)

    assert (outcome.lost, outcome.acknowledged > 0) == (0, True)
    assert outcome.memory < MOST_MEMORY
    assert outcome.statuses.keys() <= {"200", "201", "429", "503"}
    answered = {name: rounds.answers for name, rounds in outcome.attacks.items()}
    assert len(answered) == len(ATTACKS)
    assert not any("500" in answers for answers in answered.values())
    assert "401" in answered["guesses at sign in"]
    assert answered["combining marks"].keys() <= {"422", "429"}
    assert answered["forged tokens"].keys() <= {"401", "429"}
    assert "200" not in answered["guesses of the metrics token"]
