"""A child process that writes a log and kills itself at a named commit point.

Usage: ledger_child.py DIRECTORY POINT SKIP START STEP...

A STEP is a number, for which it appends that many entries `entry <n>`, n counted from START, or `publish`.
After each step that returned it prints `done <size>`. At the (SKIP+1)-th time that POINT is reached it dies
by SIGKILL. Just before, it writes what a power cut in this moment would leave:

  DIRECTORY.lost   nothing of what was not synced: neither contents nor names
  DIRECTORY.torn   all names, but of each file that was not synced only the half
"""

import os
import shutil
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from f2fbuild.ledger.log import Log
from tests.ledger.ledger_helpers import ALICE


class Disk:
    """Knows what of a directory is durable, by watching every sync of this process."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._contents: dict[int, bytes] = {}
        self._names: dict[Path, dict[str, int]] = {}
        for path in [root, *root.rglob("*")]:
            self._note(path)
        for name in ("fsync", "fdatasync"):
            setattr(os, name, self._watch(getattr(os, name)))

    def _watch(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def watched(descriptor: int) -> None:
            sync(descriptor)
            self._note(Path(f"/proc/self/fd/{descriptor}").readlink())

        return watched

    def _note(self, path: Path) -> None:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            self._names[path] = self._listing(path)
        else:
            self._contents[found.st_ino] = path.read_bytes()

    def _listing(self, path: Path) -> dict[str, int]:
        return {child.name: child.stat().st_ino for child in path.iterdir()}

    def cut(self, path: Path, *, torn: bool, gone: bool = False) -> None:
        """Write to `path` what a power cut would leave; with `gone` names that were removed stay so."""
        shutil.rmtree(path, ignore_errors=True)
        self._copy(self._root, path, torn=torn, gone=gone)

    def _copy(self, path: Path, to: Path, *, torn: bool, gone: bool) -> None:
        to.mkdir()
        for name, inode in (self._listing(path) if torn else self._names.get(path, {})).items():
            now = path / name
            if gone and not now.exists():
                continue
            if now in self._names or now.is_dir():
                self._copy(now, to / name, torn=torn, gone=gone)
                continue
            present = now.read_bytes() if now.exists() and now.stat().st_ino == inode else b""
            durable = self._contents.get(inode, b"")
            (to / name).write_bytes(half_way(durable, present) if torn else durable)


def half_way(durable: bytes, present: bytes) -> bytes:
    """Of what was written behind what is durable, the half; of what was overwritten, half of the new."""
    if present.startswith(durable):
        return present[: (len(durable) + len(present)) // 2]
    if len(present) == len(durable):
        changed = [at for at, byte in enumerate(present) if byte != durable[at]]
        middle = (changed[0] + changed[-1] + 1) // 2
        return present[:middle] + durable[middle:]
    return durable if len(present) == 0 else present[: len(present) // 2]


def main() -> None:
    directory, point, skip, start, *steps = sys.argv[1:]
    left, number = int(skip), int(start)
    disk = Disk(Path(directory))

    def on_commit_point(name: str) -> None:
        nonlocal left
        if name == point:
            if left == 0:
                disk.cut(Path(f"{directory}.lost"), torn=False)
                disk.cut(Path(f"{directory}.torn"), torn=True)
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    with Log.open(Path(directory), ALICE.log, on_commit_point=on_commit_point) as log:
        for step in steps:
            if step == "publish":
                log.publish()
            else:
                log.append([b"entry %d" % n for n in range(number, number + int(step))])
                number += int(step)
            sys.stdout.write(f"done {log.size}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
