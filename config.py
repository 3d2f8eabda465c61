"""The settings: read once from the environment, typed, checked; nothing else reads it.

Every field of `Settings` is a variable of the same name in capitals. An empty variable counts as
unset. A secret may also stand in a file that `<NAME>_FILE` names.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from dotenv import dotenv_values

ROOT = Path(__file__).parent
MIB = 1024 * 1024
KNOWN_SECRETS = re.compile(
    r"change.?me|secret|password|default|example|insecure|development", re.IGNORECASE
)
MAIL_ADDRESS = re.compile(
    r"[^<>@\s]+@[^<>@\s]+|([^<>@\"\r\n]+|\"[^<>@\"\r\n]+\") <[^<>@\s]+@[^<>@\s]+>"
)
HOST_NAME = re.compile(r"\.?[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
PUBLIC_URL = re.compile(r"https?://([A-Za-z0-9._-]+|\[[^\]/]+\])(:[0-9]+)?(/[A-Za-z0-9._~-]+)*/?")
BIND = re.compile(r"unix:.+|fd://[0-9]+|([A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]):[0-9]+")
REDIS_PATH = re.compile(r"[a-z]+://[^/?]*(/[0-9]*)?(\?.*)?")
MOST_REQUESTS = 1_000_000_000  # of a rate
ORIGIN = re.compile(r"\*|[a-z][a-z.+-]*://[a-z0-9._-]+(:[0-9]+)?")


class ConfigError(Exception):
    """A variable that keeps the service from starting; says which, and how to set it right."""


def text(value: str) -> str:
    return value


def integer(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        digits = value.isascii() and value.isdigit()
        if not digits or not least <= int(value) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(value)

    return parse


def one_of(*names: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in names:
            raise ValueError(f"must be {' or '.join(names)}")
        return value

    return parse


def yes_or_no(value: str) -> bool:
    if value.lower() not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
        raise ValueError("must be true or false")
    return value.lower() in {"true", "1", "yes", "on"}


def names(value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


def hosts(value: str) -> tuple[str, ...]:
    """Names of hosts in lower case (RFC 9110, section 4.2.3), IPv6 addresses in brackets."""
    try:
        return tuple(_as_in_host_header(name) for name in names(value.lower()))
    except ValueError:
        example = "tasks.example.com, .example.com (all below it), [::1]"
        raise ValueError(f"must be names of hosts, without a port, as in: {example}") from None


def _as_in_host_header(name: str) -> str:
    if name.count(":") > 1:
        literal = IPv6Address(name.removeprefix("[").removesuffix("]"))
        return f"[{literal}]"
    name = name.removesuffix(".")
    if not name.isascii():
        name = name.encode("idna").decode("ascii")  # RFC 5891
    if not HOST_NAME.fullmatch(name):
        raise ValueError(name)
    return name


def origins(value: str) -> tuple[str, ...]:
    listed = names(value.lower())  # RFC 6454, section 4
    if not all(ORIGIN.fullmatch(origin) for origin in listed):
        raise ValueError("must be * or a comma list of origins, as in: https://app.example.com")
    return listed


def public_url(value: str) -> str:
    if not PUBLIC_URL.fullmatch(value) or not _has_valid_port(value):
        raise ValueError("must be an address as in: https://tasks.example.com or …/tasks")
    return value.rstrip("/")


def path(value: str) -> str:
    if not PATH.fullmatch(value):
        raise ValueError("must be a path as in: /tasks")
    return value.rstrip("/")


def _has_valid_port(url: str) -> bool:
    """Whether the port of an address is one, or left out; also whether brackets hold IPv6."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def bind(value: str) -> str:
    """One or more addresses for gunicorn to listen on."""
    listed = names(value)
    if not listed or not all(BIND.fullmatch(address) for address in listed):
        raise ValueError("must be an address as in: 127.0.0.1:8000, [::]:8000 or unix:/run/a.sock")
    if not all(_has_valid_port(f"http://{address}") for address in listed if "/" not in address):
        raise ValueError("must have a port from 1 to 65535")
    return value


