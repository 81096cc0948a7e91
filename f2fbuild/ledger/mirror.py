"""A friend's log, kept here: pulled bundle by bundle, computed anew, and frozen for ever on a fork.

Nothing that is served is believed: tiles and root are computed from the entries, and only a root that equals
the signed one is stored. If it does not, the larger tree's own tiles must show whether the log has forked
(then the evidence is written, durable, and the mirror never moves again) or whether bad data was served.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import trio

from f2fbuild.errors import FormatError, LedgerError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint, strip_checkpoint
from f2fbuild.ledger.directory import LogDirectory, no_commit_point
from f2fbuild.ledger.disk import sync_directories, write_file
from f2fbuild.ledger.files import CHECKPOINT, EVIDENCE, PRUNED, begin, path_of, read_pruned
from f2fbuild.ledger.monitor import (
    Advanced,
    Consistency,
    Decision,
    Equivocation,
    NeedsConsistency,
    Reason,
    Violation,
    judge,
)
from f2fbuild.ledger.retention import prunable
from f2fbuild.limits import MIRROR_UPDATE_BYTES, PRUNED_BUNDLES, TILE_WIDTH
from f2fbuild.model.tree import HASH_BYTES, ReadHash, leaf_hash, prove_consistency, range_root
from f2fbuild.model.vkey import VerifierKey

Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]
"""Path of tlog-tiles to its bytes, of which the fetcher takes at most `limits.BUNDLE_BYTES`."""

VIOLATION = "violation"
"""File in the mirror's directory that says, to people, how the log's entries break its rules."""


class Mirror(LogDirectory):
    """A friend's log in the layout of one's own. Reading works as there, from any thread."""

    def __init__(
        self,
        directory: Path,
        key: VerifierKey,
        on_commit_point: Callable[[str], None] = no_commit_point,
    ) -> None:
        """Open the mirror of the log of `key`; see `LogDirectory` for the errors."""
        super().__init__(directory, key, on_commit_point)
        self._evidence = _read_if_there(directory / EVIDENCE)
        self._violation = _read_if_there(directory / VIOLATION).decode()
        self._busy = trio.Lock()

    @classmethod
    def open(
        cls,
        directory: Path,
        vkey: VerifierKey,
        *,
        on_commit_point: Callable[[str], None] = no_commit_point,
    ) -> "Mirror":
        """Open the mirror of the log with this key, begun now if `directory` is absent or empty.

        Raises:
            LogInUseError: another process or object has it open.
            LedgerError: its files are not those of its checkpoint, or of another log.
            StorageError: the disk is full or fails.
        """
        if not (directory / CHECKPOINT).exists():
            begin(directory, b"")
        return cls(directory, vkey, on_commit_point)

    @property
    def evidence(self) -> bytes:
        """The evidence of the log's fork, empty while there is none."""
        return self._evidence

    @property
    def violation(self) -> str:
        """How the log's entries break its rules, empty while nothing of the kind was found."""
        return self._violation

    def note_violation(self, words: str) -> None:
        """Remember, durably, that the log's entries break its rules. It is followed on: what comes is shown.

        Raises:
            StorageError: the disk is full or fails.
        """
        self._keep(VIOLATION, words.encode())
        self._violation = words

    def freeze(self, evidence: bytes) -> None:
        """Remember, durably and for ever, that the log has forked: the mirror never moves again.

        Args:
            evidence: proves it; whoever calls has checked that it is of this log.

        Raises:
            StorageError: the disk is full or fails.
        """
        self._keep(EVIDENCE, evidence)
        self._evidence = evidence

    @property
    def pruned(self) -> int:
        """The index of the first bundle behind those that were pruned, 0 when all are here."""
        return read_pruned(self.directory)

    def prunable_bytes(self) -> int:
        """Return how many bytes `prune` would free now, of `limits.PRUNED_BUNDLES` bundles at most."""
        paths = (path_of(self.directory, tiles.Bundle(index=index)) for index in self._next())
        return sum(path.stat().st_size for path in paths if path.exists())

    def prune(self) -> int:
        """Let the oldest bundles go, `limits.PRUNED_BUNDLES` at most; return how many went.

        The file that says which are gone is durable before one is: whoever finds a bundle missing that is not
        named there has found a damaged log.

        Raises:
            StorageError: the disk is full or fails.
        """
        with self._lock:
            going = self._next()
            if not going:
                return 0
            self._keep(PRUNED, str(going.stop).encode())
            # If we crash here, bundles are still there that nobody is given; they go with the next round.
            for index in range(1, going.stop):
                path_of(self.directory, tiles.Bundle(index=index)).unlink(missing_ok=True)
            return len(going)

    async def restore(self, fetch: Fetch) -> None:
        """Take the pruned bundles in again, each compared with the tiles; errors of `fetch` pass through.

        Raises:
            LedgerError: what was served are not the entries of this log.
            StorageError: the disk is full or fails.
        """
        async with self._busy:
            for index in range(1, self.pruned):
                data = await fetch(tiles.format_path(tiles.Bundle(index=index)))
                await trio.to_thread.run_sync(self._put_back, index, data)
            # If we crash here, all of them are fetched once more.
            (self.directory / PRUNED).unlink(missing_ok=True)
            sync_directories([self.directory / PRUNED], self.directory)

    def _put_back(self, index: int, data: bytes) -> None:
        bundle = tiles.Bundle(index=index)
        try:
            leaves = tuple(map(leaf_hash, tiles.decode_bundle(data, TILE_WIDTH)))
        except FormatError as error:
            raise LedgerError(f"no bundle of entries: {error.what}", where=self.key.name) from error
        if leaves != tuple(self.read_hash(0, index * TILE_WIDTH + n) for n in range(TILE_WIDTH)):
            raise LedgerError("other entries than those of the signed tree", where=self.key.name)
        path = path_of(self.directory, bundle)
        write_file(path, data)
        sync_directories([path], self.directory)

    def _next(self) -> range:
        every = prunable(self.size)
        start = max(every.start, self.pruned)
        return range(start, min(every.stop, start + PRUNED_BUNDLES)) if start < every.stop else range(0)

    async def update(self, note: bytes, fetch: Fetch) -> Decision:
        """Take the head `note` of the log, pulling what is missing, and return what it meant.

        `Advanced` is durable on return. A frozen mirror answers `Equivocation` to everything. Errors of
        `fetch` pass through and leave the mirror as it was.

        Raises:
            StorageError: the disk is full or fails.
        """
        async with self._busy:
            if self._evidence:
                return Equivocation(evidence=self._evidence)
            decision = judge(self.key, self.checkpoint(), note)
            match decision:
                case NeedsConsistency(old=old, new=new) if new == self.size:
                    own = await trio.to_thread.run_sync(_consistency, old, new, self.read_hash)
                    decision = judge(self.key, self.checkpoint(), note, own)
                case NeedsConsistency() | Advanced():
                    decision = await self._pull(open_checkpoint(note, self.key), note, fetch)
            if isinstance(decision, Equivocation):
                await trio.to_thread.run_sync(self.freeze, decision.evidence)
            return decision

    async def _pull(self, head: Checkpoint, note: bytes, fetch: Fetch) -> Decision:
        """Take in the entries up to `head`; what they are worth is known when the root is."""
        try:
            problem = await self._pull_entries(head, fetch)
            if problem is None and self._staged.frontier.root == head.root:
                # Who cosigned it is kept apart: what is served from here tells nobody who knows whom.
                await trio.to_thread.run_sync(self._commit, strip_checkpoint(note, self.key))
                return Advanced(head=head)
        finally:
            # A cancelled pull must not leave its files for the next one to trip over.
            self._discard()
        problem = problem or Violation(reason=Reason.BAD_ENTRIES, detail="they do not make the signed root")
        if self.size == 0 or problem.reason is Reason.TOO_LARGE:
            return problem
        return await self._compare_trees(head, note, fetch, problem)

    async def _pull_entries(self, head: Checkpoint, fetch: Fetch) -> Violation | None:
        """Stage the entries from here to `head`, or say why they cannot be."""
        fetched, known = 0, self._staged.bundle
        for index in range(self.size // TILE_WIDTH, -(-head.size // TILE_WIDTH)):
            whole = tiles.Bundle(index=index)
            bundle = tiles.Bundle(index=index, width=tiles.widest(whole, head.size))
            data = await fetch(tiles.format_path(bundle))
            fetched += len(data)
            if fetched > MIRROR_UPDATE_BYTES:
                return Violation(reason=Reason.TOO_LARGE, detail=f"{fetched} bytes in one advance")
            try:
                entries = tiles.decode_bundle(data, bundle.width)
            except FormatError as error:
                return Violation(reason=Reason.BAD_ENTRIES, detail=str(error))
            if entries[: len(known)] != known:
                return Violation(reason=Reason.BAD_ENTRIES, detail="other entries than held here")
            await trio.to_thread.run_sync(self._stage, entries[len(known) :])
            known = ()
        return None

    async def _compare_trees(
        self, head: Checkpoint, note: bytes, fetch: Fetch, problem: Violation
    ) -> Decision:
        """Let the tiles of the larger tree show whether the log forked, or only `problem` is there."""
        wanted: set[tiles.Tile] = set()

        def note_tile(level: int, index: int) -> bytes:
            wanted.add(tiles.tile_of(level, index, head.size))
            return bytes(HASH_BYTES)

        _consistency(self.size, head.size, note_tile)
        fetched = {tile: await fetch(tiles.format_path(tile)) for tile in wanted}
        try:
            consistency = _consistency(self.size, head.size, _reader(head.size, fetched))
        except FormatError as error:
            return Violation(reason=Reason.BAD_PROOF, detail=str(error))
        decision = judge(self.key, self.checkpoint(), note, consistency)
        return problem if isinstance(decision, Advanced) else decision

    def _keep(self, name: str, data: bytes) -> None:
        path = self.directory / name
        write_file(path, data)
        sync_directories([path], self.directory)


def _read_if_there(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _consistency(old: int, new: int, read: ReadHash) -> Consistency:
    return Consistency(prefix_root=range_root(0, old, read), hashes=prove_consistency(old, new, read))


def _reader(size: int, fetched: Mapping[tiles.Tile, bytes]) -> ReadHash:
    return lambda level, index: tiles.read_hash(level, index, size, fetched.__getitem__)
