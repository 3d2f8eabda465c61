"""A real server as it stands behind a proxy, with a small limit"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests import servers

LIMIT = 10
_addresses = itertools.count(1)


@pytest.fixture(scope="session", params=["file", "redis"])
def behind_a_proxy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Two workers; counters in a file, or in Redis."""
    variables = {"TASKAPP_INSTANCE": str(tmp_path_factory.mktemp("behind-a-proxy"))}
    if request.param == "redis":
        variables["REDIS_URL"] = request.getfixturevalue("redis_url")
    servers.migrate(**variables)
    variables |= {
        "RATELIMIT_DEFAULT": f"{LIMIT} per minute",
        "TRUSTED_PROXIES": "1",
        "TRUSTED_HOSTS": "127.0.0.1,tasks.example.com,.example.org",
        "CORS_ORIGINS": "https://app.example.com,https://board.example.com",
    }
    with servers.gunicorn(**variables) as base:
        yield base


@pytest.fixture
def address() -> str:
    """An address that nobody has called from yet."""
    number = next(_addresses)
    return f"198.51.{number // 250}.{number % 250 + 1}"
