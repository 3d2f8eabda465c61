"""tasks: the command line of taskapp. It uses the public API and nothing else."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

# An object as it came in JSON, or as it will go: the contract describes it, not this program.
Json = dict[str, Any]
