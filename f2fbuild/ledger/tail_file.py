"""The file `tail` in the directory of an own log: one write and one sync for a commit. Its form: `tail`."""

import os
from contextlib import suppress
from pathlib import Path

from f2fbuild.errors import LedgerError, StorageError
from f2fbuild.ledger.disk import sync_directories

TAIL = "tail"


class TailFile:
    """The open tail of a locked log. One thread at a time."""

    def __init__(self, directory: Path) -> None:
        """Open the tail in `directory`, and make an empty one where there is none.

        Raises:
            StorageError: the disk is full or fails.
        """
        self.path = directory / TAIL
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            found = os.fstat(self._descriptor)
        except OSError as error:
            raise StorageError(f"cannot open: {error.strerror}", where=str(self.path)) from error
        self._inode, self._end = found.st_ino, found.st_size
        sync_directories([self.path], directory)

    def close(self) -> None:
        """Let go of the file, and remove it when there is nothing in it."""
        if self._end == 0:
            with suppress(OSError):
                self.path.unlink()
        os.close(self._descriptor)

    def read(self) -> bytes:
        """Return all of it.

        Raises:
            StorageError: the disk fails.
        """
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise StorageError(f"cannot read: {error.strerror}", where=str(self.path)) from error

    def write(self, record: bytes) -> None:
        """Write a record at the end; it is durable after `sync`.

        Raises:
            LedgerError: somebody else has written here.
            StorageError: the disk is full or fails; the file is as it was.
        """
        at, end = self._end, self._end + len(record)
        try:
            found = self.path.stat()
            if (found.st_ino, found.st_size) != (self._inode, at):
                raise LedgerError("somebody else moved this log's head", where=str(self.path))
            while at < end:
                at += os.pwrite(self._descriptor, record[at - end :], at)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            raise StorageError(f"cannot write: {error.strerror}", where=str(self.path)) from error
        self._end = end

    def sync(self) -> None:
        """Make what was written durable.

        Raises:
            OSError: the disk fails; whether the last record is there is not known.
        """
        os.fdatasync(self._descriptor)

    def empty(self) -> None:
        """Drop all records, which the checkpoint has by now. What a crash leaves of them does no harm."""
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            self._end = 0