def issuer(value: str) -> str:
    """An identity provider; without TLS only on this machine."""
    parts = urlsplit(value)
    is_local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_local)
    if not is_safe or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must be an address as in: https://id.example.com/realms/acme")
    return value


def database(value: str) -> str:
    """SQLAlchemy 2.1 takes a bare postgresql:// for psycopg 3; this service brings psycopg2."""
    value = re.sub(r"^postgres(ql)?://", "postgresql+psycopg2://", value)
    if not value.startswith(("postgresql+psycopg2://", "sqlite:///")):
        raise ValueError("must begin with postgresql:// or sqlite:///")
    _check_database(value)
    return value


def _check_database(url: str) -> None:
    """Refuse an address that cannot be read, or a database in the memory of one process."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    example = "postgresql://user:password@host:5432/name"
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError(f"must be an address as in: {example}") from None
    if parts.port is not None and not 0 < parts.port <= 65535:
        raise ValueError(f"must have a port from 1 to 65535, as in: {example}")
    in_memory = not parts.database or ":memory:" in parts.database
    if url.startswith("sqlite") and in_memory:
        raise ValueError("must name a file, as in: sqlite:////srv/taskapp.db (workers share it)")


def replica(value: str) -> str:
    url = database(value)
    if url.startswith("sqlite"):
        raise ValueError("must begin with postgresql://")
    return url


def redis(value: str) -> str:
    if not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    is_socket = value.startswith("unix://")
    if not is_socket and not (_has_valid_port(value) and re.fullmatch(REDIS_PATH, value)):
        raise ValueError("must be an address as in: redis://:password@host:6379/0")
    return value


class MailServer(NamedTuple):
    """Where mail is handed in, and how that connection is encrypted."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: str  # a key of SMTP_PORTS


SMTP_PORTS = {"starttls": 587, "implicit": 465, "none": 25}  # RFC 6409, RFC 8314
SMTP_ADDRESS = "must be an address as in: smtp://user:password@host:587?tls=starttls"


def mail_server(value: str) -> MailServer:
    try:
        parts = urlsplit(value)
        query = parse_qs(parts.query, strict_parsing=bool(parts.query))
        port = parts.port
    except ValueError:
        raise ValueError(SMTP_ADDRESS) from None
    if parts.scheme != "smtp" or not parts.hostname or parts.path not in {"", "/"}:
        raise ValueError(SMTP_ADDRESS)
    (tls,) = query.pop("tls", ["starttls"])[-1:]
    if tls not in SMTP_PORTS or query:
        raise ValueError("takes tls=starttls, implicit or none, and nothing else")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("must hold a user and a password, or neither")
    user = parts.username and unquote(parts.username)
    password = parts.password and unquote(parts.password)
    return MailServer(parts.hostname, port or SMTP_PORTS[tls], user, password, tls)


def mail_address(value: str) -> str:
    """A mailbox, with its domain in ASCII (RFC 5891); servers take no other."""
    name, _, address = value.rpartition("<")
    local, _, domain = address.rstrip(">").rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        domain = ""
    if not MAIL_ADDRESS.fullmatch(value) or not local.isascii() or not domain:
        raise ValueError("must be an address as in: tasks@example.com or Tasks <tasks@example.com>")
    return f"{name}<{local}@{domain}>" if name else f"{local}@{domain}"


def rate(value: str) -> str:
    from limits import parse_many

    try:
        rates = parse_many(value)
    except ValueError:
        rates = []
    in_range = all(1 <= each.amount <= MOST_REQUESTS and each.multiples >= 1 for each in rates)
    if not rates or not in_range:
        raise ValueError("must be a rate, as in: 300 per minute") from None
    return value


