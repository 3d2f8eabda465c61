"""How text is folded before search and sorting compare it.

Both databases store and compare what these functions return, so their own locale, collation and
text parser do not matter. Case, accents, width and the style of quotes and dashes make no
difference.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from taskapp import marks

MAX_WORDS = 5_000  # different ones of a task; PostgreSQL takes a tsvector of 1 MB
MAX_WORD_LENGTH = 100  # code points; PostgreSQL refuses lexemes past 2 KB
MAX_FOLDED = 140_000  # code points: some signs fold to eighteen
MAX_KEY_BYTES = 1_300  # of each half of a sort key; an index row of PostgreSQL holds 2,700

# Marks that say how a letter is spoken, and not which it is: accents (Latin, Greek, Cyrillic),
# points of Hebrew, vowels of Arabic. Those of Thai or Devanagari are letters in all but name.
ACCENTS = [*range(0x300, 0x370), *range(0x1AB0, 0x1B00), *range(0x1DC0, 0x1E00)]
ACCENTS += range(0x20D0, 0x2100)
HEBREW_POINTS = [*range(0x591, 0x5BE), 0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5, 0x5C7]
ARABIC_VOWELS = [*range(0x610, 0x61B), 0x640, *range(0x64B, 0x660), 0x670, *range(0x6D6, 0x6DD)]
ARABIC_VOWELS += [*range(0x6DF, 0x6E5), 0x6E7, 0x6E8, *range(0x6EA, 0x6EE)]
INVISIBLE = [0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)]
INVISIBLE += [*range(0xFE00, 0xFE10), 0xFEFF]
SIGNS = dict.fromkeys(map(ord, marks.APOSTROPHES), "'")
SIGNS |= dict.fromkeys(map(ord, marks.QUOTES), '"')
SIGNS |= dict.fromkeys(map(ord, marks.DASHES), "-")
FOLDED: dict[int, str | None] = dict.fromkeys(ACCENTS)
FOLDED |= dict.fromkeys(HEBREW_POINTS)
FOLDED |= dict.fromkeys(ARABIC_VOWELS)
FOLDED |= dict.fromkeys(INVISIBLE)
FOLDED |= {ord(letter): plain for letter, plain in marks.LETTERS.items()}
FOLDED |= SIGNS


def _ranges(numbers: Iterable[int]) -> str:
    """A character class of a regular expression."""
    bounds: list[list[int]] = []
    for number in numbers:
        if bounds and number == bounds[-1][1] + 1:
            bounds[-1][1] = number
        else:
            bounds.append([number, number])
    parts = []
    for first, last in bounds:
        parts.append(f"{chr(first)}-{chr(last)}")
    return "".join(parts)


# To look for them takes a tenth of the time that `translate` needs for a text without any.
HAS_SIGNS = re.compile(f"[{_ranges(sorted(SIGNS))}]")
HAS_FOLDED = re.compile(f"[{_ranges(sorted(FOLDED))}]")
MARKS = _ranges(number for number in map(ord, marks.MARKS) if number not in FOLDED)
WORD = re.compile(rf"(?:[^\W_]|[{MARKS}])+")
ASCII_WORD = re.compile("[A-Za-z0-9]+")  # the same in ASCII, in a sixth of the time
# Scripts that put no space between words, and Korean, where what is looked for stands inside one:
# Thai, Lao, Burmese, Khmer, kana, bopomofo, Chinese characters, Hangul.
UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3031-\u3035\u303b\u3040-\u30ff"
    r"\u3100-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    r"\uf900-\ufaff\U00020000-\U0003ffff\u1100-\u11ff"
)
RUN = re.compile(f"[{UNSPACED}]+|[^{UNSPACED}]+")
IS_UNSPACED = re.compile(f"[{UNSPACED}]")


def fold(text: str) -> str:
    """The text as it is compared (UAX 15 and Unicode 3.13, D146, then the table FOLDED)."""
    if text.isascii():
        return text.lower().replace("`", "'")
    if HAS_SIGNS.search(text):  # before NFKD makes a space and an accent of U+00B4
        text = text.translate(SIGNS)
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text.casefold())
    if HAS_FOLDED.search(text):
        text = text.translate(FOLDED)
    return unicodedata.normalize("NFC", text)[:MAX_FOLDED]


def runs(folded: str) -> Iterator[str]:
    """The words of a folded text, split where a script without spaces begins or ends."""
    for word in WORD.finditer(folded):
        yield from RUN.findall(word[0])


def words(folded: str) -> list[str]:
    """The words that a task is found by: the first 5,000 different ones.

    In a script without spaces each pair of neighbouring letters is a word, and so is the last
    letter, so that any part of the text is found.
    """
    if folded.isascii() or not IS_UNSPACED.search(folded):  # each word is one run
        word = ASCII_WORD if folded.isascii() else WORD
        known = dict.fromkeys([run[:MAX_WORD_LENGTH] for run in word.findall(folded)])
        return list(known)[:MAX_WORDS]
    found: dict[str, None] = {}
    for run in runs(folded):
        found.update(dict.fromkeys(_words_of(run)))
        if len(found) > MAX_WORDS:
            break
    return list(found)[:MAX_WORDS]


def _words_of(run: str) -> list[str]:
    if not IS_UNSPACED.match(run):
        return [run[:MAX_WORD_LENGTH]]
    pairs = [run[at : at + 2] for at in range(len(run))]
    return pairs[: MAX_WORDS + 1]


def title_key(title: str) -> str:
    """What titles sort by: without case and accents first, then by code point.

    A title past 1,300 bytes (325 code points at least) sorts by its beginning.
    """
    return f"{_beginning(fold(title))}\x01{_beginning(title)}"


def _beginning(text: str) -> str:
    if len(text) * 4 <= MAX_KEY_BYTES:
        return text
    return text.encode()[:MAX_KEY_BYTES].decode(errors="ignore")
