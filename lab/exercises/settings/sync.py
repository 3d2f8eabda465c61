"""Settings by hand: a frozen dataclass and one function.

Look at how little it takes, and that every rule can be read: the environment wins over the file,
an empty value counts as none, a mistake names its variable, and the secret does not print itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from dotenv import dotenv_values


class ConfigError(Exception):
    """A variable that keeps the service from starting."""


def _flag(value: str) -> bool:
    if value.lower() not in {"true", "false"}:
        raise ValueError("true or false")
    return value.lower() == "true"


def _port(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= 65535:
        raise ValueError("from 1 to 65535")
    return int(value)


def _names(value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


PARSERS: dict[str, Callable[[str], Any]] = {"port": _port, "debug": _flag, "hosts": _names}


@dataclass(frozen=True)
class Settings:
    secret_key: str = field(repr=False)
    port: int = 8000
    debug: bool = False
    hosts: tuple[str, ...] = ()


def load(env: Mapping[str, str], dotenv: Path) -> Settings:
    """The settings, or ConfigError with the variable's name."""
    given = {name: value for name, value in {**dotenv_values(dotenv), **env}.items() if value}
    sampling: dict[str, Any] = {}
    for name in (spec.name for spec in fields(Settings)):
        if value := given.get(name.upper()):
            try:
                sampling[name] = PARSERS.get(name, str)(value)
            except ValueError as error:
                raise ConfigError(f"{name.upper()}: {error}") from None
    if "secret_key" not in sampling:
        raise ConfigError("SECRET_KEY: missing")
    return Settings(**sampling)
