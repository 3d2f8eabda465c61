"""Configuration from the environment and an `.env` file: by hand, and by pydantic-settings.

Nothing here waits; "sync" and "async" only name the two worlds. taskapp's own config.py is the
hand-made kind, grown up.
"""
