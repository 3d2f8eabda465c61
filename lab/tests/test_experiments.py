"""What the newer experiments rest on: callers who have gone, retries, and what a kill leaves."""

import socket
from collections import Counter

import pytest

from lab.experiments.hang_up.sync import gone
from lab.experiments.storm.clients import ATTEMPTS, BUDGET, Plan
from lab.experiments.storm.experiment import POLICIES, RATE, recovery, run
from lab.load import Arrival, LoadError, generator
from lab.servers import gunicorn, redis

pytestmark = pytest.mark.xdist_group("load")


def test_a_worker_can_see_that_its_caller_has_gone() -> None:
    here, there = socket.socketpair()
    with here:
        assert not gone(here)
        there.close()
        assert gone(here)


@pytest.mark.parametrize(
    ("policy", "most"),
    [("none", 1), ("at once", ATTEMPTS), ("backoff", ATTEMPTS), ("budget", ATTEMPTS)],
)
def test_callers_of_a_dead_server_try_as_often_as_their_policy_says(policy: str, most: int) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen: every attempt is refused at once
        port = nobody.getsockname()[1]
        answers = run(Plan(port, "/", RATE, 1.0, policy, stall_at=0, stall=[]))

    attempts = Counter(n for _, _, n in answers)
    assert len(answers) > RATE / 2
    assert all(took is None for _, took, _ in answers)
    assert max(attempts) <= most
    retries = sum((n - 1) * count for n, count in attempts.items())
    if policy == "budget":
        assert retries <= BUDGET * len(answers)
    else:
        assert set(attempts) == {most}


def test_recovery_is_counted_from_the_last_time_callers_were_not_answered() -> None:
    times = [number / 10 for number in range(40)]
    bad_until_two = [(at, 0.1 if at >= 2 else None, 1) for at in times]

    assert recovery(bad_until_two, end=0, after=4) == 2
    assert recovery([(at, None, 1) for at in times], end=0, after=4) == 4
    assert recovery([(at, 0.1, 1) for at in times], end=0, after=4) == 0.5


def test_arithmetic_says_which_policies_recover() -> None:
    result = {policy.name: policy.recovery(80, most=10) for policy in POLICIES}

    assert result["no retries"] == pytest.approx(2)
    assert result["retries at once"] == result["retries with backoff"] == 10
    assert result["backoff and a budget of 10 %"] == pytest.approx(2.8)


def test_a_server_with_a_bounded_line_refuses_at_once_and_says_when_to_come_back() -> None:
    with gunicorn("lab.experiments.storm.sync:app", threads=64) as server, generator() as load:
        crowd = [Arrival(0, "/shed/0.5")] * 40

        with pytest.raises(LoadError, match=r"20 of 40 requests failed: \{503\}"):
            load.arrivals(server.port, crowd)


def test_a_redis_ends_with_its_block() -> None:
    with redis() as url:
        port = int(url.split(":")[-1].split("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"PING\r\n")
            assert client.recv(10).startswith(b"+PONG")

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
