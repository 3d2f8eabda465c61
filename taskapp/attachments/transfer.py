"""Bytes over HTTP, in bounded memory: one multipart part in, a file or a range of it out."""

import logging
import re
import unicodedata
from collections.abc import Callable
from contextlib import ExitStack, suppress
from fnmatch import fnmatchcase
from functools import partial, wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from flask import Response, request, send_file
from marshmallow import Schema
from werkzeug.datastructures import FileStorage
from werkzeug.formparser import FormDataParser
from werkzeug.http import dump_options_header

from taskapp import errors
from taskapp.attachments import content, scanner, service, store
from taskapp.database.session import Body, Row
from taskapp.extensions import settings
from taskapp.marks import APOSTROPHES, DASHES, LETTERS
from taskapp.web.body import is_compressed
from taskapp.web.conditional import etag, is_named
from taskapp.web.current import current

View = Callable[..., Any]
MULTIPART, BINARY = "multipart/form-data", "application/octet-stream"
MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")  # RFC 6838, 4.2
FORM_OVERHEAD = 256 * 1024  # bytes that the form may take besides the file
MAX_PARTS = 20  # are read, to name those that are too many
UNSAFE_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f/\\]")  # what makes a header or a path
# Signs that turn the direction of writing make `exe.txt` of a name that ends in `.exe`.
REORDERING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# How letters of their own, dashes and apostrophes look in ASCII.
SPELLINGS = {"ß": "ss", **LETTERS}
SPELLINGS |= {letter.upper(): plain.upper() for letter, plain in LETTERS.items()}
SPELLINGS |= {**dict.fromkeys(DASHES, "-"), **dict.fromkeys(APOSTROPHES, "'")}
PLAIN = str.maketrans(SPELLINGS)
log = logging.getLogger(__name__)
ONE_RANGE = re.compile(r"bytes=([0-9]{1,18}-[0-9]{0,18}|-(?P<last>[0-9]{1,18}))")


def settles_files(view: View) -> View:
    """Let go of what the view needs of the store once its transaction has ended, well or not."""

    @wraps(view)
    def wrapper(**kwargs: Any) -> Any:
        with ExitStack() as files:
            current().files = files
            return view(**kwargs)

    return wrapper


def receive(schema: Schema) -> Body:
    """Write the part `file` into a draft as it comes in; returns what there is to say of it.

    It is scanned here, before a transaction begins and before an Idempotency-Key is taken.
    """
    if request.mimetype != MULTIPART or is_compressed():
        raise errors.UnsupportedMediaType(f"The body must be uncompressed {MULTIPART}.")
    most = settings().max_attachment_bytes
    record = current()
    with ExitStack() as stack:
        draft = stack.enter_context(store.draft(request.content_length or 0))
        name, file = _parse(schema, most + FORM_OVERHEAD, draft)
        size = draft.seek(0, 2)
        if size > most:
            raise errors.PayloadTooLarge
        media_type = _media_type(file.mimetype, draft)
        _check_type(media_type)
        scanner.check(draft)
        sha256 = store.synced(draft)
        record.draft = partial(store.kept, draft, sha256)
        record.files.push(stack.pop_all())
    return {"name": name, "media_type": media_type, "size": size, "sha256": sha256}


def keep() -> None:
    """Keep what was received: last in its transaction, so that what is refused leaves nothing.

    Raises:
        StorageFull, DatabaseBusy
    """
    record = current()
    record.files.enter_context(record.draft())


def remove(sha256: str) -> None:
    """Remove bytes that no attachment has once this transaction is committed; last in it."""
    removal = store.removed(sha256, service.is_named)
    with suppress(OSError):  # a full disk, without room for a lock, refuses no deletion
        current().files.enter_context(removal)


def _media_type(said: str, draft: Any) -> str:
    """What the file was said to be, unless its bytes are no such thing."""
    if not MEDIA_TYPE.fullmatch(said):
        return BINARY
    draft.seek(0)
    return content.checked_type(said, draft.read(content.LOOKED_AT))


