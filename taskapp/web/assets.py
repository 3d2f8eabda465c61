"""Static files below an address that changes with them, so that a browser may keep them for good.

`python -m taskapp.web.assets FOLDER` copies them to FOLDER/<version>, for a server in front.
"""

import hashlib
import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path

from flask import Response, current_app

from taskapp.web.current import current

FOLDER = Path(__file__).parents[1] / "static"
VERSION = re.compile(r"[0-9a-f]{16}")
KEPT_VERSIONS = 3  # a page that was opened before a deployment still finds its files
FOR_GOOD = "public, max-age=31536000, immutable"  # RFC 8246


@cache
def version() -> str:
    """A digest of all static files and their names: 16 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            name = path.relative_to(FOLDER).as_posix()
            content = hashlib.blake2b(path.read_bytes())
            digest.update(f"{name} {content.hexdigest()}\n".encode())
    return digest.hexdigest()


def address(filename: str) -> str:
    """Where a page finds a static file."""
    return f"{current().prefix}/static/{version()}/{filename}"


def page(filename: str) -> str:
    """Read a page; what it loads from static/ gets the present version's address.

    Relative to the page's own where no prefix is known: a proxy may have taken one away unsaid.
    """
    prefix = current().prefix
    start = f"{prefix}/static" if prefix else "static"
    return _read(filename).replace('"static/', f'"{start}/{version()}/')


@cache
def _read(filename: str) -> str:
    return (FOLDER / filename).read_text(encoding="utf-8")


def send(filename: str) -> Response:
    """Send a static file; what is asked for by the present version may be kept for good."""
    first, _, rest = filename.partition("/")
    is_versioned = VERSION.fullmatch(first) is not None
    response = current_app.send_static_file(rest if is_versioned else filename)
    if first == version():
        response.headers["Cache-Control"] = FOR_GOOD
    return response


def copy(folder: Path) -> Path:
    """Copy the present version into a folder, in one step, and remove all but the newest."""
    target = folder / version()
    if not target.exists():
        draft = folder / f"{target.name}.{os.getpid()}"
        shutil.copytree(FOLDER, draft, copy_function=shutil.copyfile)
        draft.rename(target)
    os.utime(target)
    versions = [path for path in folder.iterdir() if VERSION.fullmatch(path.name)]
    newest_first = sorted(versions, key=lambda path: path.stat().st_mtime, reverse=True)
    for old in newest_first[KEPT_VERSIONS:]:
        shutil.rmtree(old)
    return target


if __name__ == "__main__":
    sys.stdout.write(f"{copy(Path(sys.argv[1]))}\n")
