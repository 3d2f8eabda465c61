"""config.load: the environment, checked"""

from __future__ import annotations

import re
import stat
from dataclasses import fields
from pathlib import Path

import pytest

import config
from tests import servers

KEY = "0123456789abcdef0123456789abcdef"


def load(folder: Path, **env: str) -> config.Settings:
    return config.load({"TASKAPP_INSTANCE": str(folder), **env})


def test_needs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(tmp_path / "instance")

    assert settings.database_url == f"sqlite:///{tmp_path}/instance/taskapp.db"
    assert (settings.bind, settings.web_concurrency) == ("127.0.0.1:8000", 2)
    assert (settings.environment, settings.log_format) == ("development", "text")
    assert (settings.registration, settings.require_if_match) == ("open", False)


def test_makes_a_development_secret_once(tmp_path: Path) -> None:
    first, second = (load(tmp_path).secret_key for _ in range(2))

    assert first == second == (tmp_path / "secret_key").read_text()
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://x"),
        ("DATABASE_URL", "sqlite://x"),
        ("DATABASE_REPLICA_URL", "x"),
        ("DATABASE_REPLICA_URL", "sqlite:////tmp/copy.db"),
        ("DATABASE_REPLICA_URL", "postgresql://db/x"),  # of an SQLite file?
        ("REDIS_URL", "localhost:6379"),
        ("ENVIRONMENT", "staging"),
        *(("PORT", value) for value in ("0", "65536", "http", "8e3", "٣", "-1")),
        ("WEB_CONCURRENCY", "0"),
        ("LOG_LEVEL", "verbose"),
        ("LOG_FORMAT", "xml"),
        ("REGISTRATION", "yes"),
        ("INVITATIONS", "maybe"),
        ("REQUIRE_IF_MATCH", "maybe"),
        ("RATELIMIT_ENABLED", "2"),
        ("FAST", "very"),
        ("RATELIMIT_DEFAULT", "a lot"),
        ("TRUSTED_PROXIES", "all"),
        *(("SCRIPT_NAME", value) for value in ("tasks", "/a b", "//a", "/a/ü", "https://a")),
        ("CORS_ORIGINS", "app.example.com"),
        ("CORS_ORIGINS", "https://app.example.com/"),
        ("CORS_ORIGINS", "https://app.example.com,https://*.example.com"),  # would be a pattern
        ("ACCESS_TOKEN_MINUTES", "0"),
        ("PASSWORD_MIN_LENGTH", "7"),
        ("MAX_BODY_BYTES", "1MB"),
        ("OIDC_ISSUER", "id.example.com"),
        ("OIDC_ISSUER", "http://id.example.com"),  # without TLS only on this machine
        ("OIDC_ISSUER", "https://id.example.com/?realm=acme"),
        ("OIDC_ISSUER", "https://me@id.example.com"),
        ("OIDC_LINK_BY_EMAIL", "maybe"),
        ("PROXY_AUTH_HEADER", "Authorization"),
        ("PROXY_AUTH_HEADER", "X_Forwarded_Email"),  # servers drop it, or take it for another one
        ("PROXY_AUTH_SECRET", "too short"),
        *(("SMTP_URL", f"smtp://{value}") for value in ("", "h/path", "h?tls=ssl", "h:0x", "h?a")),
        *(("SMTP_URL", value) for value in ("http://h", "smtp://user@h", "smtp://h?tls=none&x=1")),
        ("SMTP_URL", "smtp://h"),  # mail needs MAIL_FROM and PUBLIC_URL besides
        *(("DATABASE_URL", f"sqlite:///{path}") for path in ("", ":memory:")),
        ("DATABASE_URL", "sqlite:///file::memory:?uri=true"),
        *(("DATABASE_URL", f"postgresql://u:p@h:{port}/x") for port in ("0", "99999", "x")),
        *(("REDIS_URL", f"redis://h{rest}") for rest in (":x/0", ":99999", ":0", "/zero", "/0/1")),
        *(("RATELIMIT_DEFAULT", rate) for rate in ("0 per minute", "9" * 20 + "/day")),
        *(("TRUSTED_HOSTS", host) for host in ("https://a.b", "a.b/", "a.b:8000")),
        *(("TRUSTED_HOSTS", host) for host in ("*", "*.example.com", "a b", "a..b", "ü..b")),
        *(("TRUSTED_HOSTS", host) for host in ("x" * 64, "[::g]", "[::1]:8000", "1:2")),
        *(("PUBLIC_URL", f"https://{host}") for host in ("a:0", "a:99999", "[::g]", "[]", "a@b")),
        *(("BIND", value) for value in ("nonsense", "a:x", "127.0.0.1:99999", "a:b:1", ",")),
        *(("SENTRY_DSN", value) for value in ("x", "https://sentry.example.com/1", "ftp://k@h/1")),
        *(("OTEL_EXPORTER_OTLP_ENDPOINT", value) for value in ("x", "h:4318", "http://h:x")),
        *(("ATTACHMENT_SCANNER", value) for value in (" ", "'' -", "scan 'half a quote")),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "büro@example.com"),  # few servers take it
        ("MAIL_FROM", "Tasks <tasks@a..b>"),
        ("MAIL_FROM", "Tasks <a@b>\nBcc: <c@d>"),
    ],
)
def test_a_wrong_value_names_its_variable(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(config.ConfigError, match=f"^{name}: "):
        load(tmp_path, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("BIND", value) for value in ("h:80", "[::]:80", "unix:/run/a.sock", "fd://3", ":1")),
        ("BIND", "127.0.0.1:8000,[::1]:8000"),
        ("DATABASE_URL", "sqlite:////srv/taskapp.db"),
        ("DATABASE_URL", "sqlite:///memory.db"),
        ("DATABASE_URL", "postgresql:///taskapp?host=/run/postgresql"),
        ("DATABASE_URL", "postgresql://u:p/w%40@h/x"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "rediss://:secret@h:6380/3?ssl_ca_certs=/etc/ca.pem"),
        ("REDIS_URL", "unix:///run/redis.sock?db=1"),
        ("PUBLIC_URL", "http://[2001:db8::1]:8443/tasks"),
        ("SENTRY_DSN", "https://0123abcd@o1.ingest.sentry.io/4501"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/v1"),
        ("RATELIMIT_DEFAULT", "100 per hour; 3 per 2 minutes"),
    ],
)
def test_what_is_right_is_taken(tmp_path: Path, name: str, value: str) -> None:
    load(tmp_path, **{name: value})


