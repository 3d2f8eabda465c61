"""PostgreSQL goes away, fills up, holds a lock, freezes: a clear 503, and nothing half-written"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

import psycopg2
import pytest

from tests.faults.conftest import Postgres, running, wait_until

WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"


def locked(postgres: Postgres, url: str) -> Any:
    """A connection that holds every project's row until it is closed."""
    holder = postgres.connect(url)
    holder.autocommit = False
    holder.cursor().execute("SELECT * FROM projects FOR UPDATE")
    return closing(holder)


@contextmanager
def all_taken(postgres: Postgres, url: str) -> Iterator[None]:
    """Nobody else gets a connection."""
    with ExitStack() as taken:
        with suppress(psycopg2.OperationalError):
            while True:
                taken.enter_context(closing(postgres.connect(url)))
        yield


def test_a_restart_while_idle_goes_unnoticed(
    postgres: Postgres, on_postgres: dict[str, str]
) -> None:
    with running(**on_postgres) as service:
        assert {service.read() for _ in range(6)} == {200}
        postgres.stop()
        postgres.start()

        assert {service.read() for _ in range(6)} == {200}
        assert service.create("after") == (201, "")


def test_says_so_while_it_is_down_and_goes_on_by_itself(
    postgres: Postgres, on_postgres: dict[str, str]
) -> None:
    with running(**on_postgres) as service:
        assert service.create("before") == (201, "")
        postgres.stop()

        for _ in range(4):
            assert service.create("meanwhile") == (503, "database-unavailable")
        assert service.read() == 503
        new = {"email": "dora@example.com", "password": "seven mossy lanterns", "name": "Dora"}
        keyed = service.ask("/api/v1/auth/register", new, Idempotency_Key="5f3c-retry-me")
        assert (keyed[0], keyed[2]["code"]) == (503, "database-unavailable")
        assert service.ask("/health")[0] == 200
        status, _, problem = service.ask("/health/ready")
        assert (status, problem["code"]) == (503, "database-unavailable")

        postgres.start()
        assert service.create("after") == (201, "")
        assert service.total() == 2
        assert service.ask("/health/ready")[0] == 200


def test_killed_in_mid_transaction_it_has_half_of_nothing(
    postgres: Postgres, on_postgres: dict[str, str]
) -> None:
    url = on_postgres["DATABASE_URL"]
    with running(**on_postgres) as service, ThreadPoolExecutor(1) as pool:
        assert service.create("before") == (201, "")
        revision = service.ask("/api/v1/projects")[2]["items"][0]["revision"]
        with locked(postgres, url):
            cut = pool.submit(service.create, "cut")
            with closing(postgres.connect(url)) as watcher, watcher.cursor() as cursor:
                name = watcher.info.dbname
                wait_until(lambda: cursor.execute(WAITING, [name]) or cursor.fetchall())
            postgres.crash()
            assert cut.result() == (503, "database-unavailable")
        postgres.start()

        assert service.total() == 1
        assert service.ask("/api/v1/projects")[2]["items"][0]["revision"] == revision
        assert service.create("cut") == (201, "")


def test_out_of_connections(postgres: Postgres, on_postgres: dict[str, str]) -> None:
    url = on_postgres["DATABASE_URL"]
    with running(**on_postgres) as service:
        postgres.stop()  # the workers' own connections end
        postgres.start()
        with all_taken(postgres, url):
            assert service.create("refused") == (503, "database-unavailable")

        wait_until(lambda: service.read() == 200)
        assert service.create("taken") == (201, "")
        assert service.total() == 1


def test_a_lock_held_for_long_is_not_waited_for(
    postgres: Postgres, on_postgres: dict[str, str]
) -> None:
    with running(**on_postgres) as service:
        with locked(postgres, on_postgres["DATABASE_URL"]), ThreadPoolExecutor(1) as pool:
            began = time.monotonic()
            waiting = pool.submit(service.create, "waiting")
            assert service.read() == 200  # readers wait for nobody
            assert waiting.result() == (503, "database-busy")
            assert 4 < time.monotonic() - began < 15
        assert service.total() == 0
        assert service.create("waiting") == (201, "")


@pytest.mark.faults
def test_frozen_it_holds_nobody_for_long(postgres: Postgres, on_postgres: dict[str, str]) -> None:
    with running(**on_postgres) as service:
        assert service.create("before") == (201, "")
        workers = {worker.pid for worker in service.workers}
        with postgres.frozen():
            for _ in range(2):
                began = time.monotonic()
                assert service.create("frozen") == (503, "database-unavailable")
                assert time.monotonic() - began < 25
            assert service.ask("/health")[0] == 200

        assert service.create("after") == (201, "")
        assert service.total() == 2
        assert {worker.pid for worker in service.workers} == workers
