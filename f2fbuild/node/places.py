"""Directories of a node's parts, made when they are first needed."""

import os
from pathlib import Path

from f2fbuild.store.files import private_directory


def private_place(path: Path) -> Path:
    """Return the directory, which is there now and for its owner only."""
    private_directory(path)
    return path


def free_disk(path: Path) -> int:
    """Return how many bytes are free where this directory lies; it is made if it is not there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize
