"""Where lines go: all to standard output, gunicorn's too, in one form."""

import logging
from typing import Any

from config import Settings
from taskapp.web.log_lines import Line, Stdout

# gunicorn's lines go where all go; the extension's say what ours say, once.
LOGGERS = {
    "gunicorn.error": {"handlers": [], "propagate": True},
    "flask-limiter": {"level": "ERROR"},
}


def configuration(settings: Settings) -> dict[str, Any]:
    """For logging.config.dictConfig: all lines, gunicorn's too, in one format to stdout."""
    # Nothing prints the caller, and finding it costs as much as the line.
    logging.logThreads = False
    logging.logProcesses = False
    logging.logMultiprocessing = False
    logging._srcfile = None  # the logging HOWTO's own advice
    as_json = settings.log_format == "json"
    line = {"()": Line, "as_json": as_json}
    stdout = {"()": Stdout, "formatter": "line"}
    formatters = {"line": line}
    root = {"level": settings.log_level.upper(), "handlers": ["stdout"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": formatters,
        "handlers": {"stdout": stdout},
        "root": root,
        "loggers": LOGGERS,
    }
