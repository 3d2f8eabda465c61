"""What is too large for memory, in a temporary file of the instance folder."""

import errno
from collections.abc import Iterable
from tempfile import TemporaryFile
from typing import IO

from taskapp.errors import StorageFull
from taskapp.extensions import settings

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def spool(pieces: Iterable[bytes]) -> IO[bytes]:
    """A file that holds these pieces, at its beginning; it is gone when it is closed.

    Raises:
        StorageFull
    """
    try:
        file = TemporaryFile(dir=settings().instance)  # noqa: SIM115 - the caller reads and closes it
    except OSError as error:
        raise _refusal(error) from error
    try:
        file.writelines(pieces)
        file.seek(0)
    except BaseException as error:
        file.close()
        if isinstance(error, OSError):
            raise _refusal(error) from error
        raise
    return file


def _refusal(error: OSError) -> Exception:
    return StorageFull() if error.errno in FULL else error