def test_a_weak_key_opens_nothing_in_production_whatever_it_is_called(tmp_path: Path) -> None:
    for previous in ("short", "changeme" * 8, "a" * 64):
        with pytest.raises(config.ConfigError, match=r"^SECRET_KEY_PREVIOUS: "):
            load(tmp_path, ENVIRONMENT="production", SECRET_KEY=KEY, SECRET_KEY_PREVIOUS=previous)
    load(tmp_path, ENVIRONMENT="production", SECRET_KEY=KEY, SECRET_KEY_PREVIOUS=KEY[::-1])


def test_a_scanner_is_a_program_and_its_arguments(tmp_path: Path) -> None:
    told = load(tmp_path, ATTACHMENT_SCANNER="/opt/scan 'two words' $HOME -")

    assert told.attachment_scanner == ("/opt/scan", "two words", "$HOME", "-")


def test_where_mail_is_handed_in(tmp_path: Path) -> None:
    more = {"MAIL_FROM": "Tasks <tasks@example.com>", "PUBLIC_URL": "https://example.com"}

    def server(url: str) -> config.MailServer | None:
        return load(tmp_path, SMTP_URL=url, **more).smtp_url

    assert server("smtp://u:p%40ss@mail.example.com") == (
        *("mail.example.com", 587, "u", "p@ss", "starttls"),
    )
    assert server("smtp://h?tls=implicit") == ("h", 465, None, None, "implicit")
    assert server("smtp://h:26/?tls=none") == ("h", 26, None, None, "none")


@pytest.mark.parametrize("missing", ["OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"])
def test_a_provider_wants_all_three(tmp_path: Path, missing: str) -> None:
    provider = {"OIDC_ISSUER": "https://id.example.com/realms/acme", "OIDC_CLIENT_ID": "taskapp"}
    provider["OIDC_CLIENT_SECRET"] = "hunter2"
    told = load(tmp_path, **provider)
    assert (told.oidc_issuer, told.oidc_name) == (provider["OIDC_ISSUER"], "SSO")
    assert "hunter2" not in repr(told)
    del provider[missing]

    with pytest.raises(config.ConfigError, match=f"^{missing}: "):
        load(tmp_path, **provider)


@pytest.mark.parametrize("missing", ["PROXY_AUTH_HEADER", "PROXY_AUTH_SECRET"])
def test_a_proxy_wants_both(tmp_path: Path, missing: str) -> None:
    proxy = {"PROXY_AUTH_HEADER": "X-Forwarded-Email", "PROXY_AUTH_SECRET": KEY}
    assert KEY not in repr(load(tmp_path, **proxy))
    del proxy[missing]

    with pytest.raises(config.ConfigError, match=f"^{missing}: "):
        load(tmp_path, **proxy)


def test_an_empty_value_is_none(tmp_path: Path) -> None:
    empty = dict.fromkeys(config.VARIABLES, "") | {"TASKAPP_INSTANCE": str(tmp_path)}

    assert config.load(empty) == load(tmp_path)


@pytest.mark.parametrize(
    "key",
    ["", "short", "x" * 64, f"change-me-{'0123456789abcdef' * 2}", f"my-secret-{'0123456789' * 3}"],
    ids=range(5),
)
def test_production_wants_a_secret_of_its_own(tmp_path: Path, key: str) -> None:
    with pytest.raises(config.ConfigError, match=r"^SECRET_KEY: .*token_hex"):
        load(tmp_path, ENVIRONMENT="production", SECRET_KEY=key)
    assert not (tmp_path / "secret_key").exists()
    told = load(tmp_path, ENVIRONMENT="production", SECRET_KEY=KEY)
    assert (told.secret_key, told.log_format) == (KEY, "json")


