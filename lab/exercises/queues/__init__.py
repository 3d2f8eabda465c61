"""Celery: jobs that outlive their caller, with queues, retries and statuses."""
