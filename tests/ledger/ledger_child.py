"""A child process that appends to a log and kills itself at a named commit point.

Usage: ledger_child.py DIRECTORY POINT SKIP START COUNT...

It appends batches of COUNT entries `entry <n>`, n counted from START, and after each batch that returned
prints `done <size>`. At the (SKIP+1)-th time that POINT is reached it dies by SIGKILL.
"""

import os
import signal
import sys
from pathlib import Path

from f2fbuild.ledger.log import Log
from tests.ledger.ledger_helpers import ALICE


def main() -> None:
    directory, point, skip, start, *counts = sys.argv[1:]
    left, number = int(skip), int(start)

    def on_commit_point(name: str) -> None:
        nonlocal left
        if name == point:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    with Log.open(Path(directory), ALICE.log, on_commit_point=on_commit_point) as log:
        for count in map(int, counts):
            log.append([b"entry %d" % n for n in range(number, number + count)])
            number += count
            sys.stdout.write(f"done {log.size}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
