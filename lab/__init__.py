"""The sync-vs-async lab: the same things twice, and measurements to hold against arithmetic."""
