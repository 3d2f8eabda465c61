"""The service in a worker that dies, when told to, between its commit and its answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from typing import Any

from wsgi import app

_service = app.wsgi_app


def _dying(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    answer: Iterable[bytes] = _service(environ, start_response)
    if "HTTP_X_DIE" in environ:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer


app.wsgi_app = _dying
