"""Where the token is kept: one file that only its owner can read, in the XDG config folder."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from dataclasses import asdict, dataclass
from hashlib import blake2b
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from taskapp_client.failures import Failure, NotPermitted

OWNER_ONLY = 0o700


@dataclass(frozen=True)
class Credentials:
    """Which service, and the personal token for it; `token_id` is 0 for a token that was given."""

    url: str
    token: str
    token_id: int = 0
    email: str = ""

    @property
    def account(self) -> str:
        """A name for the files that belong to this token, which does not show it."""
        secret = f"{self.url} {self.token}".encode()
        return blake2b(secret, digest_size=8, person=b"tasks-account").hexdigest()


def config_file() -> Path:
    return _folder("XDG_CONFIG_HOME", ".config") / "credentials.json"


def data_folder() -> Path:
    return _folder("XDG_DATA_HOME", ".local/share")


def _folder(variable: str, default: str) -> Path:
    """A folder of the XDG base directory specification, which ignores relative paths."""
    chosen = Path(os.environ.get(variable, ""))
    if not chosen.is_absolute():
        chosen = Path.home() / default
    folder = chosen / "tasks"
    folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    return folder


def load() -> Credentials:
    """The credentials in use: TASKS_URL and TASKS_TOKEN before what `tasks login` stored.

    A stored token goes to the service that gave it, and to no other.
    """
    url = os.environ.get("TASKS_URL")
    token = os.environ.get("TASKS_TOKEN")
    stored = read_stored()
    if token:
        known = url or (stored.url if stored else "")
        if not known:
            raise NotPermitted(
                "TASKS_TOKEN is set, but not which service it is for: set TASKS_URL."
            )
        return Credentials(clean_url(known), token)
    if stored is None:
        raise NotPermitted("You are not signed in: run `tasks login`.")
    if url and clean_url(url) != stored.url:
        raise NotPermitted(
            f"You are signed in to {stored.url}, and TASKS_URL is {url}: run `tasks login`,"
            " or set TASKS_TOKEN."
        )
    return stored


def read_stored() -> Credentials | None:
    file = config_file()
    if not file.exists():
        return None
    if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise Failure(f"Others can read {file}, which holds your token: run `chmod 600 {file}`.")
    try:
        return Credentials(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise Failure(f"{file} is damaged: run `tasks login` again.") from None


def save(credentials: Credentials) -> Path:
    """Store them, in one step, in a file that nobody else can ever read."""
    file = config_file()
    descriptor, name = tempfile.mkstemp(dir=file.parent)  # made with mode 600
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(asdict(credentials), out)
    Path(name).replace(file)
    return file


def remove() -> None:
    config_file().unlink(missing_ok=True)


def clean_url(url: str) -> str:
    """The address of a service without what clients add to it."""
    parts = urlsplit(url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Failure(
            f"{url!r} is no address of a service: it looks like https://tasks.example.com."
        )
    if parts.username is not None:
        raise Failure("Leave the password out of the address: `tasks login` asks for it.")
    path = parts.path.rstrip("/").removesuffix("/api/v1").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}"


def travels_in_clear(url: str) -> bool:
    """Whether others on the way could read the token."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return False
    try:
        return not ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True
