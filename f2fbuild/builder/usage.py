"""What a tree of processes takes of memory, and a set of directories of disk, as the kernel tells it."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from f2fbuild.limits import DISK_RESERVE_BYTES

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_BLOCK: Final = 512
"""Bytes of one `st_blocks` (stat(2))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How many processes a tree has, threads counted, the memory that is theirs alone, and CPU seconds.

    `cpu` has those of children that were waited for, so it grows until the tree ends.
    """

    processes: int
    memory: int
    cpu: float


def tree(pid: int) -> Iterator[tuple[int, int]]:
    """Yield `pid` and all its living descendants, each with its number of threads."""
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        threads = 0
        try:
            with os.scandir(f"/proc/{process}/task") as tasks:
                for task in tasks:
                    waiting += map(int, Path(task.path, "children").read_bytes().split())
                    threads += 1
        except OSError:  # it ended meanwhile
            continue
        yield process, threads


def tree_usage(pid: int) -> Usage:
    """Return what the tree below `pid` takes now; pages that processes share are not counted."""
    processes = memory = ticks = 0
    for process, threads in tree(pid):
        try:
            _, resident, shared, *_ = Path(f"/proc/{process}/statm").read_bytes().split()
            times = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[11:15]
        except (OSError, ValueError):
            continue
        processes += threads
        memory += (int(resident) - int(shared)) * _PAGE
        ticks += sum(map(int, times))
    return Usage(processes=processes, memory=memory, cpu=ticks / _TICKS)


def memory_available() -> int:
    """Return the bytes of memory that the host can still give (`MemAvailable`, proc(5))."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


class DiskWatch:
    """Tells when what is written below `paths` passes `limit` bytes, or leaves the disk too little.

    Walking a large tree takes long, so it is walked only when the file system as a whole has grown so much
    since the last walk that the limit could have been passed.
    """

    def __init__(self, paths: Sequence[Path], limit: int) -> None:
        """Watch `paths`; what is below them now counts too."""
        self._paths = paths
        self._limit = limit
        self._measured = sum(map(_tree_bytes, paths))
        self._used_then = self._used()

    def exceeded(self) -> bool:
        """Whether the limit or the reserve of a file system is passed now."""
        if any(_free(path) < DISK_RESERVE_BYTES for path in self._paths):
            return True
        if self._measured + max(0, self._used() - self._used_then) <= self._limit:
            return False
        self._used_then = self._used()
        self._measured = sum(map(_tree_bytes, self._paths))
        return self._measured > self._limit

    def _used(self) -> int:
        systems = {path.stat().st_dev: os.statvfs(path) for path in self._paths}
        return sum((system.f_blocks - system.f_bfree) * system.f_frsize for system in systems.values())


def _free(path: Path) -> int:
    system = os.statvfs(path)
    return system.f_bavail * system.f_frsize


def _tree_bytes(path: Path) -> int:
    """Return the bytes of disk below `path`, never following a link; hard links count once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for root, _, names, directory in os.fwalk(path, onerror=None, follow_symlinks=False):
        del root
        total += os.fstat(directory).st_blocks * _BLOCK
        for name in names:
            try:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except OSError:
                continue
            if status.st_nlink == 1 or (status.st_dev, status.st_ino) not in seen:
                total += status.st_blocks * _BLOCK
            if status.st_nlink > 1:
                seen.add((status.st_dev, status.st_ino))
    return total
