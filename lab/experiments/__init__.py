"""The experiments. Beside each stand the apps it runs, sync.py and async_.py, and its text."""

# In the order in which a lesson takes them, which is the order of the page.
NAMES = (
    "slow_upstream cpu blocking short_queries pool slow_client footprint queue queue_crash"
).split()
# Seconds that each takes on a quiet machine with two processors: in `make lab`, in `make lab-full`.
SECONDS = {
    "slow_upstream": (45, 240),
    "cpu": (30, 90),
    "blocking": (40, 40),
    "short_queries": (35, 80),
    "pool": (25, 60),
    "slow_client": (20, 60),
    "footprint": (30, 90),
    "queue": (60, 500),
    "queue_crash": (100, 300),
}
# Those that `make lab` runs: the others are for `make lab-full`, or for `--only`.
QUICK = NAMES[:8]
