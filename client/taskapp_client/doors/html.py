"""HTML to text, for descriptions that were written in a rich editor."""

from __future__ import annotations

import re
from html.parser import HTMLParser

BLOCKS = {"p", "div", "ul", "ol", "pre", "blockquote", "h1", "h2", "h3", "h4", "table", "tr"}
TAG = re.compile(r"</?[a-z][^>]*>", re.IGNORECASE)


def to_text(html: str) -> str:
    """The text, with paragraphs, list items and addresses of links; plain text stays as it is."""
    if not TAG.search(html):
        return html
    reader = _Reader()
    reader.feed(html)
    reader.close()
    text = re.sub(r"[ \t]+\n", "\n", "".join(reader.pieces))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._link = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "br":
            self.pieces.append("\n")
        elif tag == "li":
            done = {"true": "[x] ", "false": "[ ] "}.get(values.get("data-checked") or "", "")
            self.pieces.append(f"\n- {done}")
        elif tag in BLOCKS:
            self.pieces.append("\n")
        elif tag == "a":
            self._link = values.get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in BLOCKS:
            self.pieces.append("\n")
        elif tag == "a" and self._link:
            if not self.pieces or self.pieces[-1] != self._link:
                self.pieces.append(f" ({self._link})")
            self._link = ""

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)
