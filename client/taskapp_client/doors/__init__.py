"""Doors from elsewhere: what other programs export, as rows that the service imports."""
