"""A list as JSON, CSV, NDJSON or another format: the whole result, streamed page by page."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial, wraps
from itertools import chain
from os import fstat
from typing import Any

from flask import Response, stream_with_context
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from taskapp.database.encoding import encode
from taskapp.database.pages import Page
from taskapp.database.session import Body
from taskapp.errors import Invalid, NotAcceptable
from taskapp.web import long_operations
from taskapp.web.current import current
from taskapp.web.spool import spool

View = Callable[..., Any]
Pages = Iterator[list[Body]]
Writer = Callable[[Pages, Sequence[str]], Iterator[bytes]]
MEDIA = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "text/csv": "csv",
    "text/calendar": "ics",
}
MEDIA_OF = {name: media for media, name in MEDIA.items()}
STREAMS = tuple(MEDIA)[1:]
LONE_STAR = re.compile(r"(?<![/*\w])\*(?=\s*(?:[;,]|$))")
NO_LEADING_ZERO = re.compile(r"\bq=\.")
BOM = "\ufeff".encode()  # by which Excel knows UTF-8
# What a spreadsheet may run as a formula (OWASP, CSV injection), at the beginning of a cell or
# after a sign at which it may split; `'` forbids it to. Some programs take the wide signs.
# One that splits at `;` sees our quotes in the middle of a cell, where they mean nothing: quotes
# inside of a text begin a cell then, and each of its lines is a row.
CELL = r'(?:^[ \ufeff]*|[;\t][ \ufeff"]*)'
FORMULA = r"[=+\-@\t\r\n'＝＋－＠]"  # noqa: RUF001 - as above
LINE = r'\n[ \ufeff"]*'
FORMULA_OF_LINE = r"'*[=+\-@＝＋－＠]"  # noqa: RUF001 - as above
UNGUARDED = re.compile(f"{CELL}(?={FORMULA})|{LINE}(?={FORMULA_OF_LINE})")
GUARDED = re.compile(f"(?P<cell>{CELL})'(?={FORMULA})|(?P<line>{LINE})'(?={FORMULA_OF_LINE})")
# Read and written at once: what a stream holds in memory. Descriptions are 4 MiB of it at most
# (MAX_TEXT), held as rows and as text; the rest is 0.5 KB of a row, or 8 KB where its title and its
# labels are as long as may be.
ROWS = 2000
PIECE = 64 * 1024  # bytes, or one row: what is made and sent at once


def negotiates(view: View) -> View:
    """Settle the format: the parameter, else what Accept prefers (RFC 9110, section 12.5.1)."""

    @wraps(view)
    def wrapper(query: Body) -> Any:
        accept = current().request.environ.get("HTTP_ACCEPT")
        query.setdefault("format", _preferred(accept))
        if query["format"] not in MEDIA_OF:
            raise NotAcceptable
        if query["format"] != "json":
            _refuse_paging(query)
        return view(query=query)

    return wrapper


@lru_cache(64)
def _preferred(accept: str | None) -> str | None:
    if not accept:
        return "json"
    best = media_ranges(accept).best_match(MEDIA, "")
    return MEDIA.get(best)


def media_ranges(accept: str) -> MIMEAccept:
    """The media ranges of an Accept header; Java's own says `*; q=.2` for `*/*;q=0.2`."""
    accept = LONE_STAR.sub("*/*", accept)
    accept = NO_LEADING_ZERO.sub("q=0.", accept)
    ranges = parse_accept_header(accept, MIMEAccept)
    return MIMEAccept((media.partition(";")[0], weight) for media, weight in ranges)


def export(
    query: Body,
    columns: Sequence[str],
    list_page: Callable[[Body], Page],
    writers: Mapping[str, Writer],
) -> Page | Response:
    """One page for JSON; for other formats a stream of all pages, whatever limit or cursor say.

    `writers` adds formats that only one kind of row has, as a calendar for tasks.
    """
    name = query["format"]
    if name == "json":
        return list_page(query)
    long_operations.begin()
    columns = query.pop("fields", columns)
    pages = _pages(query, list_page)
    begun = chain([next(pages)], pages)  # a refusal comes before the first byte
    write: Writer = {"csv": write_csv, "ndjson": write_ndjson, **writers}[name]
    pieces = write(begun, columns)
    if query.get("bom"):
        pieces = chain([BOM], pieces)
    return _stream(pieces, name)


def _stream(pieces: Iterator[bytes], name: str) -> Response:
    """A download whose receiver notices when it breaks off.

    In HTTP/1.1 the last chunk says that it is whole. HTTP/1.0 has no such sign but the length, so
    for a client or a proxy that speaks it the whole of it is written to a file first.
    """
    record = current()
    headers = {"Content-Disposition": f'attachment; filename="tasks.{name}"'}
    file = None
    if record.request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        file = spool(pieces)
        headers["Content-Length"] = str(fstat(file.fileno()).st_size)
        pieces = iter(partial(file.read, PIECE), b"")
    if record.request.method == "HEAD":  # nothing more is sent
        long_operations.end(record)
    body = stream_with_context(long_operations.until_last(record, pieces))
    response = Response(body, headers=headers, mimetype=MEDIA_OF[name])
    if file is not None:
        response.call_on_close(file.close)
    return response


def _refuse_paging(query: Body) -> None:
    """An export is the whole list: it has no pages.

    Raises:
        Invalid: A page was asked for.
    """
    detail = f"An export as {query['format']} is the whole list: leave this parameter out."
    sent = [name for name in ("limit", "cursor", "total") if name in current().query]
    if sent:
        raise Invalid(errors=[{"parameter": name, "detail": detail} for name in sent])


def _pages(query: Body, list_page: Callable[[Body], Page]) -> Pages:
    key = None
    while True:
        page = list_page({**query, "limit": ROWS, "total": False, "cursor": key})
        yield page.items
        key = page.next_key
        if key is None:
            return


def write_csv(pages: Pages, columns: Sequence[str]) -> Iterator[bytes]:
    """RFC 4180, with a header."""
    yield f"{','.join(columns)}\r\n".encode()
    for rows in pages:
        yield from in_pieces(_csv_line(row, columns) for row in rows)


def _csv_line(row: Body, columns: Sequence[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([_cell(row[name]) for name in columns])
    return line.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return _without_formula(value)
    if isinstance(value, int | None):
        return value
    return _without_formula(encode(value).decode().strip('"'))


def _without_formula(text: str) -> str:
    return UNGUARDED.sub(r"\g<0>'", text)


def write_ndjson(pages: Pages, columns: Sequence[str]) -> Iterator[bytes]:
    """One object a line."""
    for rows in pages:
        yield from in_pieces(_line(row, columns) for row in rows)


def _line(row: Body, columns: Sequence[str]) -> bytes:
    return encode({name: row[name] for name in columns}) + b"\n"


def in_pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Lines together, since each piece is sent by itself, and no more: it is copied to be sent."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        piece.append(line)
        size += len(line)
        if size >= PIECE:
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)
