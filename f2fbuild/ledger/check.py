"""The offline check of a log directory: every file, hash and signature, computed anew from the entries.

It takes no lock and writes nothing, so it may run beside the node whose log it reads. A large log is checked
in several processes (`check_part`), and put together here.
"""

import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from f2fbuild.errors import F2FError, LedgerError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.check_part import NO_DEED, Checked, Problem, Subject, check_part
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint
from f2fbuild.ledger.entry import Kind
from f2fbuild.ledger.evidence import EquivocationFinding
from f2fbuild.ledger.evidence import check as check_evidence
from f2fbuild.ledger.files import CHECKPOINT, EVIDENCE, read_file, read_pruned
from f2fbuild.ledger.promises import NOTHING_OWED, Account, Deed
from f2fbuild.ledger.review import bound_key
from f2fbuild.ledger.tail import read_tail
from f2fbuild.ledger.tail_file import TAIL
from f2fbuild.limits import REPORT_PROBLEMS, TILE_WIDTH
from f2fbuild.model.tree import EMPTY, Frontier, frontier_of
from f2fbuild.model.vkey import VerifierKey

__all__ = ["Problem", "Report", "verify"]

_ATTEMPTS = 5
"""Times that a log is read again because its node moved the head meanwhile."""
_BUNDLES = 16
"""Bundles in one part: some tenths of a second, and some MB."""
_LEVELS = TILE_WIDTH.bit_length() - 1
"""Levels of the tree in one level of tiles."""


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


