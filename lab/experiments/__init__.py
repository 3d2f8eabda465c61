"""The experiments. Beside each stand the apps it runs, sync.py and async_.py, and its text."""

# In the order a lesson takes them.
NAMES = "slow_upstream queue short_queries cpu blocking pool slow_client footprint".split()
