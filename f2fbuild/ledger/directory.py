"""A log in a directory, laid out as C2SP tlog-tiles says: what own logs and friends' mirrors share.

Contract
  * The file `checkpoint` alone decides how long the log is. It is replaced by rename, after all files that
    it speaks of are durable; what lies beyond it is removed on open, as if it had never been written.
  * One process and one object at a time: the directory itself is locked (flock) while open. Before the
    checkpoint is replaced it is compared with the one this object knows (compare-and-swap), so that even a
    holder who slipped past the lock cannot fork the log.
  * What a reader is told is durable: `size`, `checkpoint` and every read follow the last head whose rename
    has been synced, never a newer one.
  * Readers may run in any thread, beside one writer. Writers are serialised by the subclass.
  * When the disk fails between rename and sync nobody can know which head a power cut would leave: the
    object refuses all further work, and opening again settles it.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from f2fbuild.errors import FormatError, LedgerError, StorageError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint
from f2fbuild.ledger.disk import TEMPORARY, stage_file, sync_directories, write_file
from f2fbuild.ledger.edge import Edge, grow, load_edge, partial_files
from f2fbuild.ledger.merkle import EMPTY_ROOT, leaf_hash, prove_inclusion
from f2fbuild.ledger.note import VerifierKey
from f2fbuild.ledger.proof import Proof, verify_proof
from f2fbuild.limits import TILE_WIDTH

CHECKPOINT = "checkpoint"
COMMIT_POINTS = (
    "full-written",
    "partials-written",
    "data-durable",
    "checkpoint-staged",
    "checkpoint-renamed",
    "checkpoint-durable",
    "stale-removed",
)
"""The steps of a commit, in order; `on_commit_point` is told each name after its step."""


class LogInUseError(StorageError):
    """Another process has this log open."""


def no_commit_point(_name: str) -> None:
    """Listen to no commit point."""


def begin(directory: Path, note: bytes) -> None:
    """Make `directory` a log with the checkpoint `note`, durable; empty bytes begin a mirror of nothing yet.

    Raises:
        LedgerError: there is a log already, or the remains of one.
        StorageError: the disk is full or fails.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # A crash during the very first write leaves the temporary file and nothing else.
    (directory / (CHECKPOINT + TEMPORARY)).unlink(missing_ok=True)
    if any(directory.iterdir()):
        raise LedgerError("is not empty; a log is begun once and never anew", where=str(directory))
    write_file(directory / CHECKPOINT, note)
    sync_directories([directory / CHECKPOINT], directory.parent)


