"""Blobs: files named by their SHA-256.

Contract. When `put_bytes`, `put_file`, `put_stream` or `adopt` has returned, the blob is on the disk, whole,
under its name, and stays so after a power cut. A crash before leaves no blob and at most a temporary file,
which the next `open` removes. A blob is never changed; putting it again replaces it by the same bytes, which
heals one that the disk has damaged. Any number of threads and processes may use one directory at once.

Calls block: with more than a few hundred KiB, trio tasks make them in a thread, one call for each.

    <directory>/ab/abcdef…      blobs, by the first two digits of their digest
    <directory>/incoming/       temporary files, locked (flock) by whoever writes them
    <directory>/partial/        interrupted transfers (`store.partial`)
"""

import fcntl
import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

from f2fbuild.errors import StorageError
from f2fbuild.limits import BLOB_BLOCK_BYTES, BLOB_BYTES, BLOB_RESERVE_BYTES, PARTIALS_PER_BLOB
from f2fbuild.model.digest import parse_digest, sha256_hex
from f2fbuild.store.files import open_regular, private_directory, storage_errors, sync_directory, write_at
from f2fbuild.store.partial import Partial, drop_partials, find_partials, listed_chunks, sweep_leaves


class BlobMissingError(StorageError):
    """A blob is not here."""


class BlobDamagedError(StorageError):
    """A blob's bytes are no longer those of its name."""


