"""A short soak, with every attacker beside people at work; `python -m tests.faults.soak` is long"""

from __future__ import annotations

import pytest

from tests import leftovers
from tests.faults.soak import ATTACKS, MOST_MEMORY, soak

pytestmark = pytest.mark.faults


def test_whatever_attackers_do_nothing_is_lost_and_memory_is_bounded() -> None:
    """How long others wait says nothing on a machine that does something else as well."""
    with leftovers.folder() as folder:
        outcome = soak(20, folder)

    assert (outcome.lost, outcome.acknowledged > 0) == (0, True)
    assert outcome.memory < MOST_MEMORY
    assert outcome.statuses.keys() <= {200, 201, 429, 503}
    assert outcome.attacks.keys() == {attack.__name__ for attack in ATTACKS}
    answered = {name: answers.keys() for name, answers in outcome.attacks.items()}
    assert not any(500 in statuses for statuses in answered.values())
    assert 401 in answered["guesses"]
    assert answered["combining_marks"] <= {422, 429}
