"""How a process forked from one with the libraries loaded becomes `python -m gunicorn wsgi:app`.

It imports nothing of ours: the service must load as it does in a process that it begins itself.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

LIBRARIES = """alembic.command alembic.autogenerate apispec.ext.marshmallow argon2 flask_caching
flask_cors flask_jwt_extended flask_limiter flask_migrate flask_sqlalchemy gunicorn.app.wsgiapp
gunicorn.workers.sync limits.storage.redis orjson prometheus_client.multiprocess psycopg2 redis
sqlalchemy.dialects.postgresql.psycopg2 sqlalchemy.dialects.sqlite""".split()


def serve(app: str, folder: str, variables: dict[str, str], log: Path | None) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    if log:
        with log.open("ab") as out:
            os.dup2(out.fileno(), sys.stdout.fileno())
    from gunicorn.app.wsgiapp import run

    sys.argv = ["gunicorn", app]
    run()