class LogDirectory:
    """A locked log directory: its head, entries, files and proofs. See the module's contract."""

    def __init__(
        self, directory: Path, key: VerifierKey, on_commit_point: Callable[[str], None] = no_commit_point
    ) -> None:
        """Lock, recover and load the log of `key` in `directory`.

        Raises:
            LogInUseError: another process or object has it open.
            LedgerError: no log there, or its files are not those of its checkpoint.
            StorageError: the disk fails.
        """
        self.directory = directory
        self.key = key
        self._narrate = on_commit_point
        self._lock = threading.RLock()
        self._broken = ""
        self._staged_files: list[tiles.Resource] = []
        self._descriptor = _lock_directory(directory)
        try:
            self._note, self._head = self._load_checkpoint()
            self._remove_stale(self._walk())
            self._edge = self._staged = self._load_edge()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the directory; the object is of no use afterwards."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self._broken = self._broken or "it is closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Entries under the last durable checkpoint."""
        return self._head.size

    @property
    def head(self) -> Checkpoint:
        """The last durable checkpoint; of size 0 before there is any."""
        return self._head

    def checkpoint(self) -> bytes:
        """Return the note of the last durable checkpoint, empty before there is any."""
        return self._note

    def entry(self, index: int) -> bytes:
        """Return the entry at `index`; errors as `entries`."""
        return self.entries(index, index + 1)[0]

    def entries(self, start: int, end: int) -> list[bytes]:
        """Return the entries [start, end), each checked against its leaf hash.

        Raises:
            IndexError: not 0 <= start <= end <= size.
            StorageError: a file is missing or damaged.
        """
        with self._lock:
            if not 0 <= start <= end <= self.size:
                raise IndexError(f"no entries {start} to {end} in a log of {self.size}")
            return list(self._read_entries(start, end))

    def inclusion(self, index: int) -> Proof:
        """Return the proof of the entry at `index` under the current checkpoint, checked before it is given.

        Raises:
            IndexError: no such entry.
            StorageError: a file is missing or damaged.
        """
        with self._lock:
            entry = self.entry(index)
            proof = Proof(
                index=index,
                hashes=prove_inclusion(index, self.size, self.read_hash),
                checkpoint=self._note,
            )
            try:
                verify_proof(proof, entry, self.key)
            except LedgerError as error:
                raise StorageError("a tile is damaged", where=str(self.directory)) from error
            return proof

    def resource(self, path: str) -> bytes | None:
        """Return the bytes at `path` as tlog-tiles names it, or None when the log does not serve it.

        Partial tiles and bundles of any width up to the present one are cut from the widest.

        Raises:
            FormatError: no path of tlog-tiles.
            StorageError: a file is missing or damaged.
        """
        if path == CHECKPOINT:
            return self._note or None
        wanted = tiles.parse_path(path)
        with self._lock:
            available = tiles.widest(wanted, self.size)
            if wanted.width > available:
                return None
            return tiles.slice_to(wanted, self._read(replace(wanted, width=available)), available)

    def read_hash(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree of the log (`merkle.ReadHash`)."""
        return tiles.read_hash(level, index, self.size, self._read)

    # --- the writer's side ------------------------------------------------------------------------

    def _stage(self, entries: Sequence[bytes]) -> None:
        """Write what `entries` fill; they count for nobody until `_commit`."""
        self._check_usable()
        grown, filled = grow(self._staged, entries)
        self._write(filled.items())
        self._staged = grown

    def _discard(self) -> None:
        """Forget what was staged since the last commit."""
        if self._broken:
            # The head on disk may speak of these files already.
            return
        self._remove_stale(self._staged_files)
        self._staged_files, self._staged = [], self._edge

    def _commit(self, note: bytes) -> None:
        """Make the staged entries the log's, under the signed checkpoint `note` of exactly that tree."""
        head = open_checkpoint(note, self.key)
        grown, before = self._staged, self._edge
        if (head.size, head.root) != (grown.size, grown.frontier.root):
            raise LedgerError("the checkpoint is not of the staged tree", where=str(self.directory))
        # 1. All the tree's new files. If we crash here, they lie beyond the checkpoint: swept on open.
        self._narrate("full-written")
        self._write(
            (r, data) for r, data in partial_files(grown).items() if not tiles.is_kept(r, before.size)
        )
        self._narrate("partials-written")
        sync_directories(map(self._path, self._staged_files), self.directory)
        self._narrate("data-durable")
        # 2. The head moves. If we crash before the rename the log is as before, after it the log has grown;
        #    either way nobody was told yet.
        self._swap_checkpoint(note)
        # 3. From here on the entries cannot be lost, so readers may see them.
        with self._lock:
            self._note, self._head, self._edge = note, head, grown
            self._staged_files = []
            # 4. If we crash before this, opening removes the same files by the same rule.
            self._remove_stale(tiles.partials(before.size))
        self._narrate("stale-removed")

    def _swap_checkpoint(self, note: bytes) -> None:
        path = self.directory / CHECKPOINT
        temporary = stage_file(path, note)
        self._narrate("checkpoint-staged")
        try:
            self._check_unmoved(path)
            temporary.replace(path)
            self._narrate("checkpoint-renamed")
            sync_directories([path], self.directory)
            self._narrate("checkpoint-durable")
        except BaseException as error:
            self._broken = "its head is in doubt after a failure; open it again"
            if isinstance(error, OSError):
                raise StorageError(f"cannot move the head: {error.strerror}", where=str(path)) from error
            raise

    def _check_unmoved(self, path: Path) -> None:
        if path.read_bytes() != self._note:
            raise LedgerError("somebody else moved this log's head", where=str(path))

    def _write(self, files: Iterable[tuple[tiles.Resource, bytes]]) -> None:
        for resource, data in files:
            self._staged_files.append(resource)
            write_file(self._path(resource), data)

    def _check_usable(self) -> None:
        if self._broken:
            raise StorageError(f"this log cannot be used: {self._broken}", where=str(self.directory))

    # --- files ------------------------------------------------------------------------------------

    def _path(self, resource: tiles.Resource) -> Path:
        return self.directory / tiles.format_path(resource)

    def _read(self, resource: tiles.Resource) -> bytes:
        self._check_usable()
        try:
            return self._path(resource).read_bytes()
        except OSError as error:
            raise StorageError(f"cannot read: {error.strerror}", where=str(self._path(resource))) from error

    def _read_entries(self, start: int, end: int) -> Iterator[bytes]:
        for index in range(start // TILE_WIDTH, -(-end // TILE_WIDTH)):
            first = index * TILE_WIDTH
            width = tiles.widest(tiles.Bundle(index=index), self.size)
            bundle = tiles.Bundle(index=index, width=width)
            leaves = tiles.Tile(level=0, index=index, width=width)
            try:
                entries = tiles.decode_bundle(self._read(bundle), width)
                hashes = tiles.split_tile(self._read(leaves), width)
            except FormatError as error:
                raise StorageError(f"damaged: {error}", where=str(self._path(bundle))) from error
            part = slice(max(start - first, 0), min(end - first, width))
            if any(leaf_hash(e) != h for e, h in zip(entries[part], hashes[part], strict=True)):
                raise StorageError("an entry or its leaf hash is damaged", where=str(self._path(bundle)))
            yield from entries[part]

    def _walk(self) -> Iterator[tiles.Resource]:
        """Yield every tile and bundle that lies here; what a write left unfinished is removed on the way."""
        (self.directory / (CHECKPOINT + TEMPORARY)).unlink(missing_ok=True)
        for path in sorted((self.directory / "tile").rglob("*")):
            if path.name.endswith(TEMPORARY):
                path.unlink()
            elif path.is_file():
                with suppress(FormatError):
                    yield tiles.parse_path(path.relative_to(self.directory).as_posix())

    def _remove_stale(self, candidates: Iterable[tiles.Resource]) -> None:
        """Remove those candidates that the log does not keep at its present size.

        What cannot be removed now does no harm, and is removed at a later opening.
        """
        for resource in candidates:
            if tiles.is_kept(resource, self.size):
                continue
            path = self._path(resource)
            with suppress(OSError):
                path.unlink(missing_ok=True)
                if resource.width < TILE_WIDTH:
                    path.parent.rmdir()

    def _load_checkpoint(self) -> tuple[bytes, Checkpoint]:
        path = self.directory / CHECKPOINT
        try:
            note = path.read_bytes()
            # A head that a crash left renamed but not synced is made durable before anybody is told of it.
            sync_directories([path], self.directory)
        except FileNotFoundError as error:
            raise LedgerError("no checkpoint here", where=str(self.directory)) from error
        if not note:
            return b"", Checkpoint(origin=self.key.name, size=0, root=EMPTY_ROOT)
        try:
            return note, open_checkpoint(note, self.key)
        except FormatError as error:
            raise LedgerError(f"the checkpoint is damaged: {error.what}", where=str(path)) from error

    def _load_edge(self) -> Edge:
        files = {resource: self._read(resource) for resource in tiles.partials(self.size)}
        try:
            return load_edge(self.size, self._head.root, files)
        except FormatError as error:
            raise LedgerError(f"a file is damaged: {error}", where=str(self.directory)) from error


def _lock_directory(directory: Path) -> int:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise LedgerError("no log here", where=str(directory), hint="A log is begun by `init`") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise LogInUseError("another process has it open", where=str(directory)) from error
    return descriptor
