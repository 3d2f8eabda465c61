"""Search in titles and descriptions: words through an index, other characters literally."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam

from taskapp.database.session import Body
from taskapp.tasks.folding import IS_UNSPACED, MAX_WORD_LENGTH, WORD, fold, runs, title_key, words
from taskapp.tasks.models import TASK

LIKE_WILDCARDS = re.compile(r"[/%_]")
# Not `false()`, which takes the place of all conditions beside it, and so of their parameters.
NOTHING = sa.literal_column("1") == sa.literal_column("0")
MAX_TERMS_LENGTH = 400_000  # characters; a tsquery holds 1 MB of words
_TEXT = TASK.title + "\n" + TASK.description
# What `fold` makes of a text in ASCII.
_IN_ASCII: sa.ColumnElement[str] = sa.func.replace(sa.func.lower(_TEXT), "`", "'")
_FOLDED = sa.func.coalesce(TASK.folded, _IN_ASCII)
# Literally the expression that is indexed: see migration 0017.
_WORDS_IN_PROJECT: sa.ColumnElement[str] = sa.literal_column(
    "replace(' ' || tasks.words::text, ' ''', ' ''' || tasks.project_id || 'x')::tsvector"
)
# FTS5 is asked by the name of its table, as if that were a column.
_FTS5: sa.ColumnElement[str] = sa.literal_column("task_words")
_ROW_IDS = sa.select(sa.column("rowid", sa.Integer)).select_from(sa.table("task_words"))
# How rows were folded before migration 0005, and how workers of an older release still do.
_FORMER_WORD = re.compile(r"[^\W_]+")


class Term(NamedTuple):
    """A word that is searched for, or the beginning of one."""

    word: str
    is_beginning: bool

    def spelled(self, dialect: str, project: str = "") -> str:
        """As a query of words has it; those of project 12 are indexed as `12xwater`."""
        word = project + self.word
        quoted, wildcard = f'"{word}"', "*"
        if dialect == "postgresql":
            quoted, wildcard = f"'{word}'", ":*"
        return quoted + wildcard if self.is_beginning else quoted

    def pattern(self) -> str:
        """A regular expression, to be matched at the start of a task's words."""
        end = "" if self.is_beginning else r"(?:\s|$)"
        return rf"(?=(?:.*\s)?{re.escape(self.word)}{end})"


class Search(NamedTuple):
    """How a text is searched for: the part of it that a statement depends on."""

    dialect: str
    pieces: int  # of the terms; 0: it holds no words
    signs: int  # how many of its parts are searched for literally
    former_signs: int  # the same for rows that are not refolded yet; 0 if there is no difference

    def conditions(self, *, by_index: bool) -> Iterator[sa.ColumnElement[bool]]:
        """The conditions; their parameters come from `search_for`.

        By the index of words, or by the words of each row.
        """
        if self.pieces:
            yield self._has_words() if by_index else self._shows_words()
        if self.signs:
            yield self._has_signs()
        if not self.pieces and not self.signs:
            yield NOTHING

    def _has_words(self) -> sa.ColumnElement[bool]:
        ways: list[sa.ColumnElement[bool]] = []
        for number in range(self.pieces):
            terms: sa.BindParameter[str] = bindparam(f"terms_{number}")
            if self.dialect == "postgresql":
                ways.append(_WORDS_IN_PROJECT.op("@@")(_as_query(terms)))
            else:
                found = _ROW_IDS.where(_FTS5.op("MATCH")(terms))
                ways.append(TASK.id.in_(found))
        return sa.or_(*ways)

    def _shows_words(self) -> sa.ColumnElement[bool]:
        if self.dialect == "postgresql":
            return TASK.words.op("@@")(_as_query(bindparam("plain_terms")))
        return TASK.words.regexp_match(bindparam("words_pattern", type_=sa.Text))

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


def _as_query(terms: sa.BindParameter[str]) -> sa.ColumnElement[str]:
    """For PostgreSQL, whose types nobody else loads."""
    from sqlalchemy.dialects.postgresql import TSQUERY

    return sa.cast(terms, TSQUERY)


def index(title: str, description: str) -> Body:
    """The columns for search and sorting; `folded` is None where SQL can fold the text itself."""
    text = f"{title}\n{description}"
    folded = fold(text)
    found: Body = {"words": words(folded), "title_key": title_key(title)}
    found["folded"] = None if text.isascii() else folded
    return found


def search_for(text: str, dialect: str, project_ids: list[int]) -> tuple[Search, Body]:
    """How to search for a text, and its parameters: all words, the last possibly unfinished."""
    folded = fold(text)
    signs = list(_literal_parts(folded))
    former_signs = [part for part in text.split() if _FORMER_WORD.sub("", part)]
    if former_signs == signs or text.isascii():
        former_signs = []
    ways = _ways(folded, text)
    pieces = list(_in_projects(dialect, ways, project_ids)) if ways else []
    values: Body = {f"terms_{number}": piece for number, piece in enumerate(pieces)}
    values["plain_terms"] = _spelled(dialect, ways)
    values["words_pattern"] = "|".join(_pattern(way) for way in ways)
    values.update(_escaped("sign", signs))
    values.update(_escaped("former_sign", former_signs))
    search = Search(dialect, len(pieces), len(signs), len(former_signs))
    return search, values


def _ways(folded: str, text: str) -> list[list[Term]]:
    """All terms of the present folding, and all of the former one where that has others."""
    terms, former_terms = list(_terms(folded)), list(_former_terms(text))
    ways = [terms] if former_terms == terms else [terms, former_terms]
    return list(filter(None, ways))


def _in_projects(dialect: str, ways: list[list[Term]], project_ids: list[int]) -> Iterator[str]:
    """The terms in each of the projects, in pieces that a database takes."""
    either = " | " if dialect == "postgresql" else " OR "
    piece = ""
    for project_id in project_ids:
        spelled = _spelled(dialect, ways, f"{project_id}x")
        if len(piece) + len(spelled) > MAX_TERMS_LENGTH:
            yield piece
            piece = ""
        piece = f"{piece}{either}{spelled}" if piece else spelled
    if piece:
        yield piece


def _spelled(dialect: str, ways: list[list[Term]], project: str = "") -> str:
    both, either = " AND ", " OR "
    if dialect == "postgresql":
        both, either = " & ", " | "
    together = []
    for way in ways:
        terms = [term.spelled(dialect, project) for term in way]
        together.append(f"({both.join(terms)})")
    return either.join(together)


def _pattern(way: list[Term]) -> str:
    return "^" + "".join(term.pattern() for term in way)


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


def _terms(folded: str) -> Iterator[Term]:
    """A term for each word; in an unspaced script for each pair of neighbouring letters."""
    found = list(runs(folded))
    for run in found:
        if not IS_UNSPACED.match(run):
            is_last = run is found[-1]
            yield Term(run[:MAX_WORD_LENGTH], is_last)
        elif len(run) == 1:
            yield Term(run, is_beginning=True)
        else:
            for first, second in pairwise(run):
                yield Term(first + second, is_beginning=False)


def _former_terms(text: str) -> Iterator[Term]:
    found = _FORMER_WORD.findall(text.casefold())
    last = len(found) - 1
    for number, word in enumerate(found):
        yield Term(word[:MAX_WORD_LENGTH], number == last)
