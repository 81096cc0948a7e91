"""Files that are whole or absent: written beside, synced, renamed, and their directories synced.

A crash leaves the old file or the new one, and at worst a `*.tmp` beside it that the next start removes.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from f2fbuild.errors import StorageError

TEMPORARY = ".tmp"


def stage_file(path: Path, data: bytes) -> Path:
    """Write `data` beside `path`, synced, and return the temporary path, which `Path.replace` puts in place.

    Raises:
        StorageError: the disk is full or fails; nothing is left behind.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StorageError(f"cannot write: {error.strerror}", where=str(path)) from error
    return temporary


def write_file(path: Path, data: bytes) -> None:
    """Put a file in place, whole. It is durable once its directory is synced.

    Raises:
        StorageError: the disk is full or fails.
    """
    temporary = stage_file(path, data)
    try:
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"cannot rename: {error.strerror}", where=str(path)) from error


def sync_directories(paths: Iterable[Path], root: Path) -> None:
    """Make the names in the directories of `paths`, and all directories up to `root`, durable.

    Raises:
        StorageError: the disk fails.
    """
    directories = {parent for path in paths for parent in path.parents if parent.is_relative_to(root)}
    for directory in sorted(directories, reverse=True):
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(f"cannot sync: {error.strerror}", where=str(directory)) from error
