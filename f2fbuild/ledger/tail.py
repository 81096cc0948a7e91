"""The tail of a log: commits that are durable although no tile, bundle or checkpoint holds them yet.

A record is one commit, the numbers in big-endian:

    uint32 length of the body, uint32 its complement to 2^32 - 1
    body: uint32 length of the bundle, the new entries as in an entry bundle, the signed checkpoint

What makes a record count is the checkpoint's signature over a tree that its entries lead to. One record is
written after the other is durable, so a crash can tear only the last: it ends before its length, or in bytes
that were never written and read as zeros. Such a record is none. Everything else that is wrong is damage to
what was promised already, and refused.
"""

from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import open_checkpoint
from f2fbuild.model.tree import Frontier, leaf_hash
from f2fbuild.model.vkey import VerifierKey

_NUMBER_BYTES = 4
_HEADER_BYTES = 2 * _NUMBER_BYTES
_ONES = 2 ** (8 * _NUMBER_BYTES) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Entries that were appended together, and the checkpoint under which they are the log's."""

    entries: tuple[bytes, ...]
    note: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """What lies behind a tree: `commits` that continue it, and the length of all records that are `whole`."""

    commits: tuple[Commit, ...]
    whole: int


def format_commit(commit: Commit) -> bytes:
    """Return the record of a commit."""
    bundle = tiles.encode_bundle(commit.entries)
    body = _number(len(bundle)) + bundle + commit.note
    return _number(len(body)) + _number(_ONES - len(body)) + body


def read_tail(data: bytes, tree: Frontier, key: VerifierKey, *, where: str = "tail") -> Tail:
    """Return what the tail `data` of the log of `key` holds behind `tree`.

    Records of heads that `tree` has already are passed over: a crash left them behind.

    Raises:
        FormatError: a record is damaged, or does not continue the tree.
    """
    commits: list[Commit] = []
    published, at = tree.size, 0
    while not _is_torn(data, at):
        place = f"{where}, byte {at}"
        commit, at = _read_record(data, at, place)
        head = open_checkpoint(commit.note, key, where=place)
        if head.size <= published:
            continue
        for entry in commit.entries:
            tree, _ = tree.push(leaf_hash(entry))
        if (head.size, head.root) != (tree.size, tree.root):
            raise FormatError("the entries do not make the signed root", where=place)
        commits.append(commit)
    return Tail(commits=tuple(commits), whole=at)


def _is_torn(data: bytes, at: int) -> bool:
    """Return whether what begins at `at` is no record: nothing, or what a crash left of the last one."""
    if not any(data[at + _HEADER_BYTES :]):
        return True
    end = at + _HEADER_BYTES + _stated_length(data, at)
    # A record ends in the newline of its checkpoint; zeros at the very end were never written.
    return end > len(data) or (end == len(data) and data[-1] == 0)


def _read_record(data: bytes, at: int, where: str) -> tuple[Commit, int]:
    """Return the record at `at`, its checkpoint not yet opened, and where it ends."""
    length, start = _stated_length(data, at), at + _HEADER_BYTES
    body = data[start : start + length]
    if int.from_bytes(data[at + _NUMBER_BYTES : start], "big") != _ONES - length:
        raise FormatError("the length of a record is damaged", where=where)
    bundle_end = _NUMBER_BYTES + int.from_bytes(body[:_NUMBER_BYTES], "big")
    entries = tiles.split_bundle(body[_NUMBER_BYTES:bundle_end], where=where)
    return Commit(entries=entries, note=body[bundle_end:]), start + length


def _stated_length(data: bytes, at: int) -> int:
    """Return the length in a header; one that contradicts its complement ends where the header does."""
    length = int.from_bytes(data[at : at + _NUMBER_BYTES], "big")
    complement = int.from_bytes(data[at + _NUMBER_BYTES : at + _HEADER_BYTES], "big")
    return length if length + complement == _ONES else 0


def _number(value: int) -> bytes:
    return value.to_bytes(_NUMBER_BYTES, "big")
