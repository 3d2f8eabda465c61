"""A query of 50 ms through a pool of connections. Flask, SQLAlchemy, psycopg2, threads."""

from __future__ import annotations

import os

import sqlalchemy as sa
from flask import Flask

app = Flask(__name__)
url = os.environ["DATABASE"].replace("postgresql:", "postgresql+psycopg2:", 1)
engine = sa.create_engine(url, pool_size=int(os.environ["POOL"]), max_overflow=0)
QUERY = sa.text("SELECT pg_sleep(0.05)")


@app.get("/report")
def report() -> str:
    with engine.connect() as connection:
        connection.execute(QUERY)
    return "done"
