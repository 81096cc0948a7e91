"""A part of the offline check: some bundles of a log. It may run in a process of its own.

What is hashed, verified and decoded here is most of the check; what must be known of all entries together
goes back in few bytes.
"""

from array import array
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

from f2fbuild.errors import F2FError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.entry import Entry, Kind, ModeChange, NodeCertificate, Revocation, read
from f2fbuild.ledger.files import PrunedError, read_entries, read_file
from f2fbuild.ledger.openings import check_statement, opened
from f2fbuild.ledger.promises import deed_of, digest_of
from f2fbuild.limits import REPORT_PROBLEMS, TILE_WIDTH
from f2fbuild.model.tree import HASH_BYTES, leaf_hashes, perfect_root, read_frontier

NO_DEED = 255
"""In place of the deed of an entry that could not be read."""
_EARLIER = 256
"""Entries kept to look at again when later ones refer to them."""
_NEAR = 8
"""Bundles whose leaf hashes are kept at hand: an outcome is seldom far from its acceptance."""
_ROOT_LEVEL = TILE_WIDTH.bit_length() - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where: a path below the log, or `entry <index>`."""

    where: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The log that is checked: its `directory` and `head`, and how many of its bundles were `pruned`.

    `statements` is the 32-byte key that signs its entries; it is empty when only hashes are checked.
    """

    directory: Path
    head: Checkpoint
    pruned: int
    statements: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came out of the bundles from the entry `first` on.

    `roots` are those of full bundles, `leaves` the hashes of a partial one. `deeds` and `acceptances` tell
    for every entry what it does to an acceptance, and `digests` by index what is committed to or opened.
    `standing` has the entries that tell how the node stands, by index. `gaps` names bundles whose entries
    could not be looked at.
    """

    first: int
    roots: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    kinds: Counter[Kind] = field(default_factory=Counter)
    deeds: bytearray = field(default_factory=bytearray)
    acceptances: "array[int]" = field(default_factory=partial(array, "q"))
    digests: dict[int, str] = field(default_factory=dict)
    standing: dict[int, Entry] = field(default_factory=dict)
    gaps: list[int] = field(default_factory=list)


def check_part(subject: Subject, first: int, count: int) -> Checked:
    """Return what is right and wrong with `count` bundles of a log, from the bundle `first` on."""
    part = _Part(subject, first * TILE_WIDTH)
    for index in range(first, first + count):
        part.check_bundle(index)
    return part.checked


class _Part:
    def __init__(self, subject: Subject, first: int) -> None:
        self.checked = Checked(first=first)
        self._subject = subject
        self._size = subject.head.size
        self._earlier = lru_cache(_EARLIER)(self._read_earlier)
        self._earlier_leaves = lru_cache(_NEAR)(self._read_earlier_leaves)
        self._leaves: tuple[int, tuple[bytes, ...]] = (0, ())

    def check_bundle(self, index: int) -> None:
        width = tiles.widest(tiles.Bundle(index=index), self._size)
        stored = self._read_leaves(tiles.Tile(level=0, index=index, width=width))
        is_here = not 0 < index < self._subject.pruned
        entries = self._read_bundle(tiles.Bundle(index=index, width=width)) if is_here else ()
        leaves = leaf_hashes(entries)
        if not entries:
            self.checked.gaps.append(index)
            leaves = stored
        elif stored and leaves != stored:
            leaves = self._settle(index, leaves, stored)
        if width < TILE_WIDTH:
            self.checked.leaves.extend(leaves)
        else:
            self.checked.roots.append(perfect_root(leaves) if leaves else self._stored_root(index))
        self._leaves = index, leaves
        if self._subject.statements:
            for position, entry in enumerate(entries, index * TILE_WIDTH):
                self._check_entry(position, entry)

    def _settle(self, index: int, leaves: tuple[bytes, ...], stored: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Entries and leaf hashes differ: blame the file that differs from the tree, and return the other."""
        width = len(stored)
        if width == TILE_WIDTH:
            is_tile_right = self._stored_root(index) == perfect_root(stored)
        else:
            is_tile_right = self._stored_tree() == self._subject.head.root
        if not is_tile_right:
            tile = tiles.Tile(level=0, index=index, width=width)
            self._blame(tiles.format_path(tile), "does not follow from the entries")
            return leaves
        wrong = [str(index * TILE_WIDTH + at) for at in range(width) if leaves[at] != stored[at]]
        bundle = tiles.format_path(tiles.Bundle(index=index, width=width))
        self._blame(bundle, f"other entries than the log's: {', '.join(wrong)}")
        return stored

    def _stored_root(self, index: int) -> bytes:
        """Return the root over a full bundle, as a tile above has it; zeros when that cannot be read."""
        try:
            return tiles.read_hash(_ROOT_LEVEL, index, self._size, self._read)
        except F2FError:
            return bytes(HASH_BYTES)

    def _stored_tree(self) -> bytes:
        """Return the root of the whole tree, as the tiles have it; zeros when they cannot be read."""
        try:
            read_stored = partial(tiles.read_hash, size=self._size, read_tile=self._read)
            return read_frontier(self._size, read_stored).root
        except F2FError:
            return bytes(HASH_BYTES)

    def _check_entry(self, index: int, data: bytes) -> None:
        subject, checked = self._subject, self.checked
        deed, acceptance = NO_DEED, 0
        try:
            entry = read(data, subject.statements)
            checked.kinds[entry.kind] += 1
            if isinstance(entry.payload, NodeCertificate | Revocation | ModeChange):
                checked.standing[index] = entry
            deed, acceptance = deed_of(entry)
            digest = digest_of(entry) or opened(entry, index, subject.head.origin, self._leaf)
            if digest:
                checked.digests[index] = digest
            problem = check_statement(entry, index, subject.head.origin, self._earlier, subject.statements)
            if problem:
                self._blame(f"entry {index}", problem)
        except PrunedError:
            pass
        except F2FError as error:
            self._blame(f"entry {index}", error.what)
        checked.deeds.append(deed)
        checked.acceptances.append(acceptance)

    def _read_earlier(self, index: int) -> bytes:
        (entry,) = read_entries(self._subject.directory, self._size, index, index + 1)
        return entry

    def _leaf(self, index: int) -> bytes:
        bundle, at = divmod(index, TILE_WIDTH)
        current, leaves = self._leaves
        return (leaves if bundle == current else self._earlier_leaves(bundle))[at]

    def _read_earlier_leaves(self, index: int) -> tuple[bytes, ...]:
        return tiles.split_tile(self._read(tiles.Tile(level=0, index=index)), TILE_WIDTH)

    def _read_bundle(self, bundle: tiles.Bundle) -> tuple[bytes, ...]:
        try:
            return tiles.decode_bundle(self._read(bundle), bundle.width)
        except F2FError as error:
            self._blame(tiles.format_path(bundle), error.what)
            return ()

    def _read_leaves(self, tile: tiles.Tile) -> tuple[bytes, ...]:
        try:
            return tiles.split_tile(self._read(tile), tile.width)
        except F2FError as error:
            self._blame(tiles.format_path(tile), error.what)
            return ()

    def _read(self, resource: tiles.Resource) -> bytes:
        return read_file(self._subject.directory, resource)

    def _blame(self, where: str, what: str) -> None:
        if len(self.checked.problems) < REPORT_PROBLEMS:
            self.checked.problems.append(Problem(where=where, what=what))
