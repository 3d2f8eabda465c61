"""gunicorn bench.peers.drf.wsgi:app"""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.peers.drf.settings")
app = get_wsgi_application()
