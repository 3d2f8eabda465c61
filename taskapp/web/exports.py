"""A list as JSON, CSV, NDJSON or another format: the whole result, streamed page by page."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, wraps
from itertools import chain
from typing import Any

from flask import Response, request, stream_with_context
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from taskapp.database.encoding import encode
from taskapp.database.pages import Page
from taskapp.database.session import Body
from taskapp.errors import NotAcceptable
from taskapp.web.fields import RISKY

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
ROWS = 2000  # read and written at once: what a stream holds in memory, some megabytes


def negotiates(view: View) -> View:
    """Settle the format: the parameter, else what Accept prefers (RFC 9110, section 12.5.1)."""

    @wraps(view)
    def wrapper(query: Body) -> Any:
        accept = request.headers.get("Accept")
        query.setdefault("format", _preferred(accept))
        if query["format"] not in MEDIA_OF:
            raise NotAcceptable
        return view(query=query)

    return wrapper


@lru_cache(64)
def _preferred(accept: str | None) -> str | None:
    if not accept:
        return "json"
    ranges = parse_accept_header(accept, MIMEAccept)
    plain = [(media.partition(";")[0], weight) for media, weight in ranges]
    best = MIMEAccept(plain).best_match(MEDIA, "")
    return MEDIA.get(best)


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
    columns = query.pop("fields", columns)
    pages = _pages(query, list_page)
    begun = chain([next(pages)], pages)  # a refusal comes before the first byte
    write: Writer = {"csv": write_csv, "ndjson": write_ndjson, **writers}[name]
    headers = {"Content-Disposition": f'attachment; filename="tasks.{name}"'}
    body = stream_with_context(write(begun, columns))
    return Response(body, headers=headers, mimetype=MEDIA_OF[name])


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
        text = io.StringIO()
        writer = csv.writer(text)
        for row in rows:
            cells = [_cell(row[name]) for name in columns]
            writer.writerow(cells)
        yield text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return _without_formula(value)
    if isinstance(value, int | None):
        return value
    return encode(value).decode().strip('"')


def _without_formula(text: str) -> str:
    if RISKY.match(text):
        return f"'{text}"
    return text


def write_ndjson(pages: Pages, columns: Sequence[str]) -> Iterator[bytes]:
    """One object a line."""
    for rows in pages:
        yield b"".join(_line(row, columns) for row in rows)


def _line(row: Body, columns: Sequence[str]) -> bytes:
    return encode({name: row[name] for name in columns}) + b"\n"
