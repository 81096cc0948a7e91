"""What two friends remember that one of them has: lines by log, and a checksum over all of them.

The checksum is the exclusive or of each line's hash, so one changed line changes it at the cost of two. It
finds mistakes, not lies: who lies about what he has deceives nobody but himself.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator

from f2fbuild.errors import FormatError
from f2fbuild.ledger.gossip.talk import Have
from f2fbuild.limits import HEAD_HOPS, ORIGINS_PER_FRIEND

TOTAL_BYTES = 16
_LINE = struct.Struct(">32sQ16sB")


class Lines:
    """Lines by log, at most `limits.ORIGINS_PER_FRIEND`."""

    def __init__(self, lines: Iterable[Have] = ()) -> None:
        """Begin with `lines`."""
        self._lines: dict[bytes, Have] = {}
        self._total = 0
        for line in lines:
            self.put(line)

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Have]:
        return iter(self._lines.values())

    def get(self, log: bytes) -> Have | None:
        """Return the line of a log."""
        return self._lines.get(log)

    def put(self, line: Have) -> bool:
        """Write a line over that of the same log; return False when there is no room for another log."""
        before = self._lines.get(line.log)
        if before is None and len(self._lines) >= ORIGINS_PER_FRIEND:
            return False
        if before is not None:
            self._total ^= _digest(before)
        self._lines[line.log] = line
        self._total ^= _digest(line)
        return True

    def clear(self) -> None:
        """Forget all lines."""
        self._lines.clear()
        self._total = 0

    @property
    def total(self) -> bytes:
        """The checksum."""
        return self._total.to_bytes(TOTAL_BYTES, "big")


def lacks(theirs: Have | None, ours: Have) -> bool:
    """Return whether who has `theirs` would learn something from `ours`: a head, or a shorter way to one.

    A smaller head by a shorter way counts too: where a fork's larger side ends, nobody else compares the two.
    """
    if theirs is None or theirs.size < ours.size or theirs.hops > ours.hops + 1:
        return True
    return theirs.size == ours.size and theirs.mark != ours.mark


def pack(lines: Iterable[Have]) -> bytes:
    """Return the bytes in which lines are kept over a restart."""
    return b"".join(_packed(line) for line in lines)


def unpack(data: bytes) -> Iterator[Have]:
    """Yield the lines in `data`.

    Raises:
        FormatError: the bytes are not those of lines.
    """
    if len(data) % _LINE.size:
        raise FormatError("not a whole number of lines", where="gossip vector")
    for log, size, mark, hops in _LINE.iter_unpack(data):
        if hops > HEAD_HOPS:
            raise FormatError("more hops than a head travels", where="gossip vector")
        yield Have(log=log, size=size, mark=mark, hops=hops)


def _packed(line: Have) -> bytes:
    return _LINE.pack(line.log, line.size, line.mark, line.hops)


def _digest(line: Have) -> int:
    return int.from_bytes(hashlib.sha256(_packed(line)).digest()[:TOTAL_BYTES], "big")
