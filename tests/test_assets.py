"""Static files: a browser keeps them for good, and never sees an old one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from taskapp.web import assets
from tests import servers
from tests.conftest import Client

FILE = "swagger-ui/swagger-ui.css"


@pytest.mark.parametrize("page", ["/", "/docs", "/redoc", "/problems"])
def test_what_a_page_loads_may_be_kept_for_good(anonymous: Client, page: str) -> None:
    html = anonymous.get(page, headers={"Accept": "text/html"}).text
    addresses = re.findall(r'(?:src|href)="/?(static/[^"]+)"', html)

    assert addresses
    for address in addresses:
        response = anonymous.get(f"/{address}")
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("address", [f"/static/{FILE}", f"/static/0123456789abcdef/{FILE}"])
def test_another_versions_address_is_asked_for_each_time(anonymous: Client, address: str) -> None:
    response = anonymous.get(address)

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-cache"
    again = anonymous.get(address, headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["nothing.js", "../taskapp/__init__.py", "", "swagger-ui"])
def test_there_is_nothing_else_below_a_version(anonymous: Client, path: str) -> None:
    assert anonymous.get(f"/static/{assets.version()}/{path}").status_code == 404


def test_the_version_changes_with_any_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(assets, "FOLDER", tmp_path)
    version = assets.version.__wrapped__
    (tmp_path / "a.js").write_text("one")
    first = version()
    (tmp_path / "a.js").write_text("two")
    second = version()
    (tmp_path / "a.js").rename(tmp_path / "b.js")

    assert len({first, second, version()}) == 3


def test_a_server_in_front_gets_a_copy_and_keeps_the_last_three(tmp_path: Path) -> None:
    old = [tmp_path / f"{number:016x}" for number in range(4)]
    for age, folder in enumerate(old):
        folder.mkdir()
        os.utime(folder, (age, age))
    command = [sys.executable, "-m", "taskapp.web.assets", str(tmp_path)]

    for _ in range(2):
        subprocess.run(command, cwd=servers.ROOT, check=True, stdout=subprocess.DEVNULL)

    copied = tmp_path / assets.version()
    assert set(tmp_path.iterdir()) == {copied, *old[2:]}
    for path in assets.FOLDER.rglob("*"):
        if path.is_file():
            assert (copied / path.relative_to(assets.FOLDER)).read_bytes() == path.read_bytes()
