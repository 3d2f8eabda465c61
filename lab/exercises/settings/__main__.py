"""python -m lab.exercises.settings: how long does a start take to read its settings?"""

import argparse
import os
import tempfile
from pathlib import Path

from lab.exercises.clock import best, table
from lab.exercises.settings import async_, sync


def main() -> None:
    options = argparse.ArgumentParser(description="Load settings by hand and by pydantic-settings.")
    options.add_argument("--times", type=int, default=100)
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dotenv = Path(folder, ".env")
        dotenv.write_text("SECRET_KEY=of-nobody\nHOSTS=a.example,b.example\n", encoding="utf-8")
        by_hand = best(lambda: sync.load(os.environ, dotenv), each=arguments.times)
        declared = best(lambda: async_.load(dotenv), each=arguments.times)
    rows = [("by hand", f"{by_hand * 1e6:.0f}"), ("pydantic-settings", f"{declared * 1e6:.0f}")]
    print(table(("one load", "µs"), *rows))


if __name__ == "__main__":
    main()
