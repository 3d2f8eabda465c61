"""The names of charsets, as programs spell them: `UTF8`, `ISO_8859-1`, `x-sjis`."""

import re
from encodings.aliases import aliases

# Python's names of what a file of text may be in: no codec that changes bytes or keeps a state.
_TEXT = re.compile(
    r"utf_8|ascii|utf_16(_[bl]e)?|latin_1|iso8859_\d+|cp\d+|koi8_\w|mac_\w+"
    r"|gb\w+|big5\w*|euc_\w+|shift_jis\w*|johab|tis_620"
)
_SIGNS = re.compile("[^a-z0-9]")
UTF_8 = {"utf_8", "ascii"}
UNICODE = {*UTF_8, "utf_16", "utf_16_be", "utf_16_le"}


def _squeezed(name: str) -> str:
    return _SIGNS.sub("", name.lower()).removeprefix("x")


_CODECS = {_squeezed(alias): codec for alias, codec in aliases.items() if _TEXT.fullmatch(codec)}
_CODECS |= {_squeezed(codec): codec for codec in _CODECS.values()}


def codec(charset: str) -> str:
    """Python's name of a charset (RFC 2978: in any case); "" for one that is not read."""
    return _CODECS.get(_squeezed(charset), "")