def endpoint(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _has_valid_port(value):
        raise ValueError("must be an address as in: https://collector.example.com:4318")
    return value


def dsn(value: str) -> str:
    if not re.fullmatch(r"https?://[^/@\s]+@[^/@\s]+/(\S+/)?[0-9]+", value):
        raise ValueError("must be a DSN as in: https://key@sentry.example.com/1")
    return value


def media_types(value: str) -> tuple[str, ...]:
    patterns = names(value.lower())
    if not all(re.fullmatch(r"[a-z0-9.+-]+/(\*|[a-z0-9.+-]+)", each) for each in patterns):
        raise ValueError("must be a comma list of media types, as in: image/*, application/pdf")
    return patterns


def command_line(value: str) -> tuple[str, ...]:
    """A program and its arguments, with quotes as a shell reads them; no shell runs it."""
    try:
        words = tuple(shlex.split(value))
    except ValueError:  # a quote that does not end
        words = ()
    if not words or not words[0]:
        raise ValueError("must be a command line, as in: clamdscan --no-summary -")
    return words


def long_secret(value: str) -> str:
    if len(value) < 32:
        raise ValueError("must have 32 characters or more; make one with: openssl rand -hex 32")
    return value


def header_name(value: str) -> str:
    taken = {"authorization", "cookie", "host", "origin", "x-proxy-auth-secret"}
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", value) or value.lower() in taken:
        raise ValueError("must be the name of a header of its own, as in: X-Forwarded-Email")
    return value


def networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(name) for name in names(value))
    except ValueError:
        raise ValueError("must be networks, as in: 10.1.0.0/16, fd00::/8") from None


