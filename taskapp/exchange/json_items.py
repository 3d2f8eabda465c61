"""The tasks of a JSON document like `{"items": [...]}`, one in memory at a time."""

import codecs
from collections.abc import Collection, Iterator
from itertools import islice
from typing import IO, Any

from taskapp.errors import Invalid, MalformedJson, reasons
from taskapp.web.body import DECODER, MAX_DEPTH, depth_of

MAX_VALUE = 1024 * 1024  # characters; the longest task with every sign escaped takes less
PIECE = 64 * 1024  # bytes
WHITE_SPACE = " \t\n\r"
AFTER = f"{WHITE_SPACE},:]}}"  # what may follow a value
LONG = ("[", "{")  # what a value begins with that may be long
NO_OBJECT = '["-0123456789tfn'  # what other values begin with
LOOKED_AT = 100  # items of a list that is not taken
DEPTH_OF_ITEM = MAX_DEPTH - 2  # an object and a list are around it
NO_ENVELOPE = 'The body must be an object: {"items": [{"title": "Fern"}]}.'
NO_LIST = 'Send a list of tasks: {"items": [{"title": "Fern"}]}.'


class Document:
    """A JSON text that is read in pieces, and as strictly as any other body.

    Each value is decoded as soon as enough of it was read. What is read at once doubles until it
    is enough, so no value is looked at more than twice as long as it is (RFC 8259).
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.text = ""
        self.at = 0  # where in the text that was read
        self.ended = False
        self.others: dict[str, Any] = {}  # the members beside the items, once those were read

    def items(self, known: Collection[str]) -> Iterator[Any]:
        """The items, as they are; `known` are the members that the object may have.

        Raises:
            MalformedJson
            Invalid: It is another value, or has other members.
        """
        self._begin()
        seen: set[str] = set()
        unknown: list[str] = []
        for name in self._names():
            if name in seen:
                raise MalformedJson
            seen.add(name)
            if name not in known:
                unknown.append(name)
            if unknown and self._next_sign() in LONG:
                break
            if name == "items":
                yield from self._list()
                continue
            value = self._value()
            if name in known:
                self.others[name] = value
        _refuse_unknown(unknown)
        if "items" not in seen:
            raise Invalid.field("items", NO_LIST)
        if self._next_sign():
            raise MalformedJson

    def _begin(self) -> None:
        sign = self._next_sign()
        if sign == "{":
            return
        if not sign or sign not in NO_OBJECT:
            raise MalformedJson
        self._pass_over_value(sign)
        raise Invalid(errors=[{"pointer": "", "detail": NO_ENVELOPE}])

    def _pass_over_value(self, sign: str) -> None:
        """Read a value that is no object, of a list only the beginning: is it JSON at all?"""
        if sign == "[":
            for _ in islice(self._members("[", "]"), LOOKED_AT):
                self._value()
        else:
            self._value()
            if self._next_sign():
                raise MalformedJson

    def _names(self) -> Iterator[str]:
        """The names of an object's members, each before its value is taken."""
        for _ in self._members("{", "}"):
            name = self._value()
            if not isinstance(name, str):
                raise MalformedJson
            self._take(":")
            yield name

    def _list(self) -> Iterator[Any]:
        if self._next_sign() != "[":
            raise Invalid.field("items", NO_LIST)
        for number, _ in enumerate(self._members("[", "]")):
            try:
                item = self._value()
            except MalformedJson:
                raise MalformedJson(f"Item {number + 1} of the list is not strict JSON.") from None
            if depth_of(item) > DEPTH_OF_ITEM:
                raise MalformedJson
            yield item

    def _members(self, begin: str, end: str) -> Iterator[None]:
        """Yield at each member of an object or a list, past its brackets and commas."""
        self._take(begin)
        if self._next_sign() == end:
            self._take(end)
            return
        while True:
            yield
            if self._next_sign() == end:
                self._take(end)
                return
            self._take(",")

    def _next_sign(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            while self.at < len(self.text):
                sign = self.text[self.at]
                if sign not in WHITE_SPACE:
                    return sign
                self.at += 1
            if self.ended:
                return ""
            self._read(PIECE)

    def _take(self, sign: str) -> None:
        if self._next_sign() != sign:
            raise MalformedJson
        self.at += 1

    def _value(self) -> Any:
        self._next_sign()
        while True:
            try:
                value, end = DECODER.raw_decode(self.text, self.at)
            except (ValueError, RecursionError):
                end = 0
            if end and self._is_whole(end):
                self.at = end
                return value
            length = len(self.text) - self.at
            if self.ended or length > MAX_VALUE:
                raise MalformedJson
            self._read(max(length, PIECE))

    def _is_whole(self, end: int) -> bool:
        """Whether a value ends there; a number could go on."""
        if end == len(self.text):
            return self.ended
        return self.text[end] in AFTER

    def _read(self, size: int) -> None:
        piece = self.file.read(size)
        self.ended = not piece
        try:
            more = self.decoder.decode(piece, final=self.ended)
        except UnicodeDecodeError:
            raise MalformedJson from None
        self.text = self.text[self.at :] + more
        self.at = 0


def _refuse_unknown(names: list[str]) -> None:
    if names:
        raise Invalid(errors=reasons({name: ["Unknown field."] for name in sorted(names)}))
