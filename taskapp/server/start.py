"""What a server looks at before it starts its workers."""

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

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
