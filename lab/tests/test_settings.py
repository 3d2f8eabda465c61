"""The settings exercise: by hand and by pydantic-settings, the same files and variables."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from lab.exercises.settings import async_, sync

Load = Callable[[], Any]


@pytest.fixture(params=["by hand", "declared"])
def load(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Load from a `.env` file and variables; a ConfigError comes back as its words."""

    def load(dotenv: str = "", **variables: str) -> Any:
        (tmp_path / ".env").write_text(dotenv, encoding="utf-8")
        for name in ("SECRET_KEY", "PORT", "DEBUG", "HOSTS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        try:
            if request.param == "by hand":
                return sync.load(os.environ, tmp_path / ".env")
            return async_.load(tmp_path / ".env")
        except (sync.ConfigError, async_.ConfigError) as error:
            return str(error)

    return load


def test_has_defaults(load: Load) -> None:
    sampling = load(SECRET_KEY="s")

    assert (sampling.port, sampling.debug, sampling.hosts) == (8000, False, ())


def test_the_environment_wins_over_the_file(load: Load) -> None:
    sampling = load("SECRET_KEY=s\nPORT=1\nDEBUG=true\nHOSTS=a.example, b.example\n", PORT="2")

    assert (sampling.port, sampling.debug, sampling.hosts) == (2, True, ("a.example", "b.example"))


def test_an_empty_variable_counts_as_unset(load: Load) -> None:
    assert load(SECRET_KEY="s", PORT="").port == 8000


@pytest.mark.parametrize(
    ("variables", "culprit"),
    [
        ({}, "SECRET_KEY"),
        ({"PORT": "many"}, "PORT"),
        ({"PORT": "0"}, "PORT"),
        ({"DEBUG": "maybe"}, "DEBUG"),
    ],
    ids=str,
)
def test_a_mistake_names_its_variable(load: Load, variables: dict[str, str], culprit: str) -> None:
    given = {"SECRET_KEY": "s", **variables} if variables else {}

    assert load(**given).startswith(f"{culprit}: ")


def test_the_secret_does_not_print_itself(load: Load) -> None:
    sampling = load(SECRET_KEY="of-nobody")
    key = sampling.secret_key

    assert "of-nobody" not in repr(sampling)
    assert (key.get_secret_value() if isinstance(key, SecretStr) else key) == "of-nobody"


def test_cannot_be_changed(load: Load) -> None:
    sampling = load(SECRET_KEY="s")

    with pytest.raises((AttributeError, ValueError)):
        sampling.port = 1
