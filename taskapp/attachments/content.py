"""What a file is by how its bytes begin, where that is plain (ASVS 5.0, 5.2.2)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

LOOKED_AT = 1024  # bytes; a PDF's mark may come that late (ISO 32000-1, annex H.3.4.1)
ANY = "application/octet-stream"
# Media type, place and bytes (WHATWG MIME Sniffing, section 6; what systems run).
SIGNATURES = """
image/png 0 89504e470d0a1a0a
image/jpeg 0 ffd8ff
image/gif 0 474946383761
image/gif 0 474946383961
image/webp 8 574542505650
image/bmp 0 424d
image/tiff 0 49492a00
image/tiff 0 4d4d002a
image/heic 4 66747970
image/avif 4 66747970
video/mp4 4 66747970
video/quicktime 4 66747970
audio/mp4 4 66747970
video/webm 0 1a45dfa3
video/x-matroska 0 1a45dfa3
audio/ogg 0 4f676753
video/ogg 0 4f676753
audio/mpeg 0 494433
application/pdf 0 255044462d
application/gzip 0 1f8b08
application/x-gzip 0 1f8b08
application/x-7z-compressed 0 377abcaf271c
application/*zip* 0 504b0304
application/vnd.* 0 504b0304
application/java-archive 0 504b0304
application/vnd.* 0 d0cf11e0a1b11ae1
application/msword 0 d0cf11e0a1b11ae1
application/x-*exe* 0 4d5a
application/vnd.microsoft.* 0 4d5a
application/x-*exe* 0 7f454c46
application/x-sh* 0 2321
text/* 0 2321
text/* 0 3c21646f6374797065
text/* 0 3c21444f4354595045
text/* 0 3c68746d6c
text/* 0 3c736372697074
application/xhtml+xml 0 3c21444f4354595045
application/xhtml+xml 0 3c68746d6c
image/svg+xml 0 3c21444f4354595045
"""


def checked_type(said: str, head: bytes) -> str:
    """The media type that a file was said to have; that of any bytes if it is plainly another."""
    least = 4 if said.startswith("text/") else 2  # a text, too, may begin with two or three of them
    found = [mark for mark in _MARKS if len(mark.begins) >= least and mark.begins_in(head)]
    if not found or any(fnmatchcase(said, mark.media_type) for mark in found):
        return said
    return ANY


class Mark(NamedTuple):
    """How files of a type begin; the type may be a pattern."""

    media_type: str
    place: int
    begins: bytes

    def begins_in(self, head: bytes) -> bool:
        return head.startswith(self.begins, self.place)


def _read(line: str) -> Mark:
    media_type, place, begins = line.split()
    return Mark(media_type, int(place), bytes.fromhex(begins))


_MARKS = [_read(line) for line in SIGNATURES.split("\n")[1:-1]]
