"""The Flask extensions, made once and bound to an app by the factory; and the app's settings."""

from flask import current_app
from flask_caching import Cache
from flask_jwt_extended import JWTManager
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_sqlalchemy import SQLAlchemy

from config import Settings
from taskapp.schema import Base


class Database(SQLAlchemy):
    """Looks for the session of a request at its end only if there is any: a read makes none."""

    def _teardown_session(self, exc: BaseException | None) -> None:
        if self.session.registry.registry:
            super()._teardown_session(exc)


# Rows that a write returned stay readable after its commit: no SELECT to refresh them.
db = Database(model_class=Base, session_options={"expire_on_commit": False})
jwt = JWTManager()
cache = Cache()
limiter = Limiter(get_remote_address, in_memory_fallback_enabled=True, headers_enabled=False)


def settings() -> Settings:
    """The settings that this app was made with."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy: it costs
    made_with: Settings = app.extensions["taskapp"]
    return made_with


def secret_keys() -> list[str]:
    """The key that signs and seals, then the previous one while keys are exchanged."""
    keys = (settings().secret_key, settings().secret_key_previous)
    return [key for key in keys if key]
