"""Make the secrets that docker-compose.yml needs, on its first run; later runs change nothing.

Each service has a folder (a volume) of its own here, so nobody sees another's. A file can be read
by its service's user and by group 0, in which no service is but this one: that is how a later run
reads it back without any right over other users' files.
"""

import fcntl
import json
import os
import secrets
import sys
import tempfile
from pathlib import Path

FOLDERS = Path("/secrets")
API = 10001  # the user in our Dockerfile
DB = REDIS = 999  # the users in Debian's postgres and redis images
WATCH = 65534  # Prometheus and the exporters
GRAFANA = 472


def put(name: str, user: int, text: str) -> str:
    """Write the file in one step: whoever reads it sees all of it or none."""
    path = FOLDERS / name
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
        draft.write(text)
        draft.flush()
        os.fsync(draft.fileno())
        os.fchmod(draft.fileno(), 0o440)
        os.fchown(draft.fileno(), user, 0)
    Path(draft.name).replace(path)
    sys.stdout.write(f"made {name}\n")
    return text


def keep(name: str, user: int) -> str:
    """The secret in the file; where there is none, 256 random bits that need no quoting."""
    path = FOLDERS / name
    return path.read_text() if path.exists() else put(name, user, secrets.token_hex(32))


def follow(name: str, user: int, text: str) -> None:
    """A file that only repeats another secret: written again when that one is new."""
    path = FOLDERS / name
    if not path.exists() or path.read_text() != text:
        put(name, user, text)


def main() -> None:
    fcntl.flock(os.open(FOLDERS / "api", os.O_RDONLY), fcntl.LOCK_EX)  # two runs at once agree
    keep("api/secret_key", API)
    token = keep("api/metrics_token", API)
    follow("watch/metrics_token", WATCH, token)
    keep("grafana/password", GRAFANA)
    keep("db/postgres_password", DB)
    password = keep("db/taskapp_password", DB)
    follow("api/database_url", API, f"postgresql://taskapp:{password}@db:5432/taskapp")
    password = keep("db/monitor_password", DB)
    follow("watch/monitor_password", WATCH, password)
    password = keep("redis/password", REDIS)
    follow("redis/redis.conf", REDIS, f"requirepass {password}\n")
    follow("watch/redis_passwords.json", WATCH, json.dumps({"redis://redis:6379": password}))
    follow("api/redis_url", API, f"redis://:{password}@redis:6379/0")


main()
