"""The task list as a calendar (RFC 5545): a stream of VTODOs, or of VEVENTs for the feed."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from taskapp.database.session import Body, now
from taskapp.tasks.query import occurrences
from taskapp.tasks.zones import vtimezone
from taskapp.web.exports import Pages, Writer, in_pieces

HEAD = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//taskapp//taskapp//EN\r\n"
# RFC 7986, sections 5.1 and 5.7, and the properties that programs used before it.
SUBSCRIBED = (
    b"NAME:Tasks\r\nX-WR-CALNAME:Tasks\r\n"
    b"REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\nX-PUBLISHED-TTL:PT1H\r\n"
)
TAIL = b"END:VCALENDAR\r\n"


def write_calendar(pages: Pages, _: Sequence[str]) -> Iterator[bytes]:
    """Every task whole, whichever fields are asked for."""
    from taskapp.tasks.todo import todo  # few requests need it, and icalendar is large

    yield HEAD
    is_empty = True
    for part in _components(pages, todo, set()):
        is_empty = is_empty and not part
        yield part
    if is_empty:
        yield vtimezone("UTC", now().year)  # a calendar without any component is not valid
    yield TAIL


def feed_writer(kind: str, timezone: str) -> Writer:
    """A calendar to subscribe to, of `events` or of `todos`.

    The owner's time zone is always in it: a calendar without any component is not valid.
    """

    def write(pages: Pages, _: Sequence[str]) -> Iterator[bytes]:
        from taskapp.tasks.todo import event, todo

        yield HEAD + SUBSCRIBED
        yield vtimezone(timezone, now().year)
        if kind == "todos":
            yield from _components(pages, todo, {timezone})
        else:
            yield from _components(map(_due, pages), event, {timezone})
        yield TAIL

    return write


def _components(
    pages: Pages, render: Callable[[Body, int], bytes], known_zones: set[str]
) -> Iterator[bytes]:
    """The tasks of each page; before them each time zone that was not written yet."""
    from taskapp.tasks.todo import counts, zone_of

    for rows in pages:
        counted = [task["id"] for task in rows if counts(task)]
        numbers = occurrences(counted)
        zones = {zone_of(task) for task in rows}
        for name in sorted(filter(None, zones - known_zones)):
            yield vtimezone(name, now().year)
            known_zones.add(name)
        yield from in_pieces(render(task, numbers.get(task["id"], 1)) for task in rows)


def _due(tasks: Sequence[Body]) -> list[Body]:
    return [task for task in tasks if task["due_at"] or task["due_on"]]


WRITERS: Mapping[str, Writer] = {"ics": write_calendar}
