"""Signs as people take them: which are no letters of their own, and which look like others.

Combining marks are written onto the letter before them.
"""

from unicodedata import category

# Unicode has them nowhere else. Between these blocks are ideographs and syllables, a hundred
# thousand of them, and to ask for the category of each would take a tenth of the start.
BLOCKS = (
    range(0x300, 0x3100),
    range(0xA600, 0xAC00),
    range(0xFB00, 0x12000),
    range(0x13400, 0x13500),
    range(0x16100, 0x17000),
    range(0x1BC00, 0x1EA00),
)
NONSPACING_OR_SPACING = ("Mn", "Mc")


def _marks_of(block: range) -> str:
    return "".join(char for char in map(chr, block) if category(char) in NONSPACING_OR_SPACING)


MARKS = "".join(map(_marks_of, BLOCKS))
# Letters with a stroke or in one piece: Unicode takes them for letters of their own.
LETTERS = {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "þ": "th"}
LETTERS |= {"\N{LATIN SMALL LETTER DOTLESS I}": "i"}
LETTERS |= {"æ": "ae", "œ": "oe", "ĸ": "k", "ŋ": "n", "ƀ": "b", "ɨ": "i", "ʉ": "u", "ɵ": "o"}
APOSTROPHES = "‘’‚‛′‵ʹʻʼʽˈ`´ʾʿ՚׳‹›❛❜΄᾽᾿"  # noqa: RUF001 - as people type them
QUOTES = "“”„‟″‶«»״〝〞〟❝❞ʺˮ"
DASHES = "‐‑‒–—―−﹘־"  # noqa: RUF001 - as above
