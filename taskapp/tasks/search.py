"""Search in titles and descriptions: by words through an index, by other signs literally."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import TSQUERY

from taskapp.database.session import Body
from taskapp.tasks.models import TASKS

WORD = re.compile(r"[^\W_]+")
MAX_WORD_LENGTH = 100  # code points; PostgreSQL refuses lexemes past 2 KB
LIKE_WILDCARDS = re.compile(r"[/%_]")
_MATCHING_ROWS = sa.text("SELECT rowid FROM task_words WHERE task_words MATCH :terms").columns(
    sa.column("rowid", sa.Integer)
)
_HAS_WORDS = {
    "sqlite": TASKS.c.id.in_(_MATCHING_ROWS),
    "postgresql": TASKS.c.words.op("@@")(sa.cast(bindparam("terms"), TSQUERY)),
}
_TEXT = TASKS.c.title + "\n" + TASKS.c.description


class Search(NamedTuple):
    """How a text is searched for: what a statement's shape knows of it."""

    dialect: str
    words: bool  # it holds words
    signs: int  # how many of its parts hold something else

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """What a task must fulfil; the parameters are those of `search_for`."""
        if self.words:
            yield _HAS_WORDS[self.dialect]
        for number in range(self.signs):
            yield _TEXT.icontains(bindparam(f"sign_{number}"), escape="/")
        if not self.words and not self.signs:
            yield sa.false()


def words(*texts: str) -> list[str]:
    """The words of texts as search compares them: runs of letters and digits, without case."""
    return [word[:MAX_WORD_LENGTH] for text in texts for word in WORD.findall(text.casefold())]


def search_for(text: str, dialect: str) -> tuple[Search, Body]:
    """How to search for a text, and the parameters: every word, the last may be a beginning."""
    values: Body = {}
    for part in text.split():
        if WORD.sub("", part):
            values[f"sign_{len(values)}"] = LIKE_WILDCARDS.sub(r"/\g<0>", part)
    search = Search(dialect, bool(words(text)), len(values))
    return search, {**values, "terms": _terms(words(text), dialect)}


def _terms(wanted: list[str], dialect: str) -> str:
    if dialect == "postgresql":
        return " & ".join(f"'{word}'" for word in wanted) + ":*"
    return " AND ".join(f'"{word}"' for word in wanted) + "*"
