"""The heads of one log as different friends show it, compared one after the other.

One head is **proved**: every head that was compared so far agrees with it. The last head of each friend waits
to be compared; when that needs a consistency proof, one proof at a time is asked for. All decisions are those
of `ledger.monitor.judge`. Of a friend that announces faster than proofs come, heads in between are skipped.
"""

from dataclasses import dataclass

from f2fbuild.ledger.monitor import (
    Advanced,
    Consistency,
    Equivocation,
    NeedsConsistency,
    Opened,
    Violation,
    judge,
)
from f2fbuild.limits import PROOF_TRIES, SIDES
from f2fbuild.model.vkey import VerifierKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A proof that is needed along the way by which the larger head came: `peer`, empty for our own copy."""

    peer: str
    old: int
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked:
    """Two heads cannot both be true; `evidence` is the file that proves it."""

    evidence: bytes


@dataclass(slots=True, kw_only=True)
class _Shown:
    """A head that waits: who showed it, and how often a proof was asked for in vain."""

    peer: str
    note: bytes
    tries: int = 0


class Sides:
    """What different friends show of one log."""

    def __init__(self, key: VerifierKey, opened: Opened, proved: bytes = b"", source: str = "") -> None:
        """Begin with the head that was `proved`, shown by `source`, which is empty for our own copy."""
        self._key = key
        self._opened = opened
        self.proved = proved
        self.source = source
        self._is_computed = False
        self._waiting: dict[str, _Shown] = {}
        self._resting: dict[str, _Shown] = {}
        self._asked: _Shown | None = None

    def show(self, peer: str, note: bytes) -> None:
        """Let a head wait in place of the last one of this friend; when there are too many, it is let go."""
        if note != self.proved and (peer in self._waiting or len(self._waiting) < SIDES):
            self._waiting[peer] = _Shown(peer=peer, note=note)

    def prove(self, note: bytes) -> None:
        """Take a head that was computed from all entries.

        It continues every head that was computed before. With one that a friend showed it is compared first:
        where the two differ, the log tells two stories.
        """
        if self.proved and not self._is_computed and note != self.proved:
            self.show("", note)
        elif not self.proved or self._size(note) >= self._size(self.proved):
            self._agree("", note)

    def compare(self) -> Question | Forked | None:
        """Compare what waits, smallest first; a question ends that until its answer is there."""
        while self._asked is None and self._waiting:
            shown = min(self._waiting.values(), key=lambda one: self._size(one.note))
            del self._waiting[shown.peer]
            match judge(self._key, self.proved, shown.note, None, self._opened):
                case Advanced():
                    self._agree(shown.peer, shown.note)
                case Equivocation(evidence=evidence):
                    return Forked(evidence=evidence)
                case NeedsConsistency(old=old, new=new):
                    self._asked = shown
                    larger = shown.peer if self._size(shown.note) == new else self.source
                    return Question(peer=larger, old=old, new=new)
                case _:
                    continue
        return None

    def answer(self, consistency: Consistency | None) -> Forked | None:
        """Take the answer to the last question; a head that stays unproved rests until `again`."""
        shown, self._asked = self._asked, None
        if shown is None:
            return None
        match consistency and judge(self._key, self.proved, shown.note, consistency, self._opened):
            case Advanced():
                self._agree(shown.peer, shown.note)
            case Equivocation(evidence=evidence):
                return Forked(evidence=evidence)
            case None | Violation() if shown.tries < PROOF_TRIES:
                shown.tries += 1
                self._resting[shown.peer] = shown
            case _:
                pass
        return None

    def again(self) -> None:
        """Let what rests wait again, but for friends who have shown something since."""
        while self._resting:
            peer, shown = self._resting.popitem()
            self._waiting.setdefault(peer, shown)

    def _agree(self, peer: str, note: bytes) -> None:
        """Know a head as proved: from our own copy, where `peer` is empty, it is computed too."""
        self.proved, self.source, self._is_computed = note, peer, not peer

    def _size(self, note: bytes) -> int:
        return self._opened(note, self._key).size
