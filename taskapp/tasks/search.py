"""Search in titles and descriptions: by words through an index, by other signs literally."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import TSQUERY

from taskapp.database.session import Body
from taskapp.tasks.folding import IS_UNSPACED, MAX_WORD_LENGTH, WORD, fold, runs, title_key, words
from taskapp.tasks.models import TASK

LIKE_WILDCARDS = re.compile(r"[/%_]")
_ROW_ID = sa.column("rowid", sa.Integer)
_MATCHING = sa.text("SELECT rowid FROM task_words WHERE task_words MATCH :terms")
_TERMS = sa.cast(bindparam("terms"), TSQUERY)
_HAS_WORDS = {
    "sqlite": TASK.id.in_(_MATCHING.columns(_ROW_ID)),
    "postgresql": TASK.words.op("@@")(_TERMS),
}
_TEXT = TASK.title + "\n" + TASK.description
_FOLDED = sa.func.coalesce(TASK.folded, sa.func.lower(_TEXT))
# How rows were folded until migration 0005, and how old workers fold beside it.
_FORMER_WORD = re.compile(r"[^\W_]+")


class Search(NamedTuple):
    """How a text is searched for: what a statement's shape knows of it."""

    dialect: str
    words: bool  # it holds words
    signs: int  # how many of its parts are looked for literally
    former_signs: int  # the same for rows that are not folded anew yet; 0 where it is the same

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """What a task must fulfil; the parameters are those of `search_for`."""
        if self.words:
            yield _HAS_WORDS[self.dialect]
        if self.signs:
            yield self._has_signs()
        if not self.words and not self.signs:
            yield sa.false()

    def _has_signs(self) -> sa.ColumnElement[bool]:
        conditions = []
        for number in range(self.signs):
            name = f"sign_{number}"
            conditions.append(_FOLDED.contains(bindparam(name), escape="/"))
        has_all = sa.and_(*conditions)
        if not self.former_signs:
            return has_all
        former_conditions = []
        for number in range(self.former_signs):
            name = f"former_sign_{number}"
            former_conditions.append(_TEXT.icontains(bindparam(name), escape="/"))
        had_all = sa.and_(TASK.folded.is_(None), *former_conditions)
        return sa.or_(has_all, had_all)


def index(title: str, description: str) -> Body:
    """The columns by which a task is found and sorted; `folded` is left out where `lower` does."""
    text = f"{title}\n{description}"
    folded = fold(text)
    found: Body = {"words": words(folded), "title_key": title_key(title)}
    found["folded"] = None if text.isascii() else folded
    return found


def search_for(text: str, dialect: str) -> tuple[Search, Body]:
    """How to search for a text, and the parameters: every word, the last may be a beginning."""
    folded = fold(text)
    signs = list(_literal_parts(folded))
    former_signs = [part for part in text.split() if _FORMER_WORD.sub("", part)]
    if former_signs == signs or text.isascii():
        former_signs = []
    terms = _either(dialect, _terms(folded, dialect), _former_terms(text, dialect))
    values: Body = {"terms": terms}
    values.update(_escaped("sign", signs))
    values.update(_escaped("former_sign", former_signs))
    search = Search(dialect, bool(terms), len(signs), len(former_signs))
    return search, values


def _escaped(name: str, parts: list[str]) -> Body:
    """Parameters for what LIKE looks for."""
    values = {}
    for number, part in enumerate(parts):
        values[f"{name}_{number}"] = LIKE_WILDCARDS.sub(r"/\g<0>", part)
    return values


def _literal_parts(folded: str) -> Iterator[str]:
    """What words do not say: parts with other signs, and the order of letters without spaces."""
    for part in folded.split():
        if WORD.sub("", part):
            yield part
            continue
        for run in runs(part):
            if len(run) > 2 and IS_UNSPACED.match(run):
                yield run


def _terms(folded: str, dialect: str) -> list[str]:
    """A term for each word; of a run without spaces for each pair of neighbours."""
    found = list(runs(folded))
    terms = []
    for run in found:
        if not IS_UNSPACED.match(run):
            is_last = run is found[-1]
            terms.append(_term(run[:MAX_WORD_LENGTH], dialect, is_beginning=is_last))
        elif len(run) == 1:
            terms.append(_term(run, dialect, is_beginning=True))
        else:
            for first, second in pairwise(run):
                pair = first + second
                terms.append(_term(pair, dialect, is_beginning=False))
    return terms


def _former_terms(text: str, dialect: str) -> list[str]:
    found = _FORMER_WORD.findall(text.casefold())
    last = len(found) - 1
    terms = []
    for number, word in enumerate(found):
        is_last = number == last
        terms.append(_term(word[:MAX_WORD_LENGTH], dialect, is_beginning=is_last))
    return terms


def _term(word: str, dialect: str, *, is_beginning: bool) -> str:
    quoted, wildcard = f'"{word}"', "*"
    if dialect == "postgresql":
        quoted, wildcard = f"'{word}'", ":*"
    return quoted + wildcard if is_beginning else quoted


def _either(dialect: str, terms: list[str], former: list[str]) -> str:
    """All terms of today's folding, or all of the former one."""
    both, either = " AND ", " OR "
    if dialect == "postgresql":
        both, either = " & ", " | "
    ways = []
    for way in filter(None, (terms, former)):
        together = f"({both.join(way)})"
        if together not in ways:
            ways.append(together)
    return either.join(ways)
