"""Measured comparisons: taskapp beside other ways to build it, and beside itself as it grows.

`python -m bench --help` lists what can be run; docs/performance.md is what came out.
"""
