"""The task list as a calendar (RFC 5545): a stream of VTODOs."""

from collections.abc import Iterator, Mapping, Sequence

from taskapp.web.exports import Pages, Writer


def write_calendar(pages: Pages, _: Sequence[str]) -> Iterator[bytes]:
    """All of each task, whatever columns are asked for."""
    from taskapp.tasks.todo import todo  # few requests need it, and icalendar is large

    yield b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//taskapp//taskapp//EN\r\n"
    for rows in pages:
        yield b"".join(map(todo, rows))
    yield b"END:VCALENDAR\r\n"


WRITERS: Mapping[str, Writer] = {"ics": write_calendar}
