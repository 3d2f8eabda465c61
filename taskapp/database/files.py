"""Files that hold what people wrote: nobody else on the machine may read them."""

import os

Identity = tuple[int, int]  # device and inode: another file at the same path has another


def create_private(path: str) -> None:
    """Create an empty file for its owner alone, whatever the umask, if there is none.

    Raises:
        OSError: It cannot be created.
    """
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def identity_of(path: str) -> Identity | None:
    """Which file has this path, or None."""
    try:
        found = os.stat(path)  # noqa: PTH116 - at every request, and a Path costs as much again
    except OSError:
        return None
    return found.st_dev, found.st_ino
