"""The file of an import: a raw body, or the part `file` of a form; on disk, not in memory."""

import hashlib
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from flask import request
from werkzeug.datastructures import FileStorage
from werkzeug.formparser import FormDataParser

from taskapp import errors
from taskapp.exchange.charsets import UNICODE, codec
from taskapp.extensions import settings
from taskapp.web.body import is_compressed
from taskapp.web.spool import spool

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
CALENDAR, MULTIPART = "text/calendar", "multipart/form-data"
# What programs call these files: Windows, browsers and scripts do not agree.
ALIASES = {
    "application/vnd.ms-excel": CSV,
    "application/csv": CSV,
    "application/x-csv": CSV,
    "application/excel": CSV,
    "application/x-excel": CSV,
    "application/x-msexcel": CSV,
    "application/vnd.msexcel": CSV,
    "text/x-csv": CSV,
    "text/comma-separated-values": CSV,
    "text/x-comma-separated-values": CSV,
    "text/tab-separated-values": CSV,
    "application/tab-separated-values": CSV,
    "text/tsv": CSV,
    "application/ndjson": NDJSON,
    "application/jsonl": NDJSON,
    "application/x-jsonlines": NDJSON,
    "application/jsonlines": NDJSON,
    "text/x-vcalendar": CALENDAR,
    "application/ics": CALENDAR,
}
ENDINGS = {
    "csv": CSV,
    "tsv": CSV,
    "tab": CSV,
    "txt": CSV,
    "json": JSON,
    "ndjson": NDJSON,
    "jsonl": NDJSON,
    "ics": CALENDAR,
    "ical": CALENDAR,
}
TAKES = (JSON, NDJSON, CSV, CALENDAR, MULTIPART)
FORM_OVERHEAD = 256 * 1024  # bytes that the form may take besides the file
PIECE = 64 * 1024  # bytes


class Upload(NamedTuple):
    """A file that was sent, open at its beginning, and its declared type."""

    file: IO[bytes]
    media_type: str
    codec: str  # Python's name of the charset: "utf_8", or what was named

    def digest(self) -> str:
        """SHA-256 of its bytes, in hexadecimal."""
        digest = hashlib.sha256()
        for piece in iter(lambda: self.file.read(PIECE), b""):
            digest.update(piece)
        self.file.seek(0)
        return digest.hexdigest()


def receive() -> Upload:
    """Receive the file of the request.

    Raises:
        UnsupportedMediaType: It is compressed, or has a type that an import does not take.
        PayloadTooLarge, MalformedRequest, StorageFull
    """
    if is_compressed():
        raise _unsupported()
    if request.mimetype == MULTIPART:
        return _from_form()
    charset = request.mimetype_params.get("charset", "utf-8")
    media_type, codec = _known(request.mimetype, charset)
    return Upload(spool(_pieces()), media_type, codec)


def _known(media_type: str, charset: str) -> tuple[str, str]:
    known = ALIASES.get(media_type, media_type)
    if known in {JSON, NDJSON}:
        return known, "utf_8"  # they have no charset: RFC 8259, section 11
    named = codec(charset)
    readable = {CSV: bool(named), CALENDAR: named in UNICODE}
    if not readable.get(known):
        raise _unsupported()
    return known, named


def _unsupported() -> errors.UnsupportedMediaType:
    kinds = ", ".join(TAKES[:-1])
    detail = f"An import takes {kinds}, uncompressed and in UTF-8 (CSV also in the charset that its"
    detail += " media type names, as windows-1252); or one of them as the part"
    return errors.UnsupportedMediaType(f"{detail} `file` of {MULTIPART}: curl -F file=@NAME.")


def _pieces() -> Iterator[bytes]:
    """The body in pieces; refuses one longer than allowed or shorter than its Content-Length."""
    most = settings().max_import_bytes
    length = request.content_length
    if request.headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
        raise errors.MalformedRequest
    if length is not None and length > most:
        raise errors.PayloadTooLarge
    stream = request.environ["wsgi.input"]
    left = most + 1 if length is None else length
    total = 0
    while left:
        try:
            piece = stream.read(min(PIECE, left))
        except OSError:  # what gunicorn raises for a malformed chunk
            raise errors.MalformedRequest from None
        if not piece:
            break
        left -= len(piece)
        total += len(piece)
        yield piece
    if total > most:
        raise errors.PayloadTooLarge
    if length is not None and total < length:
        raise errors.MalformedRequest("The body is shorter than its Content-Length.")


def _from_form() -> Upload:
    most = settings().max_import_bytes
    draft = spool(())
    try:
        return _parsed(draft, most)
    except BaseException:
        draft.close()
        raise


def _parsed(draft: IO[bytes], most: int) -> Upload:
    if request.content_length is not None:
        request.environ.pop("wsgi.input_terminated", None)  # werkzeug enforces the limit as well
    parser = FormDataParser(
        lambda *_, **__: draft, FORM_OVERHEAD, most + FORM_OVERHEAD, silent=False, max_form_parts=2
    )
    try:
        _, texts, files = parser.parse_from_environ(request.environ)
    except ValueError:
        raise errors.MalformedRequest("The body is not a well-formed multipart form.") from None
    sent = [*texts, *(name for name, _ in files.items(multi=True))]
    if sent != ["file"] or "file" in texts:
        detail = "Send one part, a file with the name `file`: curl -F file=@NAME"
        raise errors.Invalid.field("file", detail)
    if draft.seek(0, 2) > most:
        raise errors.PayloadTooLarge
    draft.seek(0)
    return Upload(draft, *_kind_of_part(files["file"]))


def _kind_of_part(part: FileStorage) -> tuple[str, str]:
    """The media type and codec of a part; if the type is generic, by the name of the file."""
    params: dict[str, Any] = part.mimetype_params
    charset = params.get("charset", "utf-8")
    ending = (part.filename or "").rpartition(".")[2].lower()
    media_type = ALIASES.get(part.mimetype, part.mimetype)
    if media_type not in TAKES and ending in ENDINGS:
        media_type = ENDINGS[ending]
    return _known(media_type, charset)
