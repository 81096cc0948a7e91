"""A log in a directory, laid out as C2SP tlog-tiles says: what own logs and friends' mirrors share.

Contract
  * The file `checkpoint` decides which tiles and bundles count. It is replaced by rename, after all files
    that it speaks of are durable; what lies beyond it is removed on open, as if it had never been written.
    An own log may go on behind it in its tail (see `log`); a mirror ends with it.
  * One process and one object at a time: the directory itself is locked (flock) while open. Before the
    checkpoint is replaced it is compared with the one this object knows (compare-and-swap), so that even a
    holder who slipped past the lock cannot fork the log.
  * What a reader is told is durable: `size`, `checkpoint` and every read follow the last head that has been
    synced, never a newer one. What is at the right edge is told from memory.
  * Readers may run in any thread, beside one writer. Writers are serialised by the subclass.
  * When the disk fails between rename and sync nobody can know which head a power cut would leave: the
    object refuses all further work, and opening again settles it.
"""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from f2fbuild.errors import FormatError, LedgerError, StorageError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint
from f2fbuild.ledger.disk import stage_file, sync_directories, write_file
from f2fbuild.ledger.edge import Edge, grow, load_edge, partial_file, partial_files
from f2fbuild.ledger.files import (
    CHECKPOINT,
    is_pruned,
    lock,
    path_of,
    read_entries,
    read_file,
    remove_stale,
    sweep,
)
from f2fbuild.ledger.proof import Proof
from f2fbuild.limits import TILE_WIDTH
from f2fbuild.model.tree import EMPTY_ROOT, leaf_hash, prove_inclusion, verify_inclusion
from f2fbuild.model.vkey import VerifierKey

COMMIT_POINTS = (
    "full-written",
    "partials-written",
    "data-durable",
    "checkpoint-staged",
    "checkpoint-renamed",
    "checkpoint-durable",
    "stale-removed",
)
"""The steps by which the checkpoint moves, in order; `on_commit_point` is told each name after its step."""


def no_commit_point(_name: str) -> None:
    """Listen to no commit point."""


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
        self._open = ExitStack()
        self._open.callback(os.close, lock(directory))
        try:
            self._note, self._head = self._published = self._load_checkpoint()
            sweep(directory, self.size)
            self._edge = self._staged = self._load_edge()
        except BaseException:
            self._let_go()
            raise

    def close(self) -> None:
        """Let go of the directory; the object is of no use afterwards."""
        self._let_go()

    def _let_go(self) -> None:
        self._open.close()
        self._broken = self._broken or "it is closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Entries under the last durable head."""
        return self._head.size

    @property
    def head(self) -> Checkpoint:
        """The last durable head; of size 0 before there is any."""
        return self._head

    def checkpoint(self) -> bytes:
        """Return the note of the last durable head, empty before there is any."""
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
            self._check_usable()
            stored = self.size - len(self._edge.bundle)
            found = list(read_entries(self.directory, stored, min(start, stored), min(end, stored)))
            return found + list(self._edge.bundle[max(start - stored, 0) : max(end - stored, 0)])

    def inclusion(self, index: int) -> Proof:
        """Return the proof of the entry at `index` under the current checkpoint, checked before it is given.

        Raises:
            IndexError: no such entry.
            StorageError: a file is missing or damaged.
        """
        with self._lock:
            if not 0 <= index < self.size:
                raise IndexError(f"no entry {index} in a log of {self.size}")
            proof = Proof(
                index=index,
                hashes=prove_inclusion(index, self.size, self.read_hash),
                checkpoint=self._note,
            )
            leaf = self._leaf(index)
            if not verify_inclusion(index, self.size, leaf, proof.hashes, self._head.root):
                raise StorageError("a tile is damaged", where=str(self.directory))
            return proof

    def _leaf(self, index: int) -> bytes:
        """Return the hash of an entry, from the entry itself as long as that is here."""
        if is_pruned(self.directory, tiles.Bundle(index=index // TILE_WIDTH)):
            return self.read_hash(0, index)
        return leaf_hash(self.entry(index))

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
            if wanted.width > available or is_pruned(self.directory, wanted):
                return None
            return tiles.slice_to(wanted, self._read(replace(wanted, width=available)), available)

    def read_hash(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree of the log (`model.tree.ReadHash`).

        Raises:
            StorageError: a tile is missing or damaged.
        """
        try:
            with self._lock:
                return tiles.read_hash(level, index, self.size, self._read)
        except FormatError as error:
            raise StorageError(f"damaged: {error}", where=str(self.directory)) from error

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
        if (head.size, head.root) != (self._staged.size, self._staged.frontier.root):
            raise LedgerError("the checkpoint is not of the staged tree", where=str(self.directory))
        self._publish(note, head, self._staged)

    def _publish(self, note: bytes, head: Checkpoint, edge: Edge) -> None:
        """Move the checkpoint on to a head whose full tiles and bundles are written."""
        _, before = self._published
        # 1. All the tree's new files. If we crash here, they lie beyond the checkpoint: swept on open.
        self._narrate("full-written")
        self._write((r, data) for r, data in partial_files(edge).items() if not tiles.is_kept(r, before.size))
        self._narrate("partials-written")
        written = (path_of(self.directory, resource) for resource in self._staged_files)
        sync_directories(written, self.directory)
        self._narrate("data-durable")
        # 2. The head moves. If we crash before the rename the log is as before, after it the log has grown;
        #    either way nobody was told yet.
        self._swap_checkpoint(note)
        # 3. From here on the entries cannot be lost, so readers may see them.
        with self._lock:
            self._note, self._head, self._edge = note, head, edge
            self._published = (note, head)
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
            self._doubt(error)
            raise

    def _doubt(self, error: BaseException) -> None:
        """Refuse all further work after `error`, which left the head in doubt.

        Raises:
            StorageError: it was the disk.
        """
        self._broken = "its head is in doubt after a failure; open it again"
        if isinstance(error, OSError):
            what = f"cannot move the head: {error.strerror}"
            raise StorageError(what, where=str(self.directory)) from error

    def _check_unmoved(self, path: Path) -> None:
        try:
            found = path.read_bytes()
        except OSError as error:
            raise StorageError(f"cannot read: {error.strerror}", where=str(path)) from error
        if found != self._published[0]:
            raise LedgerError("somebody else moved this log's head", where=str(path))

    def _write(self, files: Iterable[tuple[tiles.Resource, bytes]]) -> None:
        for resource, data in files:
            self._staged_files.append(resource)
            write_file(path_of(self.directory, resource), data)

    def _check_usable(self) -> None:
        if self._broken:
            raise StorageError(f"this log cannot be used: {self._broken}", where=str(self.directory))

    # --- files ------------------------------------------------------------------------------------

    def _read(self, resource: tiles.Resource) -> bytes:
        """Return the bytes of a resource that the present tree keeps."""
        self._check_usable()
        if resource.width < TILE_WIDTH:
            return partial_file(self._edge, resource)
        return read_file(self.directory, resource)

    def _remove_stale(self, candidates: Iterable[tiles.Resource]) -> None:
        remove_stale(self.directory, self._published[1].size, candidates)

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
        files = {resource: read_file(self.directory, resource) for resource in tiles.partials(self.size)}
        try:
            return load_edge(self.size, self._head.root, files)
        except FormatError as error:
            raise LedgerError(f"a file is damaged: {error}", where=str(self.directory)) from error