class BlobStore:
    """The blobs in one directory; see the module's contract."""

    def __init__(self, directory: Path, *, reserve: int) -> None:
        """Use `open`."""
        self._directory = directory
        self._incoming = directory / "incoming"
        self._partial = directory / "partial"
        self._reserve = reserve

    @classmethod
    def open(cls, directory: Path, *, reserve: int = BLOB_RESERVE_BYTES) -> Self:
        """Open the store in `directory`, made with mode 0700 if absent, and clear what a crash left.

        Args:
            directory: where the blobs are.
            reserve: bytes to leave free on its file system.

        Raises:
            StorageError: the directory cannot be used or is open to others.
        """
        store = cls(directory, reserve=reserve)
        private_directory(directory)
        with storage_errors(directory):
            for number in range(256):
                (directory / f"{number:02x}").mkdir(mode=0o700, exist_ok=True)
            store._incoming.mkdir(mode=0o700, exist_ok=True)
            store._partial.mkdir(mode=0o700, exist_ok=True)
            # The fan-out is durable once and for all, so that a put has one directory to sync.
            sync_directory(directory)
            store._clear_incoming()
        sweep_leaves(store._partial)
        return store

    def put_bytes(self, data: bytes) -> str:
        """Store `data`; return its digest. Durable on return.

        Raises:
            StorageError: the disk is full or refuses.
        """
        return self.put_stream(io.BytesIO(data))

    def put_file(self, path: Path, *, limit: int = BLOB_BYTES) -> str:
        """Store a copy of the regular file `path`; return its digest. Durable on return.

        Links are not followed, and a device or FIFO is refused unread: products are hostile.

        Raises:
            StorageError: no regular file, larger than `limit` bytes, or the disk is full or refuses.
        """
        with open_regular(path) as stream:
            return self.put_stream(stream, limit=limit)

    def put_stream(self, stream: BinaryIO | io.RawIOBase, *, limit: int = BLOB_BYTES) -> str:
        """Store what `stream` gives until its end; return its digest. Durable on return.

        Raises:
            StorageError: more than `limit` bytes, or the disk is full or refuses.
        """
        hasher, size = hashlib.sha256(), 0
        with storage_errors(self._directory), self._temporary() as (file, name):
            while block := stream.read(BLOB_BLOCK_BYTES):
                size += len(block)
                if size > limit:
                    raise StorageError(f"larger than {limit} bytes", where=str(self._directory))
                self.check_room(len(block))
                hasher.update(block)
                write_at(file, block, size - len(block))
            digest = hasher.hexdigest()
            self._publish(file, name, digest)
        return digest

    def has(self, digest: str) -> bool:
        """Return whether the blob is here. A digest that is none is a `FormatError`, here and below."""
        return self._place(digest).is_file()

    def path(self, digest: str) -> Path:
        """Return the blob's file, to be read only.

        Raises:
            BlobMissingError: it is not here.
        """
        place = self._place(digest)
        if not place.is_file():
            raise BlobMissingError("no such blob", where=digest)
        return place

    def open_blob(self, digest: str) -> io.FileIO:
        """Return the blob opened for reading; it stays readable when the blob is removed meanwhile.

        Raises:
            BlobMissingError: it is not here.
        """
        path = self.path(digest)
        with storage_errors(path):
            return path.open("rb", buffering=0)

    def size(self, digest: str) -> int:
        """Return the blob's bytes.

        Raises:
            BlobMissingError: it is not here.
        """
        path = self.path(digest)
        with storage_errors(path):
            return path.stat().st_size

    def read(self, digest: str, limit: int) -> bytes:
        """Return the whole blob of at most `limit` bytes, its digest checked again.

        Raises:
            BlobMissingError: it is not here.
            BlobDamagedError: the disk gave other bytes.
            StorageError: it is larger than `limit`.
        """
        with self.open_blob(digest) as stream, storage_errors(self._place(digest)):
            if os.fstat(stream.fileno()).st_size > limit:
                raise StorageError(f"larger than {limit} bytes", where=digest)
            data = stream.read()
        if sha256_hex(data) != digest:
            raise _damaged(digest)
        return data

    def verify(self, digest: str) -> None:
        """Read the whole blob and compare its digest.

        Raises:
            BlobMissingError: it is not here.
            BlobDamagedError: the disk gave other bytes.
        """
        with self.open_blob(digest) as stream, storage_errors(self._place(digest)):
            if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                raise _damaged(digest)

    def remove(self, digest: str) -> None:
        """Remove the blob; one that is not here is removed already. A power cut may bring it back."""
        place = self._place(digest)
        with storage_errors(place):
            place.unlink(missing_ok=True)

    def check_room(self, size: int) -> None:
        """Return if `size` more bytes leave the reserve free.

        Raises:
            StorageError: they do not; the hint says what to do.
        """
        with storage_errors(self._directory):
            disk = os.statvfs(self._directory)
        free = disk.f_bavail * disk.f_frsize
        if free - size < self._reserve:
            raise StorageError(
                f"{free} bytes are free, {size} are needed and {self._reserve} kept in reserve",
                where=str(self._directory),
                hint="Free space on this file system, or move the blobs to a larger one",
            )

    def begun(self, digest: str) -> int:
        """Return how many chunks the transfer of this blob that was written last may hold, 0 without one.

        It may turn out to hold fewer when it is opened again and its chunks are checked.
        """
        names = find_partials(self._partial, parse_digest(digest))
        return listed_chunks(self._partial / names[-1]) if names else 0

    def partial(self, digest: str, *, root: bytes, size: int) -> Partial:
        """Return the transfer of the blob of `size` bytes under the chunk root `root`, begun or new.

        Of other transfers of this blob the oldest are dropped, so that `PARTIALS_PER_BLOB` remain.

        Raises:
            BlobBusyError: it is going on elsewhere.
            StorageError: the disk has no room for the blob.
        """
        name = Partial.name_of(parse_digest(digest), root=root, size=size)
        others = [other for other in find_partials(self._partial, digest) if other != name]
        if len(others) >= PARTIALS_PER_BLOB:
            drop_partials(self._partial, others[: len(others) - PARTIALS_PER_BLOB + 1])
        if not (self._partial / name).exists():
            self.check_room(size)
        return Partial.reopen(self._partial, name)

    def drop_partials_before(self, moment: int) -> None:
        """Drop the transfers last written before unix second `moment`, but none that is going on."""
        with storage_errors(self._partial):
            old = [path for path in self._partial.iterdir() if path.stat().st_mtime < moment]
        drop_partials(self._partial, [path.name for path in old if path.suffix != ".leaves"])

    def adopt(self, partial: Partial) -> bool:
        """Make a finished transfer a blob, durable on return, and return True.

        When its SHA-256 is not the blob's name, the chunk root was a lie: all of it is dropped, and False
        returned. Either way the transfer is over.
        """
        if partial.digest_so_far() != partial.digest:
            partial.discard()
            return False
        with storage_errors(self._directory):
            self._publish(partial.file, partial.path, partial.digest)
        # If we crash here, the blob stands, and the next `open` sweeps its list of chunks.
        partial.discard()
        drop_partials(self._partial, find_partials(self._partial, partial.digest))
        return True

    def _place(self, digest: str) -> Path:
        return self._directory / parse_digest(digest)[:2] / digest

    @contextmanager
    def _temporary(self) -> Iterator[tuple[BinaryIO, Path]]:
        """Give a new locked file that is gone at the end unless it was published."""
        while True:
            descriptor, name = tempfile.mkstemp(dir=self._incoming)
            path = Path(name)
            with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor, not a path
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if not os.fstat(descriptor).st_nlink:
                    continue  # an `open` elsewhere swept it between the two lines above
                try:
                    yield file, path
                finally:
                    path.unlink(missing_ok=True)
                return

    def _publish(self, file: BinaryIO, name: Path, digest: str) -> None:
        place = self._place(digest)
        os.fsync(file.fileno())
        # If we crash here, there is a temporary file and no blob.
        name.rename(place)
        # If we crash here, there is a blob or none, and nobody was told that there is one.
        sync_directory(place.parent)

    def _clear_incoming(self) -> None:
        for path in self._incoming.iterdir():
            # It may be published meanwhile, or somebody is writing it.
            with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)


def _damaged(digest: str) -> BlobDamagedError:
    hint = "Remove it and fetch it again; check the disk"
    return BlobDamagedError("the disk gave other bytes than were stored", where=digest, hint=hint)
