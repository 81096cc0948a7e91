"""What is remembered of one friend: what it has, what it was told, and how much it may still say.

Everything is bounded by `limits`, whatever the friend says: logs by `ORIGINS_PER_FRIEND`, heads by a bucket
that fills slowly, heads of one log that nobody asked for by a pause between them.
"""

from collections.abc import Iterable

from f2fbuild import limits
from f2fbuild.ledger.gossip.talk import Have
from f2fbuild.ledger.gossip.vectors import Lines, lacks


class Book:
    """One friend. `has` is what it said it has, `told` what we said to it; `shown` what each head showed."""

    def __init__(self, log: bytes, has: Iterable[Have] = (), told: Iterable[Have] = ()) -> None:
        """Begin with what was remembered of the friend whose own log is `log`."""
        self.log = log
        self.has = Lines(has)
        self.told = Lines(told)
        self.speaks = True
        self.whole = not self.told
        self.again = False
        self.told_seq = 0
        self._shown: dict[bytes, Have] = {}
        self._pushes: set[bytes] = set()
        self._introduced: set[bytes] = set()
        self._heard: dict[bytes, float] = {}
        self._asked_until = 0.0
        self._left = float(limits.HEADS_AT_ONCE)
        self._counted = 0.0

    def link(self, log: bytes) -> None:
        """The friend is there, with this log."""
        self.log, self.speaks = log, True

    def unlink(self) -> None:
        """The friend is gone: what was on the way to it may be lost."""
        self._shown.clear()
        self._pushes.clear()

    # What it has

    def holds(self, log: bytes) -> Have | None:
        """Return what the friend has of a log, as far as is known."""
        return self._shown.get(log) or self.has.get(log)

    def note(self, line: Have) -> None:
        """Remember that the friend has shown, or was shown, this."""
        if line.log in self._shown or len(self._shown) < limits.ORIGINS_PER_FRIEND:
            self._shown[line.log] = line

    def hold(self, lines: Iterable[Have], *, whole: bool) -> None:
        """Take in what the friend says that it has."""
        if whole:
            self.has.clear()
        for line in lines:
            if self.has.put(line):
                self._shown.pop(line.log, None)

    # What it is told

    def wants(self, ours: Have) -> bool:
        """Return whether the friend is told of a head at once: it asked for that, or knows no such log."""
        theirs = self.holds(ours.log)
        if not lacks(theirs, ours):
            return False
        return ours.log in self._pushes or (theirs is None and self._introduce(ours.log))

    def push(self, logs: Iterable[bytes]) -> None:
        """Tell the friend news of these logs at once."""
        for log in logs:
            if len(self._pushes) < limits.ORIGINS_PER_FRIEND:
                self._pushes.add(log)

    def hush(self, logs: Iterable[bytes]) -> None:
        """Tell the friend news of these logs no longer."""
        self._pushes.difference_update(logs)

    def _introduce(self, log: bytes) -> bool:
        """A log is announced unasked once only, and only so many are."""
        is_new = log not in self._introduced and len(self._introduced) < limits.ORIGINS_PER_FRIEND
        if is_new:
            self._introduced.add(log)
        return is_new

    # What it may say

    def spend(self, cost: int, now: float) -> bool:
        """Return whether the friend may say something that costs as much as `cost` heads."""
        gained = max(0.0, now - self._counted) * limits.HEADS_PER_SECOND
        self._left = min(float(limits.HEADS_AT_ONCE), self._left + gained)
        self._counted = now
        if self._left < cost:
            return False
        self._left -= cost
        return True

    def ask(self, now: float) -> None:
        """From now on, for a while, the friend is asked for all heads that we lack."""
        self._asked_until = now + limits.ASKED_SECONDS

    def may_speak_of(self, log: bytes, now: float, *, asked: bool) -> bool:
        """Return whether a head of this log is taken from the friend now."""
        last = self._heard.get(log)
        if last is None:
            return len(self._heard) < limits.ORIGINS_PER_FRIEND
        return asked or now < self._asked_until or now - last >= limits.HEAD_SECONDS

    def heard(self, log: bytes, now: float) -> None:
        """A head of this log was taken from the friend."""
        self._heard[log] = now
