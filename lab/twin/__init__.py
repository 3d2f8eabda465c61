"""The async twin: a part of taskapp's contract over the same tables, as the async world writes it.

It imports nothing of taskapp. Its rooms have taskapp's names, so that each file can be read beside
its twin; docs/twin.md says what differs, and why.
"""