def _check_type(media_type: str) -> None:
    """Refuse what is none of ATTACHMENT_TYPES.

    Raises:
        UnsupportedMediaType
    """
    allowed = settings().attachment_types
    if allowed and not any(fnmatchcase(media_type, pattern) for pattern in allowed):
        names = ", ".join(allowed)
        raise errors.UnsupportedMediaType(f"Files of type {media_type} are not taken: {names}.")


def _parse(schema: Schema, most: int, draft: Any) -> tuple[str, FileStorage]:
    """The one part that a form may have, and its file name; anything else in it is named."""
    if request.content_length is not None:
        request.environ.pop("wsgi.input_terminated", None)  # werkzeug shall count, too
    parser = FormDataParser(
        lambda *_, **__: draft, FORM_OVERHEAD, most, silent=False, max_form_parts=MAX_PARTS
    )
    try:
        _, texts, files = parser.parse_from_environ(request.environ)
    except ValueError:
        raise errors.MalformedRequest("The body is not a well-formed multipart form.") from None
    form: dict[str, str | None] = dict.fromkeys(texts)
    for part, file in files.items():
        form[part] = file.filename or None
    name: str = schema.load(form)["file"]
    if len(files.getlist("file")) > 1 or "file" in texts:
        raise errors.Invalid.field("file", "Send one part `file`.")
    return name, files["file"]


def send(attachment: Row) -> Response:
    """The bytes, or the one range asked for, as a download that no browser shows or runs.

    Raises:
        StaleRevision, RangeNotSatisfiable
        AttachmentNotFound: It was deleted after it was read, or the bytes are lost.
    """
    tag = etag(attachment)
    if request.if_match and not is_named(tag, request.if_match):
        raise errors.StaleRevision
    _settle_range(tag, attachment.size)
    path = store.path(attachment.sha256)
    try:
        response = send_file(path, BINARY, etag=tag, last_modified=attachment.created_at)
    except FileNotFoundError:
        log.warning("the bytes of attachment %d are gone", attachment.id)
        raise service.AttachmentNotFound from None
    response.headers["Content-Disposition"] = _disposition(attachment.name)
    if response.status_code == HTTPStatus.NOT_MODIFIED:
        del response.headers["Content-Disposition"]  # it has no content (RFC 9110, 15.4.5)
    response.headers["Cache-Control"] = "private, no-cache"  # as everywhere
    return response


def _disposition(name: str) -> str:
    """An attachment with this name, and one in ASCII for programs that know no other (RFC 6266)."""
    safe = UNSAFE_IN_A_NAME.sub("_", REORDERING.sub("", name)).strip()
    if not safe.strip("."):
        safe = "file"
    if safe.isascii():
        return dump_options_header("attachment", {"filename": safe})
    quoted = quote(safe, safe="!#$&+-.^_`|~")  # RFC 8187, section 3.2.1
    names = {"filename": _in_ascii(safe), "filename*": f"UTF-8''{quoted}"}
    return dump_options_header("attachment", names)


def _in_ascii(name: str) -> str:
    """The name with what ASCII has of it, or `file`; its endings stay endings."""
    plain = unicodedata.normalize("NFKD", name.translate(PLAIN)).encode("ascii", "ignore").decode()
    kept = " ".join(plain.split()).replace(" .", ".").strip(" _-").rstrip(".")
    endings = kept.lstrip(".")
    if not endings:
        return "file"
    if kept.startswith(".") and not name.startswith("."):
        return f"file.{endings}"
    return kept


def _settle_range(tag: str, size: int) -> None:
    """Leave a range in the request only where one is to be sent (RFC 9110)."""
    one_range = ONE_RANGE.fullmatch(request.headers.get("Range", ""))
    weak = request.headers.get("If-Range", "").startswith("W/")
    known = is_named(tag, request.if_none_match)
    if known:
        request.environ["HTTP_IF_NONE_MATCH"] = f'"{tag}"'  # as `send_file` compares it
    whole = weak or known or request.method == "HEAD"
    if whole or one_range is None:
        request.environ.pop("HTTP_RANGE", None)  # 13.1.5, 13.2.2, 14.2: then all is sent
    elif int(one_range["last"] or 0) >= size:
        request.environ["HTTP_RANGE"] = "bytes=0-"  # as many as there are (14.1.2)