def setting(default: Any, parse: Callable[[str], Any] = text, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"parse": parse, "secret": secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of this service; see the table in the README."""

    instance: Path = field(metadata={"variable": "TASKAPP_INSTANCE"})
    database_url: str = setting("", database, secret=True)
    database_replica_url: str | None = setting(None, replica, secret=True)
    redis_url: str | None = setting(None, redis, secret=True)
    secret_key: str = setting("", secret=True)
    secret_key_previous: str | None = setting(None, secret=True)
    environment: str = setting("development", one_of("development", "production"))
    port: int = setting(8000, integer(1, 65535))
    bind: str = setting("", bind)
    web_concurrency: int = setting(2, integer(1, 256))
    run_courier: bool = setting(False, yes_or_no)
    log_level: str = setting("info", one_of("debug", "info", "warning", "error"))
    log_format: str = setting("", one_of("json", "text"))
    registration: str = setting("open", one_of("open", "closed"))
    invitations: bool = setting(False, yes_or_no)
    require_if_match: bool = setting(False, yes_or_no)
    require_tls: bool = setting(False, yes_or_no)
    fast: bool = setting(True, yes_or_no)
    ratelimit_enabled: bool = setting(True, yes_or_no)
    ratelimit_default: str = setting("300 per minute", rate)
    ratelimit_address: str = setting("3000 per minute", rate)
    ratelimit_registration: str = setting("30 per hour", rate)
    cors_origins: tuple[str, ...] = setting((), origins)
    trusted_hosts: tuple[str, ...] = setting((), hosts)
    public_url: str | None = setting(None, public_url)
    script_name: str = setting("", path)
    trusted_proxies: int = setting(0, integer(0, 10))
    metrics_token: str | None = setting(None, long_secret, secret=True)
    access_token_minutes: int = setting(15, integer(1, 24 * 60))
    session_days: int = setting(30, integer(1, 3650))
    session_max_days: int = setting(365, integer(1, 3650))
    password_min_length: int = setting(12, integer(8, 128))
    max_body_bytes: int = setting(MIB, integer(1024, 1024 * MIB))
    max_import_bytes: int = setting(20 * MIB, integer(1024, 1024 * MIB))
    max_import_rows: int = setting(100_000, integer(1, 10_000_000))
    max_attachment_bytes: int = setting(10 * MIB, integer(1024, 1024 * MIB))
    max_projects_per_user: int = setting(500, integer(1, 1_000_000))
    max_tasks_per_project: int = setting(1_000_000, integer(1, 1_000_000_000))
    max_tokens_per_user: int = setting(100, integer(1, 100_000))
    max_attachments_per_user_bytes: int = setting(1024 * MIB, integer(1024, 2**60))
    max_attachments_per_project_bytes: int = setting(5 * 1024 * MIB, integer(1024, 2**60))
    attachment_types: tuple[str, ...] = setting((), media_types)
    attachment_scanner: tuple[str, ...] = setting((), command_line)
    history_events_per_task: int = setting(1_000, integer(1, 1_000_000_000))
    max_webhooks_per_project: int = setting(20, integer(0, 1000))
    webhook_networks: tuple[IPv4Network | IPv6Network, ...] = setting((), networks)
    smtp_url: MailServer | None = setting(None, mail_server, secret=True)  # noqa: RUF009 - a tuple
    mail_from: str | None = setting(None, mail_address)
    changes_retention_days: int = setting(30, integer(1, 3650))
    oidc_issuer: str | None = setting(None, issuer)
    oidc_client_id: str | None = setting(None)
    oidc_client_secret: str | None = setting(None, secret=True)
    oidc_name: str = setting("SSO")
    oidc_link_by_email: bool = setting(False, yes_or_no)
    proxy_auth_header: str | None = setting(None, header_name)
    proxy_auth_secret: str | None = setting(None, long_secret, secret=True)
    proxy_auth_create: bool = setting(False, yes_or_no)
    sentry_dsn: str | None = setting(None, dsn, secret=True)
    otel_exporter_otlp_endpoint: str | None = setting(None, endpoint)


def _variable(spec: Field[Any]) -> str:
    return str(spec.metadata.get("variable", spec.name.upper()))


VARIABLES = tuple(_variable(spec) for spec in fields(Settings))


def load(env: Mapping[str, str]) -> Settings:
    """The settings that an environment gives, or ConfigError with the variable's name."""
    env = _with_dotenv(env)
    chosen: dict[str, Any] = {}
    for spec in fields(Settings):
        value = _value(env, spec)
        if value and spec.name != "instance":
            chosen[spec.name] = _parsed(spec, value)
    if "database_replica_url" in chosen and "postgresql" not in chosen.get("database_url", ""):
        raise ConfigError("DATABASE_REPLICA_URL: a replica of what? Set DATABASE_URL to PostgreSQL")
    if "smtp_url" in chosen and not {"mail_from", "public_url"} <= chosen.keys():
        raise ConfigError("SMTP_URL: mail needs MAIL_FROM and PUBLIC_URL besides")
    _check_complete(chosen, "oidc_issuer", "oidc_client_id", "oidc_client_secret")
    _check_complete(chosen, "proxy_auth_header", "proxy_auth_secret")
    if chosen.get("require_tls"):
        _check_encryption(chosen)
    folder = env.get("TASKAPP_INSTANCE") or str(ROOT / "instance")
    chosen["instance"] = _folder(folder)
    return Settings(**(_derived(chosen) | chosen))


def _check_complete(chosen: dict[str, Any], *names: str) -> None:
    """Refuse settings of which some are there and some are missing."""
    missing = [name.upper() for name in names if name not in chosen]
    present = [name.upper() for name in names if name in chosen]
    if missing and present:
        raise ConfigError(f"{missing[0]}: {present[0]} is set, and needs it")


def _check_encryption(chosen: dict[str, Any]) -> None:
    """Refuse what could cross a network without encryption, or without a look at who answers."""
    for name in ("database_url", "database_replica_url"):
        if not _is_safe_database(chosen.get(name, "sqlite:///")):
            raise ConfigError(
                f"{name.upper()}: REQUIRE_TLS is set, so it must hold sslmode=verify-full"
                " (and sslrootcert=<file> for an authority of your own), or the folder of a socket"
            )
    if not _is_safe_redis(chosen.get("redis_url", "unix://")):
        raise ConfigError(
            "REDIS_URL: REQUIRE_TLS is set, so it must begin with rediss:// or unix://,"
            " and leave ssl_cert_reqs and ssl_check_hostname alone"
        )
    server: MailServer | None = chosen.get("smtp_url")
    if server is not None and server.tls == "none" and not _is_loopback(server.host):
        raise ConfigError("SMTP_URL: REQUIRE_TLS is set, so tls must be starttls or implicit")


def _is_safe_database(url: str) -> bool:
    query = parse_qs(urlsplit(url).query)
    hosts = query.get("host", [""])[-1].split(",")
    is_socket = all(host.startswith("/") for host in hosts)
    return url.startswith("sqlite") or is_socket or query.get("sslmode") == ["verify-full"]


def _is_safe_redis(url: str) -> bool:
    is_weakened = re.search(r"[?&]ssl_(cert_reqs|check_hostname)=", url)
    return url.startswith("unix://") or (url.startswith("rediss://") and not is_weakened)


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "127.0.0.1", "::1"}


