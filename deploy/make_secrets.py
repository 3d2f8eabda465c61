"""Make the secrets that docker-compose.yml needs, on its first run; later runs change nothing.

Keys and certificates of PostgreSQL and Redis belong to them: each signs its own, and whoever asks
it trusts that one certificate and no other. They last ten years; to have new ones, remove
server.key from db-secrets and redis-secrets, and say `docker compose up --force-recreate`.

Each service has a folder (a volume) of its own here, so nobody sees another's. A file can be read
by its service's user and by group 0, in which no service is but this one: that is how a later run
reads it back without any right over other users' files.
"""

import datetime as dt
import fcntl
import json
import os
import secrets
import sys
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FOLDERS = Path("/secrets")
API = 10001  # the user in our Dockerfile
DB = REDIS = 999  # the users in Debian's postgres and redis images
WATCH = 65534  # Prometheus and the exporters
GRAFANA = 472
REDIS_CONF = """requirepass {password}
port 0
tls-port 6379
tls-cert-file /run/secrets/server.crt
tls-key-file /run/secrets/server.key
tls-auth-clients no
"""


def put(name: str, user: int, text: str, mode: int = 0o440) -> str:
    """Write the file in one step: whoever reads it sees all of it or none."""
    path = FOLDERS / name
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
        draft.write(text)
        draft.flush()
        os.fsync(draft.fileno())
        os.fchmod(draft.fileno(), mode)
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


def certificate(folder: str, user: int, host: str) -> str:
    """The certificate of the server that the others call `host`, made where there is none."""
    path = FOLDERS / folder / "server.crt"
    if path.exists() and (path.parent / "server.key").exists():
        return path.read_text()
    key = ec.generate_private_key(ec.SECP256R1())
    signed = _signed(key, host).public_bytes(serialization.Encoding.PEM).decode()
    put(f"{folder}/server.crt", user, signed)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
    put(
        f"{folder}/server.key", user, secret, 0o400
    )  # PostgreSQL takes no key that a group can read
    return signed


def _signed(key: ec.EllipticCurvePrivateKey, host: str) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    public, now = key.public_key(), dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, public, x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1))
    builder = builder.not_valid_after(now + dt.timedelta(days=3650))
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
    for extension, critical in (
        (x509.SubjectAlternativeName([x509.DNSName(host)]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (identifier, False),
        (authority, False),
    ):
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256())


def main() -> None:
    fcntl.flock(os.open(FOLDERS / "api", os.O_RDONLY), fcntl.LOCK_EX)  # two runs at once agree
    keep("api/secret_key", API)
    token = keep("api/metrics_token", API)
    follow("watch/metrics_token", WATCH, token)
    keep("grafana/password", GRAFANA)
    keep("db/postgres_password", DB)
    database, cache = certificate("db", DB, "db"), certificate("redis", REDIS, "redis")
    for folder, user in (("api", API), ("owner", API), ("watch", WATCH)):
        follow(f"{folder}/db.crt", user, database)
    for folder, user in (("api", API), ("watch", WATCH)):
        follow(f"{folder}/redis.crt", user, cache)
    password = keep("db/taskapp_password", DB)
    follow("api/database_url", API, database_url("taskapp", password, "/run/secrets"))
    password = keep("db/owner_password", DB)
    follow("owner/database_url", API, database_url("taskapp_owner", password, "/run/owner"))
    password = keep("db/monitor_password", DB)
    follow("watch/monitor_password", WATCH, password)
    password = keep("redis/password", REDIS)
    follow("redis/redis.conf", REDIS, REDIS_CONF.format(password=password))
    follow("watch/redis_passwords.json", WATCH, json.dumps({"rediss://redis:6379": password}))
    url = f"rediss://:{password}@redis:6379/0?ssl_ca_certs=/run/secrets/redis.crt"
    follow("api/redis_url", API, url)


def database_url(role: str, password: str, folder: str) -> str:
    checked = f"sslmode=verify-full&sslrootcert={folder}/db.crt"
    return f"postgresql://{role}:{password}@db:5432/taskapp?{checked}"


if __name__ == "__main__":
    main()
