"""A friend's log, kept here: pulled bundle by bundle, computed anew, and frozen for ever on a fork.

Nothing that is served is believed: tiles and root are computed from the entries, and only a root that equals
the signed one is stored. If it does not, the larger tree's own tiles must show whether the log has forked
(then the evidence is written, durable, and the mirror never moves again) or whether bad data was served.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import trio

from f2fbuild.errors import FormatError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint, strip_checkpoint
from f2fbuild.ledger.directory import LogDirectory, no_commit_point
from f2fbuild.ledger.disk import sync_directories, write_file
from f2fbuild.ledger.files import CHECKPOINT, begin
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
from f2fbuild.limits import MIRROR_UPDATE_BYTES, TILE_WIDTH
from f2fbuild.model.tree import HASH_BYTES, ReadHash, prove_consistency, range_root
from f2fbuild.model.vkey import VerifierKey

Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]
"""Path of tlog-tiles to its bytes, of which the fetcher takes at most `limits.BUNDLE_BYTES`."""

EVIDENCE = "equivocation.evidence"
"""File in the mirror's directory whose presence means frozen."""
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