def _derived(chosen: dict[str, Any]) -> dict[str, Any]:
    """The defaults that depend on other settings."""
    production = chosen.get("environment") == "production"
    strangers_register = production and chosen.get("registration", "open") == "open"
    database_file = chosen["instance"] / "taskapp.db"
    port = chosen.get("port", 8000)
    return {
        "database_url": f"sqlite:///{database_file}",
        "bind": f"127.0.0.1:{port}",
        "log_format": "json" if production else "text",
        "invitations": strangers_register,
        "secret_key": _checked_secret(chosen, production),
    }


def _with_dotenv(env: Mapping[str, str]) -> Mapping[str, str]:
    """In development a `.env` file fills in what the environment leaves out."""
    if env.get("ENVIRONMENT") == "production":
        return {name: value for name, value in env.items() if value}
    file = dotenv_values(".env")
    if file.get("ENVIRONMENT") == "production":
        raise ConfigError("ENVIRONMENT: production is set in the environment, not in .env")
    both = {**file, **env}
    return {name: value for name, value in both.items() if value}


def _value(env: Mapping[str, str], spec: Field[Any]) -> str | None:
    name = _variable(spec)
    path = env.get(f"{name}_FILE") if spec.metadata.get("secret") else None
    if path is None:
        return env.get(name)
    if name in env:
        raise ConfigError(f"{name}: set it or {name}_FILE, not both")
    try:
        return Path(path).read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}_FILE: {path} cannot be read") from error


def _parsed(spec: Field[Any], value: str) -> Any:
    try:
        return spec.metadata["parse"](value)
    except ValueError as error:
        raise ConfigError(f"{_variable(spec)}: {error}") from None


def _folder(path: str) -> Path:
    folder = Path(path).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"TASKAPP_INSTANCE: {folder} cannot be created") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"TASKAPP_INSTANCE: {folder} cannot be written")
    return folder


def _checked_secret(chosen: dict[str, Any], production: bool) -> str:
    key = str(chosen.get("secret_key", ""))
    if not production:
        return key or _development_secret(chosen["instance"] / "secret_key")
    remedy = "make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
    if not key:
        raise ConfigError(f"SECRET_KEY: production needs one; {remedy}")
    if _is_weak(key):
        raise ConfigError(f"SECRET_KEY: too short or well known; {remedy}")
    if _is_weak(chosen.get("secret_key_previous", key)):
        raise ConfigError(
            "SECRET_KEY_PREVIOUS: too short or well known: tokens signed with it would be accepted;"
            " leave it out, and everybody signs in again"
        )
    return key


def _is_weak(key: str) -> bool:
    return len(key) < 32 or len(set(key)) < 8 or KNOWN_SECRETS.search(key) is not None


def _development_secret(path: Path) -> str:
    """Made on the first start and kept; of two processes that start at once, one makes it."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32), encoding="ascii")
        try:
            path.hardlink_to(draft)  # fails when there is one: nobody ever sees half a key
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii")
