"""Whether a file is what its sender says it is, by how its bytes begin (ASVS 5.0, 5.2.2)."""

from fnmatch import fnmatchcase
from mimetypes import MimeTypes

LOOKED_AT = 1024  # bytes; a PDF's mark may come that late (ISO 32000-1, annex H.3.4.1)
ANY = "application/octet-stream"
# Media type, place and bytes, of which one line must fit (WHATWG MIME Sniffing, section 6).
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
video/webm 0 1a45dfa3
audio/ogg 0 4f676753
audio/mpeg 0 494433
audio/mpeg 0 fffb
audio/mpeg 0 fff3
audio/mpeg 0 fff2
application/gzip 0 1f8b08
application/x-7z-compressed 0 377abcaf271c
application/zip 0 504b0304
application/zip 0 504b0506
application/vnd.openxmlformats-officedocument.* 0 504b0304
application/vnd.oasis.opendocument.* 0 504b0304
application/msword 0 d0cf11e0a1b11ae1
application/vnd.ms-excel 0 d0cf11e0a1b11ae1
application/vnd.ms-powerpoint 0 d0cf11e0a1b11ae1
"""
WIDE_TEXT = (b"\xff\xfe", b"\xfe\xff")  # UTF-16 and UTF-32, whose signs hold zero bytes
# Without the files of the system, which differ from one to the next.
_TYPES = MimeTypes(filenames=())


def checked_type(said: str, head: bytes) -> str:
    """The media type that a file was said to have, or that of any bytes where they deny it."""
    return said if _is_possible(said, head) else ANY


def type_by_name(name: str) -> str | None:
    """The media type that the ending of a name stands for; None for an ending of nothing known."""
    known, encoding = _TYPES.guess_type(name.lower())
    if encoding is not None:  # tasks.csv.gz is a gzip
        return _TYPES.guess_type(f"a.{encoding}")[0] or ANY
    return known


def _is_possible(said: str, head: bytes) -> bool:
    if said.startswith("text/"):
        return b"\0" not in head or head.startswith(WIDE_TEXT)
    if said == "application/pdf":
        return b"%PDF-" in head
    is_known = False
    for line in SIGNATURES.split("\n")[1:-1]:
        media_type, place, mark = line.split()
        if fnmatchcase(said, media_type):
            is_known = True
            if head.startswith(bytes.fromhex(mark), int(place)):
                return True
    return not is_known
