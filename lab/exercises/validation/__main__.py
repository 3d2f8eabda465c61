"""python -m lab.exercises.validation: the same posts through both, right and wrong."""

import argparse
from typing import Any

from lab.exercises.clock import best, table
from lab.exercises.validation import async_, sync


def post(comments: int, **user: Any) -> dict[str, Any]:
    """A post that is right, but for what is said about its author."""
    author = {"name": "Ann", "email": "ann@example.com", "password": "Correct-Horse-7"}
    author |= {"born": "1990-05-17", **user}
    comment = {"author": "bob@example.com", "text": "Well said."}
    return {"title": "Hello", "author": author, "comments": [comment] * comments}


CASES = {
    "a post": post(0),
    "a post with 20 comments": post(20),
    "a post with 4 mistakes": post(0, name="", email="nobody", password="short", born="2999-01-01"),  # noqa: S106 - nobody's
}


def main() -> None:
    options = argparse.ArgumentParser(description="Validate posts with marshmallow and pydantic.")
    options.add_argument("--times", type=int, default=200)
    arguments = options.parse_args()
    rows = []
    for name, data in CASES.items():
        spent = [
            best(lambda check=check: check(data), each=arguments.times) * 1e6  # type: ignore[misc]  # noqa: B023
            for check in (sync.wrong_places, async_.wrong_places)
        ]
        rows.append((name, *(f"{each:.0f}" for each in spent), f"{spent[0] / spent[1]:.1f}"))
    print(table(("µs each", "marshmallow", "pydantic", "ratio"), *rows))


if __name__ == "__main__":
    main()