def verify(directory: Path, key: VerifierKey, *, hashes_only: bool = False) -> Report:
    """Return what is right and wrong with the log of `key` in `directory`; at most 100 problems are named.

    With `hashes_only` every file is compared with the signed tree, and no entry is read.

    Raises:
        LedgerError: there is no checkpoint signed by this key.
    """
    left = _ATTEMPTS
    while True:
        note = _read_checkpoint(directory)
        head = open_checkpoint(note, key, where=str(directory / CHECKPOINT))
        report = _Check(directory, key, head).run(hashes_only=hashes_only)
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
        self._pruned = min(read_pruned(directory), head.size // TILE_WIDTH)
        self._account = Account(NOTHING_OWED)
        self._has_gaps = False
        self._bundles: Frontier = EMPTY
        self._tiles: list[list[bytes]] = []
        self._leaves: list[bytes] = []

    def run(self, *, hashes_only: bool) -> Report:
        statements = b"" if hashes_only or not self._head.size else self._bound_key()
        subject = Subject(
            directory=self._directory, head=self._head, pruned=self._pruned, statements=statements
        )
        for checked in _checked(subject):
            self._take(checked)
            if len(self._problems) >= REPORT_PROBLEMS:
                break
        else:
            self._check_root()
        # What was promised in entries that are not here cannot be held against those that are.
        promises = NOTHING_OWED if self._has_gaps else self._account.promises
        for index, problem in promises.problems:
            self._blame(f"entry {index}", problem)
        return Report(
            head=self._head,
            kinds=dict(self._kinds),
            open=promises.open,
            problems=tuple(self._problems[:REPORT_PROBLEMS]),
            pruned=max(0, self._pruned - 1) * TILE_WIDTH,
        )

    def _bound_key(self) -> bytes:
        """Return the statement key to which the first entry binds the log, empty when it binds it to none."""
        bundle = tiles.Bundle(index=0, width=min(TILE_WIDTH, self._head.size))
        try:
            entries = tiles.decode_bundle(read_file(self._directory, bundle), bundle.width)
        except F2FError:
            # The part that has this bundle says so.
            return b""
        try:
            return bound_key(entries[0], self._key)
        except F2FError as error:
            self._blame("entry 0", error.what)
            return b""

    def _take(self, checked: Checked) -> None:
        """Put the next part behind those before it."""
        self._problems += checked.problems
        self._kinds += checked.kinds
        self._has_gaps = self._has_gaps or bool(checked.gaps)
        if not self._has_gaps:
            self._fold(checked)
        for root in checked.roots:
            self._bundles, completed = self._bundles.push(root)
            for above, value in enumerate(completed[::_LEVELS]):
                self._add(above, value)
        self._leaves += checked.leaves

    def _fold(self, checked: Checked) -> None:
        for index, deed, acceptance in zip(
            range(checked.first, checked.first + len(checked.deeds)),
            checked.deeds,
            checked.acceptances,
            strict=True,
        ):
            if index in checked.standing:
                self._account.take(index, checked.standing[index])
            elif deed != NO_DEED:
                self._account.take_deed(index, Deed(deed), acceptance, checked.digests.get(index, ""))

    def _add(self, above: int, value: bytes) -> None:
        """Add a hash to a level of tiles above that of the leaves, and compare the tile that it fills."""
        if above == len(self._tiles):
            self._tiles.append([])
        hashes = self._tiles[above]
        hashes.append(value)
        if len(hashes) == TILE_WIDTH:
            index = (self._bundles.size - 1) >> _LEVELS * (above + 1)
            self._compare(tiles.Tile(level=above + 1, index=index), hashes)
            hashes.clear()

    def _check_root(self) -> None:
        for above, hashes in enumerate(self._tiles):
            if hashes:
                index = self._bundles.size >> _LEVELS * (above + 1)
                self._compare(tiles.Tile(level=above + 1, index=index, width=len(hashes)), hashes)
        edge = frontier_of(self._leaves)
        tree = Frontier(size=self._head.size, hashes=(*self._bundles.hashes, *edge.hashes))
        if tree.root != self._head.root:
            self._blame(CHECKPOINT, "the entries do not make the signed root")
        self._check_tail(tree)
        self._check_evidence()

    def _check_tail(self, tree: Frontier) -> None:
        """Check what an own log has behind its checkpoint; an end that a crash has torn is no damage."""
        try:
            read_tail((self._directory / TAIL).read_bytes(), tree, self._key, where=TAIL)
        except FileNotFoundError:
            return
        except (OSError, F2FError) as error:
            self._blame(TAIL, str(error))

    def _check_evidence(self) -> None:
        """Check that a copy which is frozen is so for a reason that can still be shown to others."""
        try:
            found = check_evidence((self._directory / EVIDENCE).read_bytes(), where=EVIDENCE)
        except FileNotFoundError:
            return
        except (OSError, F2FError) as error:
            self._blame(EVIDENCE, str(error))
        else:
            if not isinstance(found, EquivocationFinding) or found.origin != self._key.name:
                self._blame(EVIDENCE, "is no evidence of a fork of this log")

    def _compare(self, tile: tiles.Tile, hashes: list[bytes]) -> None:
        try:
            is_right = read_file(self._directory, tile) == b"".join(hashes)
        except F2FError as error:
            self._blame(tiles.format_path(tile), error.what)
        else:
            if not is_right:
                self._blame(tiles.format_path(tile), "does not follow from the entries")

    def _blame(self, where: str, what: str) -> None:
        self._problems.append(Problem(where=where, what=what))


def _checked(subject: Subject) -> Iterator[Checked]:
    """Yield what is known of each part, in order; of a large log, all processors work on it."""
    bundles = -(-subject.head.size // TILE_WIDTH)
    firsts = range(0, bundles, _BUNDLES)
    counts = [min(_BUNDLES, bundles - first) for first in firsts]
    workers = min(len(os.sched_getaffinity(0)), len(firsts) // 4)
    if workers < 2:
        yield from map(check_part, [subject] * len(firsts), firsts, counts)
        return
    # Whoever calls may run trio and threads, which no fork survives.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_end_with_parent) as pool:
        yield from pool.map(check_part, [subject] * len(firsts), firsts, counts)


def _end_with_parent() -> None:
    """Let this process end when the one that started it is killed."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
