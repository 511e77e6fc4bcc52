"""`python memory_watch.py SECONDS PID...`: looks every so many seconds at the memory of these processes, one right after the
other, until stdin ends; then, on one line, the most pages that it saw of all together, and of each. Imports next to nothing.
"""

import os
import select
import sys
import time


def main() -> None:
    every, pids = float(sys.argv[1]), sys.argv[2:]
    files = [os.open(f"/proc/{pid}/statm", os.O_RDONLY) for pid in pids]
    together, apart = 0, [0] * len(files)
    os.write(1, b".")
    while not select.select([0], [], [], 0)[0]:
        try:
            pages = [int(os.pread(file, 200, 0).split()[1]) for file in files]
        except OSError:  # one of them has ended
            break
        together = max(together, sum(pages))
        apart = [max(most, now) for most, now in zip(apart, pages, strict=True)]
        time.sleep(every)
    print(together, *apart)


if __name__ == "__main__":
    main()
