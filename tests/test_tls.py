"""PostgreSQL and Redis over TLS: their certificates are checked, and REQUIRE_TLS insists on it."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import config
from tests import servers
from tests.conftest import new_database

SIGNED = runpy.run_path(str(servers.ROOT / "deploy" / "make_secrets.py"))["_signed"]
MAIL = {"MAIL_FROM": "tasks@example.com", "PUBLIC_URL": "https://example.com"}
SAFE_DATABASE = "postgresql://u@db/x?sslmode=verify-full&sslrootcert=/ca.crt"


def certificate(folder: Path, host: str) -> Path:
    """As deploy/make_secrets.py signs it; its key stands in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = folder / f"{host}-{key.public_key().public_numbers().x}.pem"
    secret = key.private_bytes(pem, form, serialization.NoEncryption())
    path.write_bytes(SIGNED(key, host).public_bytes(pem) + secret)
    return path


@contextmanager
def encrypted(kind: str, pem: Path, server: str) -> Iterator[int]:
    """The port at which a server is reached over TLS."""
    command = [sys.executable, "-m", "tests.encrypting", kind, str(pem), server]
    with subprocess.Popen(
        command, cwd=servers.ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def encrypted_postgresql(url: str, pem: Path) -> Iterator[str]:
    """The same database over TLS: its URL, without the settings of TLS."""
    parts = sa.make_url(url)
    folder = parts.query.get("host")
    server = f"{folder}/.s.PGSQL.5432" if folder else f"{parts.host}:{parts.port or 5432}"
    with encrypted("postgresql", pem, server) as port:
        shown = parts.set(drivername="postgresql", host="localhost", port=port, query={})
        yield shown.render_as_string(hide_password=False)


@contextmanager
def encrypted_redis(url: str, pem: Path) -> Iterator[str]:
    server, _, number = url.removeprefix("redis://").partition("/")
    with encrypted("redis", pem, server) as port:
        yield f"rediss://localhost:{port}/{number}"


@pytest.fixture
def database(postgresql_url: str, migrated_template: str) -> str:
    return new_database(postgresql_url, f"tls_{os.getpid()}", migrated_template)


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return certificate(tmp_path, "localhost")


def test_the_service_works_with_both_over_tls_and_checks_who_they_are(
    database: str, redis_url: str, pem: Path, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(encrypted_postgresql(database, pem))
        redis = stack.enter_context(encrypted_redis(redis_url, pem))
        variables = {
            "TASKAPP_INSTANCE": str(tmp_path),
            "REQUIRE_TLS": "true",
            "DATABASE_URL": f"{url}?sslmode=verify-full&sslrootcert={pem}",
            "REDIS_URL": f"{redis}?ssl_ca_certs={pem}",
        }
        base = stack.enter_context(servers.gunicorn(**variables))
        token = servers.sign_up(base, "alice@example.com")

        status, _, _ = servers.ask(f"{base}/api/v1/tasks", {"title": "Fern"}, token=token)
        ready = servers.ask(f"{base}/health/ready")

    assert (status, ready[0], ready[2]["status"]) == (201, 200, "ok")


def test_a_database_with_anothers_certificate_is_not_asked(
    database: str, pem: Path, tmp_path: Path
) -> None:
    other = certificate(tmp_path, "localhost")
    refused = pytest.raises(psycopg2.OperationalError, match="certificate verify failed")
    with encrypted_postgresql(database, other) as url, refused:
        psycopg2.connect(f"{url}?sslmode=verify-full&sslrootcert={pem}")


def test_a_database_with_another_name_is_not_asked(database: str, tmp_path: Path) -> None:
    other = certificate(tmp_path, "db.example.com")
    refused = pytest.raises(psycopg2.OperationalError, match="does not match host name")
    with encrypted_postgresql(database, other) as url, refused:
        psycopg2.connect(f"{url}?sslmode=verify-full&sslrootcert={other}")


def test_a_redis_with_anothers_certificate_is_done_without(
    redis_url: str, pem: Path, tmp_path: Path
) -> None:
    other = certificate(tmp_path, "localhost")
    servers.migrate(TASKAPP_INSTANCE=str(tmp_path))
    with (
        encrypted_redis(redis_url, other) as url,
        servers.gunicorn(
            TASKAPP_INSTANCE=str(tmp_path), REDIS_URL=f"{url}?ssl_ca_certs={pem}"
        ) as base,
    ):
        ready = servers.ask(f"{base}/health/ready")

    assert (ready[0], ready[2]["status"]) == (200, "degraded")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://u@db/x"),
        ("DATABASE_URL", "postgresql://u@db/x?sslmode=require"),
        ("DATABASE_URL", "postgresql://u@db/x?sslmode=verify-full&sslmode=disable"),
        ("DATABASE_URL", "postgresql://u@/x?host=/run/postgresql,db.example.com"),
        ("DATABASE_REPLICA_URL", "postgresql://u@db/x"),
        ("REDIS_URL", "redis://cache:6379/0"),
        ("REDIS_URL", "rediss://cache:6379/0?ssl_cert_reqs=none"),
        ("REDIS_URL", "rediss://cache:6379/0?ssl_check_hostname=false"),
        ("SMTP_URL", "smtp://mail.example.com?tls=none"),
    ],
)
def test_require_tls_refuses_what_is_not_checked(name: str, value: str, tmp_path: Path) -> None:
    variables = {"DATABASE_URL": SAFE_DATABASE, name: value, "TASKAPP_INSTANCE": str(tmp_path)}
    variables |= MAIL
    config.load(variables)

    with pytest.raises(config.ConfigError, match=f"^{name}: REQUIRE_TLS is set"):
        config.load({**variables, "REQUIRE_TLS": "true"})


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"DATABASE_URL": SAFE_DATABASE, "DATABASE_REPLICA_URL": SAFE_DATABASE},
        {"DATABASE_URL": "postgresql:///x?host=/run/postgresql", "REDIS_URL": "unix:///run/r"},
        {"REDIS_URL": "rediss://cache:6379/0?ssl_ca_certs=/ca.crt"},
        {"SMTP_URL": "smtp://127.0.0.1?tls=none", **MAIL},
        {"SMTP_URL": "smtp://mail.example.com", **MAIL},
    ],
)
def test_require_tls_takes_what_needs_none_or_is_checked(
    variables: dict[str, Any], tmp_path: Path
) -> None:
    settings = config.load({"TASKAPP_INSTANCE": str(tmp_path), "REQUIRE_TLS": "1", **variables})

    assert settings.require_tls
