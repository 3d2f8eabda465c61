"""The task page, as files: who gets it, what it weighs, what it may load, and its dictionary."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Client

FOLDER = Path(__file__).parents[1] / "taskapp/static/page"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
BUDGET = 160 * 1024  # bytes, uncompressed
ENTRY = re.compile(r"^  (\w+): \['((?:[^'\\]|\\.)*)', '((?:[^'\\]|\\.)*)'\],$", re.MULTILINE)
FILES = sorted(FOLDER.iterdir())


def test_a_browser_gets_the_page_and_everybody_else_json(anonymous: Client) -> None:
    page = anonymous.get("/", headers=BROWSER)
    assert page.mimetype == "text/html"
    assert "Accept" in page.headers["Vary"]
    for accept in ("application/json", "*/*", "", "text/html;q=0.5, application/json"):
        assert anonymous.get("/", headers={"Accept": accept}).is_json
    assert anonymous.get("/api/v1", headers=BROWSER).is_json


def test_the_page_may_load_what_this_service_serves_and_nothing_else(anonymous: Client) -> None:
    page = anonymous.get("/", headers=BROWSER)
    policy = dict(
        part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in page.headers["Content-Security-Policy"]


def test_the_page_is_not_loaded_again_as_long_as_it_is_the_same(anonymous: Client) -> None:
    page = anonymous.get("/", headers=BROWSER)
    again = anonymous.get("/", headers={**BROWSER, "If-None-Match": page.headers["ETag"]})
    assert again.status_code == 304


def test_whatever_the_page_names_is_there_and_relative(anonymous: Client) -> None:
    """So it works below a path prefix, too."""
    text = (FOLDER / "index.html").read_text()
    named = re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert named
    for address in named:
        assert not address.startswith(("/", "http"))
        assert anonymous.get(f"/{address}").status_code == 200
    for path in FOLDER.glob("*.js"):
        for module in re.findall(r"from '(.+?)'", path.read_text()):
            assert (FOLDER / module).is_file(), f"{path.name} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_of_the_page_names_another_host(path: Path) -> None:
    named = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", path.read_text()))
    assert named <= {"http://www.w3.org"}  # names of namespaces, which nobody asks


def test_no_script_of_the_page_takes_html_or_code_from_text() -> None:
    dangerous = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    )
    assert [path.name for path in FOLDER.glob("*.js") if dangerous.search(path.read_text())] == []


def test_page_and_scripts_weigh_less_than_160_kb() -> None:
    counted = [path for path in FILES if path.suffix in {".html", ".js"}]
    assert sum(path.stat().st_size for path in counted) < BUDGET


def test_both_languages_say_everything_with_the_same_placeholders() -> None:
    text = (FOLDER / "words.js").read_text()
    entries = ENTRY.findall(text)
    lines = text.partition("const WORDS = {")[2].partition("\n}")[0].splitlines()
    assert len(entries) == sum(1 for line in lines if line.strip() and "//" not in line[:5])
    assert len({key for key, _, _ in entries}) == len(entries)
    for key, english, german in entries:
        for one, other in zip(_forms(english), _forms(german), strict=True):
            assert set(re.findall(r"\{\w+\}", one)) == set(re.findall(r"\{\w+\}", other)), key


def _forms(value: str) -> list[str]:
    """Of "one|many" both; what stands in a sentence alone has one form in both languages."""
    return value.split("|")


def test_every_word_that_a_script_asks_for_is_in_the_dictionary() -> None:
    keys = {key for key, _, _ in ENTRY.findall((FOLDER / "words.js").read_text())}
    for path in FOLDER.glob("*.js"):
        asked = set(re.findall(r"\bt\('(\w+)'", path.read_text()))
        assert asked <= keys, f"{path.name}: {asked - keys}"
