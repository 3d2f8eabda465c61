"""What a server looks at before it starts its workers, and when they end."""

from contextlib import suppress

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import configure_mappers

from taskapp.database import sqlite
from taskapp.errors import DatabaseUnavailable
from taskapp.extensions import db


def check_database(app: Flask) -> None:
    """Refuse to start on a database that can never serve.

    One that is not there yet may come: until then the service is up, and not ready.

    Raises:
        SystemExit: It is in another encoding than UTF-8.
    """
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            return
        try:
            db.engine.connect().close()
        except DatabaseUnavailable as refusal:
            raise SystemExit(f"taskapp: {refusal.detail}") from None
        except SQLAlchemyError:
            return
        finally:
            db.engine.dispose()  # workers may not share a connection


def load_for_workers() -> None:
    """Make now what each worker would make with its first write, for itself: they share it."""
    configure_mappers()


def leave_database(app: Flask) -> None:
    """Leave no log of a SQLite file beside another that has taken its name meanwhile."""
    with app.app_context():
        if db.engine.dialect.name != "sqlite" or not sqlite.database_file().is_replaced():
            return
        for engine in db.engines.values():
            with suppress(DatabaseUnavailable):  # it has no connection to the old one
                connection = engine.raw_connection()
                sqlite.empty_log(connection.driver_connection)
                connection.close()
