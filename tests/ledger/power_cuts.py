"""What a kill and a power cut would leave of a directory, before each of a process's steps on the disk.

A step is a file or directory made, renamed or removed, and a sync. Before each one copies are made:

  NNN-killed   all that was written, as SIGKILL leaves it
  NNN-lost     nothing of what was not synced: neither contents nor names
  NNN-gone     the same, but what was removed is gone: a disk keeps no order between syncs
  NNN-torn     all names, but of each file that was not synced only the half

and beside them, as `NNN.json`, what the process had told the world until then.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.ledger.ledger_child import Disk

_STEPS = frozenset({"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate"})
_WRITING = os.O_WRONLY | os.O_RDWR


class PowerCuts:
    """Cuts the power of `root` before every step, for as long as this process lives."""

    def __init__(self, root: Path, cuts: Path) -> None:
        self.told: dict[str, Any] = {}
        self._root = root
        self._cuts = cuts
        self._number = 0
        self._is_cutting = False
        cuts.mkdir()
        for name in ("fsync", "fdatasync"):
            setattr(os, name, self._before(getattr(os, name)))
        self._disk = Disk(root)
        sys.addaudithook(self._hear)

    def cut(self) -> None:
        """Make the copies of this moment."""
        self._is_cutting = True
        try:
            name = f"{self._number:03}"
            self._number += 1
            shutil.copytree(self._root, self._cuts / f"{name}-killed")
            self._disk.cut(self._cuts / f"{name}-lost", torn=False)
            self._disk.cut(self._cuts / f"{name}-gone", torn=False, gone=True)
            self._disk.cut(self._cuts / f"{name}-torn", torn=True)
            (self._cuts / f"{name}.json").write_text(json.dumps(self.told))
        finally:
            self._is_cutting = False

    def _before(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def cut_first(descriptor: int) -> None:
            self.cut()
            sync(descriptor)

        return cut_first

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._is_cutting or event not in _STEPS:
            return
        path = arguments[0]
        if not isinstance(path, str | os.PathLike) or not Path(path).is_relative_to(self._root):
            return
        if event == "open" and not arguments[2] & _WRITING:
            return
        self.cut()
