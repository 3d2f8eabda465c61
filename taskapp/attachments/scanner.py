"""A scanner for malware, where ATTACHMENT_SCANNER names one (ASVS 5.0, 5.4.3).

It is a program that reads a file from its standard input and answers by its exit code, as those of
ClamAV do. What it cannot scan is not kept.
"""

import hashlib
import logging
import os
import signal
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired
from typing import IO

from taskapp.errors import DatabaseBusy, Invalid
from taskapp.extensions import settings
from taskapp.web import long_operations
from taskapp.web.current import caller
from taskapp.web.request_log import note_progress

CLEAN, MALICIOUS = 0, 1  # exit codes: clamscan(1), clamdscan(1)
LONGEST_SECONDS = 30.0  # half of what a worker may take without progress
RETRY_AFTER = 30  # seconds
# Nothing of the service's own environment, which holds its secrets.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
REFUSED = "The scanner found malware in this file."
NOT_SCANNED = "The file could not be scanned for malware, so it was not kept. Try again."
log = logging.getLogger(__name__)


def check(file: IO[bytes]) -> None:
    """Let a file pass that is clean, or any where no scanner is set.

    Scans are among the long operations: a scanner that hangs never takes all workers.

    Raises:
        Invalid: The file is malicious.
        DatabaseBusy: It could not be scanned, or there are too many long operations.
        RequestInProgress
    """
    command = settings().attachment_scanner
    if not command:
        return
    long_operations.begin()
    file.flush()
    note_progress()
    try:
        exit_code = _run(command, Path(file.name))
    except OSError as error:
        raise _not_scanned(f"{command[0]}: {error.strerror}") from None
    except TimeoutExpired:
        raise _not_scanned(f"no answer within {LONGEST_SECONDS:g} s") from None
    note_progress()
    if exit_code == MALICIOUS:
        raise _malicious(file)
    if exit_code != CLEAN:
        raise _not_scanned(f"exit code {exit_code}")


def _run(command: tuple[str, ...], path: Path) -> int:
    """The exit code of a command that gets the file as its standard input.

    The file is opened anew: a position that both share would move under our own buffer.

    Raises:
        OSError: It cannot be run.
        TimeoutExpired: It was killed, and whatever it had started.
    """
    with (
        path.open("rb") as stdin,
        Popen(  # noqa: S603 - the operator's own command, without a shell
            command,
            stdin=stdin,
            stdout=DEVNULL,
            stderr=DEVNULL,
            env=ENVIRONMENT,
            start_new_session=True,
        ) as child,
    ):
        try:
            return child.wait(LONGEST_SECONDS)
        except BaseException:  # a worker that is told to stop leaves no child behind, either
            os.killpg(child.pid, signal.SIGKILL)
            raise


def _malicious(file: IO[bytes]) -> Invalid:
    """The refusal, after a line in the log that says whose file it was, and which."""
    file.seek(0)
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # a real file
    fields = {"account": caller().user_id, "sha256": sha256}
    log.warning("malicious attachment refused", extra={"fields": fields})
    return Invalid.field("file", REFUSED)


def _not_scanned(reason: str) -> DatabaseBusy:
    log.warning("attachment not scanned", extra={"fields": {"reason": reason}})
    refusal = DatabaseBusy(NOT_SCANNED)
    refusal.headers["Retry-After"] = str(RETRY_AFTER)
    return refusal
