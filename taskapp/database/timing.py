"""Cursors that report each statement's time: the engine's events cost far more."""

import time
from collections.abc import Callable
from typing import Any

OnStatement = Callable[[Any, float], None]  # the statement, and its seconds


def timed(cursor: Any, on_statement: OnStatement) -> Any:
    """A driver's class of cursors, which calls `on_statement` after each statement."""

    class Timed(cursor):  # type: ignore[misc]  # one of two
        def execute(self, statement: Any, *values: Any) -> Any:
            return self._time(super().execute, statement, *values)

        def executemany(self, statement: Any, *values: Any) -> Any:
            return self._time(super().executemany, statement, *values)

        def _time(self, run: Callable[..., Any], statement: Any, *values: Any) -> Any:
            began = time.perf_counter()
            try:
                return run(statement, *values)
            finally:
                on_statement(statement, time.perf_counter() - began)

    return Timed
