"""The offline check of a log directory: every file, hash and signature, computed anew from the entries.

It takes no lock and writes nothing, so it may run beside the node whose log it reads.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from f2fbuild.errors import F2FError, LedgerError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint
from f2fbuild.ledger.edge import Edge, grow, grow_by_leaves, partial_files
from f2fbuild.ledger.entry import Entry, Kind, read
from f2fbuild.ledger.files import CHECKPOINT, PrunedError, read_entries, read_file, read_pruned
from f2fbuild.ledger.openings import check_statement
from f2fbuild.ledger.promises import NOTHING_OWED, fold_promises
from f2fbuild.ledger.review import bound_key
from f2fbuild.limits import REPORT_PROBLEMS, TILE_WIDTH
from f2fbuild.model.vkey import VerifierKey

_ATTEMPTS = 5
"""Times that a log is read again because its node moved the head meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where: a path below the log, or `entry <index>`."""

    where: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a log holds. `kinds` counts its entries, `open` names acceptances that nothing closed yet.

    Of `pruned` entries only the hashes are here: the tree is whole, and what it owes cannot be known.
    """

    head: Checkpoint
    kinds: Mapping[Kind, int]
    open: tuple[int, ...]
    problems: tuple[Problem, ...]
    pruned: int = 0


def verify(directory: Path, key: VerifierKey) -> Report:
    """Return what is right and wrong with the log of `key` in `directory`; at most 100 problems are named.

    Raises:
        LedgerError: there is no checkpoint signed by this key.
    """
    left = _ATTEMPTS
    while True:
        note = _read_checkpoint(directory)
        head = open_checkpoint(note, key, where=str(directory / CHECKPOINT))
        report = _Check(directory, key, head).run()
        left -= 1
        if not left or not report.problems or _read_checkpoint(directory) == note:
            return report


def _read_checkpoint(directory: Path) -> bytes:
    try:
        return (directory / CHECKPOINT).read_bytes()
    except OSError as error:
        raise LedgerError("no log here", where=str(directory)) from error


class _Check:
    def __init__(self, directory: Path, key: VerifierKey, head: Checkpoint) -> None:
        self._directory = directory
        self._key = key
        self._head = head
        self._problems: list[Problem] = []
        self._kinds: Counter[Kind] = Counter()
        self._statements: bytes | None = None
        self._pruned = min(read_pruned(directory), head.size // TILE_WIDTH)

    def run(self) -> Report:
        promises = fold_promises(self._entries())
        if self._pruned > 1:
            # What was promised in entries that are not here cannot be held against those that are.
            promises = NOTHING_OWED
        for index, problem in promises.problems:
            self._blame(f"entry {index}", problem)
        return Report(
            head=self._head,
            kinds=dict(self._kinds),
            open=promises.open,
            problems=tuple(self._problems[:REPORT_PROBLEMS]),
            pruned=max(0, self._pruned - 1) * TILE_WIDTH,
        )

    def _entries(self) -> Iterator[tuple[int, Entry]]:
        """Yield the entries that can be read; on the way compare every tile, and at the end the root."""
        edge = Edge()
        for first in range(0, self._head.size, TILE_WIDTH):
            if len(self._problems) >= REPORT_PROBLEMS:
                return
            whole = tiles.Bundle(index=first // TILE_WIDTH)
            bundle = tiles.Bundle(index=whole.index, width=tiles.widest(whole, self._head.size))
            try:
                if 0 < whole.index < self._pruned:
                    leaves = tiles.Tile(level=0, index=whole.index)
                    hashes = tiles.split_tile(read_file(self._directory, leaves), TILE_WIDTH)
                    edge, filled = grow_by_leaves(edge, hashes)
                    self._compare(filled)
                    continue
                raw = tiles.decode_bundle(read_file(self._directory, bundle), bundle.width)
            except F2FError as error:
                self._blame(tiles.format_path(bundle), str(error))
                return
            for index, entry in enumerate(raw, first):
                yield from self._read_entry(index, entry)
            edge, filled = grow(edge, raw)
            self._compare(filled)
        self._compare(partial_files(edge))
        if edge.frontier.root != self._head.root:
            self._blame(CHECKPOINT, "the entries do not make the signed root")

    def _read_entry(self, index: int, entry: bytes) -> Iterator[tuple[int, Entry]]:
        try:
            if index == 0:
                self._statements = bound_key(entry, self._key)
            if self._statements is not None:
                decoded = read(entry, self._statements)
                self._kinds[decoded.kind] += 1
                problem = check_statement(decoded, index, self._key.name, self._earlier, self._statements)
                if problem:
                    self._blame(f"entry {index}", problem)
                yield index, decoded
        except PrunedError:
            return
        except F2FError as error:
            self._blame(f"entry {index}", error.what)

    def _earlier(self, index: int) -> bytes:
        (entry,) = read_entries(self._directory, self._head.size, index, index + 1)
        return entry

    def _compare(self, files: Mapping[tiles.Resource, bytes]) -> None:
        for resource, data in files.items():
            try:
                stored = read_file(self._directory, resource)
            except F2FError as error:
                self._blame(tiles.format_path(resource), str(error))
            else:
                if stored != data:
                    self._blame(tiles.format_path(resource), "does not follow from the entries")

    def _blame(self, where: str, what: str) -> None:
        self._problems.append(Problem(where=where, what=what))
