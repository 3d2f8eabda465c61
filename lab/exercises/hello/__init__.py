"""The three first endpoints (hello, calculator, echo) and an upload, in Flask and in FastAPI."""
