"""python work.py THREADS: so many threads compute the same; prints the seconds it took.

Nothing but the standard library: any Python that is found can run it.
"""

import sys
import threading
import time

ROUNDS = 1_500_000


def compute() -> None:
    total = 0
    for number in range(ROUNDS):
        total += number * number % 7


if __name__ == "__main__":
    compute()  # some Pythons are faster the second time
    begin = time.perf_counter()
    threads = [threading.Thread(target=compute) for _ in range(int(sys.argv[1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(time.perf_counter() - begin)  # noqa: T201 - the answer
