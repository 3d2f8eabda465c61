"""What a WSGI server loads: gunicorn wsgi:app."""

from __future__ import annotations

import os

import config
from taskapp import create_app

try:
    app = create_app(config.load(os.environ))
except config.ConfigError as error:
    raise SystemExit(f"taskapp: {error}") from None
