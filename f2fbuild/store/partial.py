"""Interrupted transfers: the first chunks of a blob that is arriving in order.

Two files, named by digest, chunk root and size: the blob's own bytes, and `….leaves` with one 32-byte hash
for each chunk that was verified before it was written. A chunk is written first and its hash after it, so a
program killed at any point loses at most the chunk it was writing. Nothing is synced before the end: `reopen`
hashes every chunk again and keeps those up to the first whose hash differs, whatever a power cut has done.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Self

from f2fbuild.errors import StorageError
from f2fbuild.limits import CHUNK_BYTES
from f2fbuild.model.tree import HASH_BYTES, leaf_hash
from f2fbuild.store.files import storage_errors, write_at

_LEAVES = ".leaves"


class BlobBusyError(StorageError):
    """This blob is being fetched already."""


class Partial:
    """A transfer that has verified chunks 0 … `held` - 1. One task uses it, the file is locked (flock)."""

    def __init__(self, path: Path, file: BinaryIO, leaves: BinaryIO) -> None:
        """Use `reopen`."""
        digest, root, size = path.name.split(".")
        self.path = path
        self.file = file
        self.digest = digest
        self.root = bytes.fromhex(root)
        self.size = int(size)
        self.held = 0
        self._leaves = leaves
        self._hasher = hashlib.sha256()

    @staticmethod
    def name_of(digest: str, *, root: bytes, size: int) -> str:
        """Return the name of the transfer: what it claims belongs to it, so two claims never mix."""
        return f"{digest}.{root.hex()}.{size}"

    @classmethod
    def reopen(cls, directory: Path, name: str) -> Self:
        """Return the transfer called `name` in `directory`, with its room on the disk taken.

        Reads all that is held: call it in a thread.

        Raises:
            BlobBusyError: somebody else writes it.
            StorageError: no room on the disk.
        """
        path = directory / name
        with storage_errors(path), ExitStack() as stack:
            file = stack.enter_context(_open_locked(path))
            leaves = stack.enter_context(_open(path.with_name(name + _LEAVES)))
            partial = cls(path, file, leaves)
            if partial.size:
                os.posix_fallocate(file.fileno(), 0, partial.size)
            partial._take_stock()
            stack.pop_all()
        return partial

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def append(self, data: bytes, leaf: bytes) -> None:
        """Keep `data`, the verified chunk number `held`, whose RFC 6962 leaf hash is `leaf`.

        Raises:
            StorageError: the disk refuses.
        """
        with storage_errors(self.path):
            write_at(self.file, data, self.held * CHUNK_BYTES)
            # If we are killed here, the chunk is fetched again.
            write_at(self._leaves, leaf, self.held * HASH_BYTES)
        self._hasher.update(data)
        self.held += 1

    def digest_so_far(self) -> str:
        """Return the SHA-256 of all that is held."""
        return self._hasher.hexdigest()

    def close(self) -> None:
        """Leave the transfer for a later `reopen`. Closing twice is harmless."""
        self.file.close()
        self._leaves.close()

    def discard(self) -> None:
        """Drop all that is held."""
        with storage_errors(self.path):
            _unlink(self.path)
        self.close()

    def _take_stock(self) -> None:
        """Take up the chunks that are as they were when they were verified."""
        listed = os.pread(self._leaves.fileno(), -(-self.size // CHUNK_BYTES) * HASH_BYTES, 0)
        for start in range(0, len(listed) - HASH_BYTES + 1, HASH_BYTES):
            length = min(CHUNK_BYTES, self.size - self.held * CHUNK_BYTES)
            data = os.pread(self.file.fileno(), length, self.held * CHUNK_BYTES)
            if leaf_hash(data) != listed[start : start + HASH_BYTES]:
                return
            self._hasher.update(data)
            self.held += 1


def find_partials(directory: Path, digest: str) -> list[str]:
    """Return the names of the transfers of the blob `digest` in `directory`, last written last."""
    with storage_errors(directory):
        found = [path for path in directory.glob(f"{digest}.*") if path.suffix != _LEAVES]
        return [path.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))]


def listed_chunks(path: Path) -> int:
    """Return how many chunks the transfer at `path` has listed as verified."""
    with storage_errors(path):
        leaves = path.with_name(path.name + _LEAVES)
        return leaves.stat().st_size // HASH_BYTES if leaves.exists() else 0


def sweep_leaves(directory: Path) -> None:
    """Drop lists of chunks in `directory` whose file is gone; it is made before its list and goes first."""
    with storage_errors(directory):
        for leaves in directory.glob(f"*{_LEAVES}"):
            if not leaves.with_suffix("").exists():
                leaves.unlink(missing_ok=True)


def drop_partials(directory: Path, names: Iterable[str]) -> None:
    """Drop the transfers of these names, but not one that somebody is writing."""
    for name in names:
        path = directory / name
        with storage_errors(path):
            try:
                file = _open_locked(path)
            except BlobBusyError:
                continue
            with file:
                _unlink(path)


def _open(path: Path) -> BinaryIO:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return open(os.open(path, flags, 0o600), "r+b", buffering=0)  # noqa: PTH123 - a descriptor


def _open_locked(path: Path) -> BinaryIO:
    while True:
        file = _open(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise BlobBusyError("another transfer of it is going on", where=path.name) from None
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # it was dropped between opening and locking


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(path.name + _LEAVES).unlink(missing_ok=True)
