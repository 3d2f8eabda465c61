"""The experiments. Beside each stand the apps it runs, sync.py and async_.py, and its text."""

# In the order in which a lesson takes them, which is the order of the page.
NAMES = (
    "slow_upstream cpu no_gil blocking short_queries pool slow_client hang_up footprint idle"
    " queue tail storm queue_crash"
).split()
# Seconds that each takes on a quiet machine with two processors: in `make lab`, in `make lab-full`.
SECONDS = {
    "slow_upstream": (42, 240),
    "cpu": (40, 150),
    "no_gil": (10, 20),
    "blocking": (35, 35),
    "short_queries": (45, 90),
    "pool": (25, 60),
    "slow_client": (30, 150),
    "hang_up": (45, 90),
    "footprint": (40, 150),
    "idle": (20, 60),
    "queue": (60, 500),
    "tail": (50, 180),
    "storm": (90, 120),
    "queue_crash": (150, 400),
}
# Those that `make lab` runs; the others are for `make lab-full`, or for `--only`.
QUICK = "slow_upstream cpu blocking short_queries pool slow_client queue".split()
