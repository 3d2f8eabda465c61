"""Search in titles and descriptions: by words through an index, by other signs literally."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import TSQUERY

from taskapp.database.session import Body
from taskapp.tasks.folding import IS_UNSPACED, MAX_WORD_LENGTH, WORD, fold, runs, title_key, words
from taskapp.tasks.models import TASK

LIKE_WILDCARDS = re.compile(r"[/%_]")
_MATCHING_ROWS = sa.text("SELECT rowid FROM task_words WHERE task_words MATCH :terms").columns(
    sa.column("rowid", sa.Integer)
)
_HAS_WORDS = {
    "sqlite": TASK.id.in_(_MATCHING_ROWS),
    "postgresql": TASK.words.op("@@")(sa.cast(bindparam("terms"), TSQUERY)),
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
        now = [_FOLDED.contains(bindparam(f"sign_{n}"), escape="/") for n in range(self.signs)]
        if not self.former_signs:
            return sa.and_(*now)
        names = [f"former_sign_{number}" for number in range(self.former_signs)]
        formerly = [_TEXT.icontains(bindparam(name), escape="/") for name in names]
        return sa.or_(sa.and_(*now), sa.and_(TASK.folded.is_(None), *formerly))


def index(title: str, description: str) -> Body:
    """The columns by which a task is found and sorted; `folded` is left out where `lower` does."""
    text = f"{title}\n{description}"
    folded = fold(text)
    return {
        "words": words(folded),
        "folded": None if text.isascii() else folded,
        "title_key": title_key(title),
    }


def search_for(text: str, dialect: str) -> tuple[Search, Body]:
    """How to search for a text, and the parameters: every word, the last may be a beginning."""
    folded = fold(text)
    signs = list(_literal_parts(folded))
    former_signs = [part for part in text.split() if _FORMER_WORD.sub("", part)]
    if former_signs == signs or text.isascii():
        former_signs = []
    terms = _either(dialect, _terms(folded, dialect), _former_terms(text, dialect))
    values: Body = {"terms": terms}
    for name, parts in (("sign", signs), ("former_sign", former_signs)):
        for number, part in enumerate(parts):
            values[f"{name}_{number}"] = LIKE_WILDCARDS.sub(r"/\g<0>", part)
    return Search(dialect, bool(terms), len(signs), len(former_signs)), values


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
            pairs = [run[at : at + 2] for at in range(len(run) - 1)]
            terms += [_term(pair, dialect, is_beginning=False) for pair in pairs]
    return terms


def _former_terms(text: str, dialect: str) -> list[str]:
    found = [word[:MAX_WORD_LENGTH] for word in _FORMER_WORD.findall(text.casefold())]
    last = len(found) - 1
    return [_term(word, dialect, is_beginning=n == last) for n, word in enumerate(found)]


def _term(word: str, dialect: str, *, is_beginning: bool) -> str:
    if dialect == "postgresql":
        return f"'{word}':*" if is_beginning else f"'{word}'"
    return f'"{word}"*' if is_beginning else f'"{word}"'


def _either(dialect: str, terms: list[str], former: list[str]) -> str:
    """All terms of today's folding, or all of the former one."""
    both, either = (" & ", " | ") if dialect == "postgresql" else (" AND ", " OR ")
    ways = dict.fromkeys(both.join(way) for way in (terms, former) if way)
    return either.join(f"({way})" for way in ways)
