"""What the timing commands share: a stopwatch and a table."""

import time
from collections.abc import Callable, Sequence


def seconds(work: Callable[[], object]) -> float:
    """How long this takes, by a clock that nobody sets."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def best(work: Callable[[], object], *, times: int = 5, each: int = 1) -> float:
    """Seconds for one run: the best of a few rounds, since noise only ever adds."""

    def round_of_runs() -> None:
        for _ in range(each):
            work()

    return min(seconds(round_of_runs) for _ in range(times)) / each


def table(*rows: Sequence[object]) -> str:
    """Rows as columns of equal width; the first row is the heading."""
    text = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in text) for column in range(len(text[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in text
    )
    return "\n".join(lines)
