"""Search in titles and descriptions: words through an index, other characters literally."""

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
# Not `false()`, which takes the place of all conditions beside it, and so of their parameters.
NOTHING = sa.literal_column("1") == sa.literal_column("0")
_ROW_ID = sa.column("rowid", sa.Integer)
_MATCHING = sa.text("SELECT rowid FROM task_words WHERE task_words MATCH :terms")
_TERMS = sa.cast(bindparam("terms"), TSQUERY)
_HAS_WORDS = {
    "sqlite": TASK.id.in_(_MATCHING.columns(_ROW_ID)),
    "postgresql": TASK.words.op("@@")(_TERMS),
}
_TEXT = TASK.title + "\n" + TASK.description
_FOLDED = sa.func.coalesce(TASK.folded, sa.func.lower(_TEXT))
# How rows were folded before migration 0005, and how workers of an older release still do.
_FORMER_WORD = re.compile(r"[^\W_]+")


class Search(NamedTuple):
    """How a text is searched for: the part of it that a statement depends on."""

    dialect: str
    words: bool  # it holds words
    signs: int  # how many of its parts are searched for literally
    former_signs: int  # the same for rows that are not refolded yet; 0 if there is no difference

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """The conditions; their parameters come from `search_for`."""
        if self.words:
            yield _HAS_WORDS[self.dialect]
        if self.signs:
            yield self._has_signs()
        if not self.words and not self.signs:
            yield NOTHING

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
    """The columns for search and sorting; `folded` is None where it is the same as `lower`."""
    text = f"{title}\n{description}"
    folded = fold(text)
    found: Body = {"words": words(folded), "title_key": title_key(title)}
    found["folded"] = None if text.isascii() else folded
    return found


def search_for(text: str, dialect: str) -> tuple[Search, Body]:
    """How to search for a text, and its parameters: all words, the last possibly unfinished."""
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
    """Parameters of LIKE, one for each part."""
    values = {}
    for number, part in enumerate(parts):
        values[f"{name}_{number}"] = LIKE_WILDCARDS.sub(r"/\g<0>", part)
    return values


def _literal_parts(folded: str) -> Iterator[str]:
    """What words cannot express: other characters, and the order of letters in unspaced scripts."""
    for part in folded.split():
        if WORD.sub("", part):
            yield part
            continue
        for run in runs(part):
            if len(run) > 2 and IS_UNSPACED.match(run):
                yield run


def _terms(folded: str, dialect: str) -> list[str]:
    """A term for each word; in an unspaced script for each pair of neighbouring letters."""
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
    """All terms of the present folding, or all of the former one."""
    both, either = " AND ", " OR "
    if dialect == "postgresql":
        both, either = " & ", " | "
    ways = []
    for way in filter(None, (terms, former)):
        together = f"({both.join(way)})"
        if together not in ways:
            ways.append(together)
    return either.join(ways)
