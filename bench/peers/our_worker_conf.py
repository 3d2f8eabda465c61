"""gunicorn for the floor on taskapp's own worker: what its framework-free handling leaves over."""

from __future__ import annotations

from bench.peers.gunicorn_conf import *  # noqa: F403 - the same numbers
from taskapp.server.worker import FastWorker

worker_class = FastWorker
forwarded_allow_ips = ""  # as taskapp has it: only then does the worker read requests itself
