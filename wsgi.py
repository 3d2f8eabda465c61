"""What a WSGI server loads, and the command line: gunicorn wsgi:app, flask --app wsgi."""

from __future__ import annotations

import os
import sys

import config
from taskapp import create_app

serves = "gunicorn.arbiter" in sys.modules
stays = serves or "courier" in sys.argv

try:
    app = create_app(config.load(os.environ), commands=not serves, migrates=not stays)
except config.ConfigError as error:
    raise SystemExit(f"taskapp: {error}") from None
