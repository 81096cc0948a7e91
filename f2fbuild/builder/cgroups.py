"""A control group of its own for every sandbox, where this process may make one.

As root under cgroup v1, memory and processes are limited by the kernel, which also counts what no process's
size shows: files in memory and memory files. Elsewhere the watch over the tree and RLIMIT_NPROC hold alone.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from signal import SIGKILL
from typing import Final

from f2fbuild.errors import StorageError

_MOUNT: Final = Path("/sys/fs/cgroup")
_LIMIT_FILE: Final = {"memory": "memory.limit_in_bytes", "pids": "pids.max"}
_NUMBERS: Final = count()


class Group:
    """The directories of one sandbox's group, one for each controller that there is."""

    def __init__(self, directories: dict[str, Path]) -> None:
        """Take `directories` by controller."""
        self._directories = directories

    @property
    def controllers(self) -> frozenset[str]:
        """Which of memory and pids are limited."""
        return frozenset(self._directories)

    @property
    def entrances(self) -> list[str]:
        """The files in which a process that joins writes `0`."""
        return [str(directory / "cgroup.procs") for directory in self._directories.values()]

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel has killed a process because the group's memory was full."""
        if "memory" not in self._directories:
            return False
        lines = (self._directories["memory"] / "memory.oom_control").read_text().splitlines()
        return any(int(line.split()[1]) > 0 for line in lines if line.startswith("oom_kill "))

    def ran_out_of_processes(self) -> bool:
        """Whether the kernel has refused a process or thread because the group had enough of them."""
        if "pids" not in self._directories:
            return False
        return (self._directories["pids"] / "pids.events").read_text() != "max 0\n"


@contextmanager
def own_group(*, memory: int, processes: int) -> Iterator[Group]:
    """Make a group of at most `memory` bytes and `processes`, and remove it once it is empty.

    Raises:
        StorageError: a group was left that still has processes.
    """
    limits = {"memory": memory, "pids": processes}
    directories: dict[str, Path] = {}
    for controller, parent in _parents().items():
        _sweep(parent)
        directory = parent / f"f2fbuild-{os.getpid()}-{next(_NUMBERS)}"
        try:
            directory.mkdir()
        except OSError:
            continue
        directories[controller] = directory
        (directory / _LIMIT_FILE[controller]).write_text(str(limits[controller]))
    try:
        yield Group(directories)
    finally:
        for directory in directories.values():
            _remove(directory)


def _sweep(parent: Path) -> None:
    """Remove the groups of makers that were killed, and kill what was left in them.

    bubblewrap's child asks to die with it only some time after its start: killed in between, it leaves it.
    """
    for directory in parent.glob("f2fbuild-*"):
        maker = directory.name.split("-")[1]
        if Path("/proc", maker).exists():
            continue
        # Somebody else may sweep at the same time; what still dies is removed by the next to come by.
        with suppress(OSError):
            for pid in map(int, (directory / "cgroup.procs").read_text().split()):
                if pid > 0:
                    os.kill(pid, SIGKILL)
            directory.rmdir()


def _remove(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError as error:
        raise StorageError(f"cannot be removed: {error.strerror}", where=str(directory)) from error


def _parents() -> dict[str, Path]:
    """Return this process's own directory in each cgroup v1 hierarchy that limits memory or processes."""
    if os.getuid() != 0:
        return {}
    found = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in set(controllers.split(",")) & set(_LIMIT_FILE):
            found[controller] = _MOUNT / controllers / path.lstrip("/")
    return found