@pytest.mark.parametrize(
    ("chosen", "invited"),
    [
        ({}, False),
        ({"ENVIRONMENT": "production", "SECRET_KEY": KEY}, True),
        ({"ENVIRONMENT": "production", "SECRET_KEY": KEY, "REGISTRATION": "closed"}, False),
        ({"ENVIRONMENT": "production", "SECRET_KEY": KEY, "INVITATIONS": "false"}, False),
        ({"INVITATIONS": "true"}, True),
    ],
)
def test_members_are_invited_where_strangers_register(
    tmp_path: Path, chosen: dict[str, str], *, invited: bool
) -> None:
    assert load(tmp_path, **chosen).invitations is invited


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")

    assert load(tmp_path, SECRET_KEY_FILE=str(file)).secret_key == KEY
    with pytest.raises(config.ConfigError, match=r"^SECRET_KEY: .*not both"):
        load(tmp_path, SECRET_KEY_FILE=str(file), SECRET_KEY=KEY)
    with pytest.raises(config.ConfigError, match=r"^SECRET_KEY_FILE: .*cannot be read"):
        load(tmp_path, SECRET_KEY_FILE=str(tmp_path / "missing"))


@pytest.mark.parametrize("written", [f"{KEY}\r\n", f"\ufeff{KEY}\n", f" {KEY} "])
def test_the_file_of_a_secret_may_be_from_any_editor(tmp_path: Path, written: str) -> None:
    file = tmp_path / "key"
    file.write_text(written, encoding="utf-8", newline="")

    assert load(tmp_path, SECRET_KEY_FILE=str(file), SECRET_KEY="").secret_key == KEY
    assert load(tmp_path, SECRET_KEY_FILE="", SECRET_KEY=KEY).secret_key == KEY


def test_shows_no_secret(tmp_path: Path) -> None:
    url = "postgresql://me:hunter2@db/x"
    told = load(tmp_path, SECRET_KEY=KEY, DATABASE_URL=url, METRICS_TOKEN="hunter3" * 5)

    assert told.database_url.startswith("postgresql+psycopg2://")
    assert not any(secret in repr(told) for secret in (KEY, "hunter2", "hunter3"))


def test_reads_a_dotenv_file_in_development_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("PORT=9000\nLOG_LEVEL=debug\n")

    assert (load(tmp_path).port, load(tmp_path, PORT="9001").port) == (9000, 9001)
    assert load(tmp_path, ENVIRONMENT="production", SECRET_KEY=KEY).port == 8000
    Path(".env").write_text("ENVIRONMENT=production\n")
    with pytest.raises(config.ConfigError, match=r"^ENVIRONMENT: "):
        load(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(config.ConfigError, match=r"^TASKAPP_INSTANCE: "):
        load(tmp_path / "file" / "instance")


def test_a_server_refuses_to_start_in_one_line(tmp_path: Path) -> None:
    started = servers.process(
        "users", "list", ENVIRONMENT="production", TASKAPP_INSTANCE=str(tmp_path)
    )

    assert started.returncode == 1
    assert started.stderr.startswith("taskapp: SECRET_KEY: production needs one")
    assert started.stderr.count("\n") == 1


# What containers have from the image, Kubernetes from its service, and systemd from its units.
OF_THE_IMAGE = {"PORT", "BIND", "TASKAPP_INSTANCE"}
# Where an operator looks for a setting, and how it is written there, a comment or not.
WRITTEN = {
    "docker-compose.yml": (r"^ +([A-Z_]+?)(?:_FILE)?:(?: |$)", OF_THE_IMAGE),
    "deploy/systemd/taskapp.env": (
        r"^#?([A-Z_]+?)(?:_FILE)?=",
        {*OF_THE_IMAGE, "ENVIRONMENT", "SECRET_KEY", "METRICS_TOKEN"},  # the units, and `deploy`
    ),
    "deploy/kubernetes": (r"^ +(?:# )?- (?:\{name: )?([A-Z_]+?)(?:_FILE)?[=,]", OF_THE_IMAGE),
}


def text_of(place: str) -> str:
    path = servers.ROOT / place
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@pytest.mark.parametrize("place", WRITTEN)
def test_every_setting_stands_where_an_operator_looks_for_it(place: str) -> None:
    pattern, elsewhere = WRITTEN[place]
    written = set(re.findall(pattern, text_of(place), re.MULTILINE))

    assert set(config.VARIABLES) - written == elsewhere


@pytest.mark.parametrize("place", ["deploy/systemd/taskapp.env", "deploy/kubernetes"])
def test_what_is_shown_as_a_default_is_the_default(place: str, tmp_path: Path) -> None:
    shown = dict(re.findall(r"^ *#(?: - )?([A-Z_]+)=([^\n.]+)$", text_of(place), re.MULTILINE))
    default = load(tmp_path, ENVIRONMENT="production", SECRET_KEY=KEY)

    assert len(shown) > 20
    for spec in fields(default):
        if value := shown.get(spec.name.upper()):
            assert spec.metadata["parse"](value) == getattr(default, spec.name), spec.name
