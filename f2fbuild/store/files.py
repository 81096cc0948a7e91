"""Files that survive a crash, in directories that only their owner reads."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from f2fbuild.errors import StorageError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about `path` into a `StorageError` that says what to do."""
    try:
        yield
    except OSError as error:
        hint = "Free space on this file system, then try again" if error.errno in _FULL else ""
        raise StorageError(error.strerror or str(error), where=str(path), hint=hint) from error


def private_directory(path: Path) -> None:
    """Make `path` a directory of mode 0700, or check that it is one that nobody else can enter.

    A directory that others own or can enter is refused rather than changed: it may not be ours alone. This
    holds for root too, who could enter any: its owner could put other files there.

    Raises:
        StorageError: it cannot be made, is no directory, is another user's, or is open to others.
    """
    with storage_errors(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    if found.st_uid != os.geteuid():
        raise StorageError("the directory belongs to another user", where=str(path))
    if found.st_mode & 0o077:
        raise StorageError("the directory is open to others", where=str(path), hint=f"chmod 700 {path}")


def private_file(path: Path) -> None:
    """Make `path` an empty file of mode 0600 unless it exists, or check that nobody else can open it.

    Raises:
        StorageError: it cannot be made, is no regular file, or is open to others.
    """
    with storage_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            mode = os.fstat(descriptor).st_mode
        finally:
            os.close(descriptor)
    if not stat.S_ISREG(mode):
        raise StorageError("not a regular file", where=str(path))
    if mode & 0o077:
        raise StorageError("the file is open to others", where=str(path), hint=f"chmod 600 {path}")


def open_regular(path: Path) -> BinaryIO:
    """Return the regular file `path` opened for reading, without following a link or waiting for a FIFO.

    Raises:
        StorageError: it is something else, or cannot be read.
    """
    with storage_errors(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise StorageError("not a regular file", where=str(path))
    return open(descriptor, "rb", buffering=0)  # noqa: PTH123 - a descriptor, not a path


def sync_directory(path: Path) -> None:
    """Return when the names in the directory `path` are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_at(file: BinaryIO, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`; the system may take it in parts when the disk is nearly full."""
    view = memoryview(data)
    while view:
        written = os.pwrite(file.fileno(), view, offset)
        view, offset = view[written:], offset + written


def write_private(path: Path, data: bytes) -> None:
    """Make `path` a file of mode 0600 with `data`, durable on return; never half-written, never over another.

    Raises:
        StorageError: it exists, or the disk does not take it.
    """
    part = path.with_name(f".{path.name}.part")
    with storage_errors(path):
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            # A link refuses what a rename would replace.
            os.link(part, path)
        finally:
            part.unlink(missing_ok=True)
        sync_directory(path.parent)
