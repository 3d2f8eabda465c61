"""A small in-memory task queue with workers, retries and back-pressure, twice."""

from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """How a job ended: its value, or the error of its last attempt."""

    name: str
    attempts: int
    value: Any = None
    error: Exception | None = None
