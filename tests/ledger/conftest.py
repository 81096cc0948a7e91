"""Places for logs."""

import os
import subprocess  # noqa: TID251 - a file system is mounted
from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild.ledger.log import Log
from tests.ledger.ledger_helpers import ALICE


@pytest.fixture
def place(tmp_path: Path) -> Path:
    Log.create(tmp_path / "log", ALICE.log).close()
    return tmp_path / "log"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB."""
    yield from _disk(tmp_path, "256k")


@pytest.fixture
def store_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MiB, a third of which an empty store takes."""
    yield from _disk(tmp_path, "1m")


def _disk(tmp_path: Path, size: str) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)
