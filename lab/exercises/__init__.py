"""Paired exercises: the same small thing twice, once blocking or with threads, once with asyncio.

Each but `queues` has `sync.py`, `async_.py`, one test file over both, and one command that times
both: `python -m lab.exercises.pages`. docs/exercises.md says what to look at.
"""

NAMES = ("pages", "jobs", "chat", "hello", "validation", "settings", "queues")
