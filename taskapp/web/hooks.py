"""One hook in and one hook out: they call their pieces in the order that the factory lists.

Flask would call a function for each hook of each kind; one of each costs less, and a reader sees
in one place what surrounds a request.
"""

from collections.abc import Callable, Sequence
from functools import partial

from flask import Flask, Response, g, request

from taskapp.web.current import Current, current

HEADERS = "taskapp.headers"  # the variable that the answer's headers are gathered in
Before = Callable[[Current], None]  # may raise a Refusal
After = Callable[[Current, Response], None]


def _run(pieces: Sequence[Before], record: Current) -> None:
    for piece in pieces:
        piece(record)


def surround(
    app: Flask, before: Sequence[Before], after: Sequence[After], at_end: Sequence[Before]
) -> None:
    """Run these pieces around every request, in their order.

    Those `at_end` run however the request ended, once the last of its response was made, and may
    run again.
    """

    def enter() -> None:
        itself = request._get_current_object()  # type: ignore[attr-defined]  # a proxy
        headers = itself.environ.setdefault(HEADERS, [])
        record = Current(itself, headers, app.extensions["taskapp"], app)
        g._get_current_object().current = record
        for piece in before:
            piece(record)

    def leave(response: Response) -> Response:
        record = current()
        record.is_streamed = response.is_streamed
        for piece in after:
            piece(record, response)
        if record.is_streamed:  # which may end before it has begun: the client is gone
            response.call_on_close(partial(finish, record))
        return response

    def end(_: BaseException | None) -> None:
        record: Current | None = g._get_current_object().get("current")
        if record is None:
            return
        if record.is_streamed:  # Flask calls this before a stream begins, and when it has ended
            record.is_streamed = False
            return
        finish(record)

    finish = partial(_run, at_end)

    app.before_request(enter)
    app.after_request(leave)
    app.teardown_request(end)
