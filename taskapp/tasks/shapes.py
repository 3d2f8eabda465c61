"""The task list as CSV, NDJSON and iCalendar: the whole result, streamed page by page."""

import csv
import io
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from itertools import chain
from typing import Any

from flask import Response, g, request, stream_with_context
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from taskapp.auth.guard import by_feed
from taskapp.errors import NotAcceptable
from taskapp.extensions import Body
from taskapp.fields import RISKY, encode
from taskapp.pages import Page
from taskapp.tasks.query import OPEN
from taskapp.tasks.schemas import FIELDS

View = Callable[..., Any]
Pages = Iterator[list[Body]]
MEDIA = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "text/csv": "csv",
    "text/calendar": "ics",
}
STREAMS = tuple(MEDIA)[1:]
ROWS = 2000  # read and written at once: what a stream holds in memory, some megabytes


def negotiates(view: View) -> View:
    """Settle the format: the parameter, else what Accept likes best (RFC 9110, section 12.5.1)."""

    @wraps(view)
    def wrapper(query: Body) -> Any:
        query.setdefault("format", _liked(request.headers.get("Accept")))
        if query["format"] not in MEDIA.values():
            raise NotAcceptable
        return view(query=query)

    return wrapper


@lru_cache(64)
def _liked(accept: str | None) -> str | None:
    asked = parse_accept_header(accept, MIMEAccept) or [("*/*", 1)]
    ranges = MIMEAccept((media.partition(";")[0], weight) for media, weight in asked)
    return MEDIA.get(ranges.best_match(MEDIA, ""))


def subscribes(view: View) -> View:
    """Ask for the open tasks, as the owner of the secret in the address."""

    @wraps(view)
    def wrapper(secret: str) -> Any:
        g.caller = by_feed(secret)
        return view(query={"format": "ics", "status": list(OPEN)})

    return wrapper


def shape(query: Body, list_tasks: Callable[[Body], Page]) -> Page | Response:
    """One page for JSON; a stream of all pages for the others, whatever limit or cursor say."""
    name = query["format"]
    if name == "json":
        return list_tasks(query)
    names = query.pop("fields", FIELDS)
    pages = _pages(query, list_tasks)
    begun = chain([next(pages)], pages)  # a refusal comes before the first byte
    body = {"csv": _csv, "ndjson": _ndjson, "ics": _ics}[name](begun, names)
    headers = {"Content-Disposition": f'attachment; filename="tasks.{name}"'}
    media = next(media for media in MEDIA if MEDIA[media] == name)
    return Response(stream_with_context(body), headers=headers, mimetype=media)


def _pages(query: Body, list_tasks: Callable[[Body], Page]) -> Pages:
    key = None
    while True:
        page = list_tasks({**query, "limit": ROWS, "total": False, "cursor": key})
        yield page.items
        if (key := page.next_key) is None:
            return


def _csv(pages: Pages, names: list[str]) -> Iterator[bytes]:
    """RFC 4180, with a header."""
    yield f"{','.join(names)}\r\n".encode()
    for rows in pages:
        text = io.StringIO()
        csv.writer(text).writerows([_cell(row[name]) for name in names] for row in rows)
        yield text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if RISKY.match(value) else value
    return value if isinstance(value, int | None) else encode(value).decode().strip('"')


def _ndjson(pages: Pages, names: list[str]) -> Iterator[bytes]:
    for rows in pages:
        yield b"".join(encode({name: row[name] for name in names}) + b"\n" for row in rows)


def _ics(pages: Pages, _: Any) -> Iterator[bytes]:
    from taskapp.tasks.calendar import todo  # few requests need it, and icalendar is large

    yield b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//taskapp//taskapp//EN\r\n"
    yield from (b"".join(map(todo, rows)) for rows in pages)
    yield b"END:VCALENDAR\r\n"
