"""Settings with pydantic-settings: declare them, and the class reads the environment itself.

Look at what is not here: no parsing, no loop, no file reading. Look at what is: a list must be told
not to be JSON (`NoDecode`), a flag takes "on", "yes" and "1" as well, and `os.environ` is read by
the class, so a test has to change the real environment.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class ConfigError(Exception):
    """A variable that keeps the service from starting."""


def _names(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(name.strip() for name in value.split(",") if name.strip())


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    secret_key: SecretStr
    port: int = Field(default=8000, ge=1, le=65535)
    debug: bool = False
    hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = ()


def load(dotenv: Path) -> Settings:
    """The settings, or ConfigError with the variable's name."""
    try:
        return Settings(_env_file=dotenv)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{str(first['loc'][0]).upper()}: {first['msg']}") from None
