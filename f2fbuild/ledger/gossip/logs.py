"""The logs that gossip knows of, in the order in which their heads last changed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.gossip.sides import Sides
from f2fbuild.ledger.gossip.talk import Given, Have
from f2fbuild.model.vkey import VerifierKey

MARK_BYTES = 16
"""Bytes of a root that tell two heads of one size apart: to make two that agree costs 2^64 roots."""


@dataclass(slots=True, kw_only=True)
class Known:
    """What is known of one log.

    Its newest head, by whom and how far that came (`source` is empty for our own copy), and who tells its
    news at once, the `parent`.
    """

    key: VerifierKey
    note: bytes
    have: Have
    sides: Sides
    source: str = ""
    parent: str = ""
    frozen: bool = False
    seq: int = 0

    @property
    def given(self) -> Given:
        """The newest head as it is passed on."""
        return Given(note=self.note, public=self.key.public, hops=self.have.hops)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept of one log over a restart."""

    public: bytes
    note: bytes
    hops: int
    proved: bytes


def line(log: bytes, head: Checkpoint, hops: int) -> Have:
    """Return the line that says of a log that one has this head."""
    return Have(log=log, size=head.size, mark=head.root[:MARK_BYTES], hops=hops)


class Logs:
    """Known logs by log; the last changed are last."""

    def __init__(self) -> None:
        """Begin without any."""
        self._known: dict[bytes, Known] = {}
        self._seq = 0

    @property
    def seq(self) -> int:
        """The number of the last change."""
        return self._seq

    def __iter__(self) -> Iterator[Known]:
        return iter(self._known.values())

    def __len__(self) -> int:
        return len(self._known)

    def get(self, log: bytes) -> Known | None:
        """Return what is known of a log."""
        return self._known.get(log)

    def changed(self, known: Known) -> None:
        """Take in a log that is new, or has another head or other hops."""
        self._seq += 1
        known.seq = self._seq
        self._known.pop(known.have.log, None)
        self._known[known.have.log] = known

    def since(self, seq: int) -> Iterator[Known]:
        """Yield what changed after change number `seq`, the last first."""
        for known in reversed(self._known.values()):
            if known.seq <= seq:
                return
            yield known

    def forget(self, is_wanted: Callable[[Known], bool]) -> None:
        """Forget all logs that are not wanted."""
        self._known = {log: known for log, known in self._known.items() if is_wanted(known)}
