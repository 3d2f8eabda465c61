"""The settings: pydantic-settings reads the environment; the twin of config.py."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

MIB = 1024 * 1024


def async_driver(url: str) -> str:
    """The same URL that taskapp takes, with a driver that waits without blocking."""
    url = re.sub(r"^postgres(ql)?(\+psycopg2)?://", "postgresql+asyncpg://", url)
    url = re.sub(r"^sqlite:///", "sqlite+aiosqlite:///", url)
    if not url.startswith(("postgresql+asyncpg://", "sqlite+aiosqlite:///")):
        raise ValueError("must begin with postgresql:// or sqlite:///")
    return url


class Settings(BaseSettings):
    """What this service was told; each field is a variable of the same name in capitals."""

    database_url: Annotated[str, AfterValidator(async_driver)] = Field(repr=False)
    secret_key: str = Field(min_length=32, repr=False)
    # One worker runs many requests at once, so its pool is what bounds them: one connection for
    # each, in each of the two engines. A sync worker needs one in all.
    database_pool_size: int = Field(default=10, ge=1, le=500)
    database_pool_timeout: float = Field(default=5, gt=0)  # seconds
    registration: Literal["open", "closed"] = "open"
    require_if_match: bool = False
    access_token_minutes: int = Field(default=15, ge=1, le=24 * 60)
    session_days: int = Field(default=30, ge=1, le=3650)
    password_min_length: int = Field(default=12, ge=8, le=128)
    max_body_bytes: int = Field(default=MIB, ge=1024)
