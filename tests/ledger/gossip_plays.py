"""Conversations with one machine of gossip, written down as they are spoken.

    Play(gossip) >> what happens << what it wants done << and what else >> what happens next

Whatever is wanted and not written down fails the play.
"""

import hashlib
from collections.abc import Sequence
from typing import Self

from f2fbuild.ledger.checkpoint import open_checkpoint
from f2fbuild.ledger.gossip import talk
from f2fbuild.ledger.gossip.logs import line
from f2fbuild.ledger.gossip.spread import Gossip
from f2fbuild.ledger.gossip.talk import Action, Event, Given, Have, Vector
from f2fbuild.ledger.gossip.vectors import Lines
from f2fbuild.ledger.monitor import Consistency
from tests.ledger.ledger_helpers import NodeKeys, naive_consistency, naive_root

ME, ANNA, BERT, CARL, DORA = (NodeKeys(number) for number in range(10, 15))
NAMES = {"anna": ANNA, "bert": BERT, "carl": CARL, "dora": DORA}


def log_of(keys: NodeKeys) -> bytes:
    return hashlib.sha256(keys.log.public).digest()


def head(keys: NodeKeys, entries: Sequence[bytes], hops: int) -> Given:
    return Given(note=keys.head(entries), public=keys.log.public, hops=hops)


def having(keys: NodeKeys, entries: Sequence[bytes], hops: int) -> Have:
    return line(log_of(keys), open_checkpoint(keys.head(entries), keys.vkey), hops)


def proof(entries: Sequence[bytes], old: int) -> Consistency:
    return Consistency(prefix_root=naive_root(entries[:old]), hashes=tuple(naive_consistency(old, entries)))


def vector(
    *have: Have, remembered: Sequence[Have] | None = None, whole: bool = False, again: bool = False
) -> Vector:
    """Tell `have`; `remembered` is all that the other should know now, if it is more."""
    total = Lines(have if remembered is None else remembered).total
    return Vector(have=tuple(have), total=total, whole=whole, again=again)


def linked(name: str) -> talk.Linked:
    return talk.Linked(peer=name, log=log_of(NAMES[name]))


def announced(name: str, given: Given) -> talk.Announced:
    return talk.Announced(peer=name, head=given)


def graft(name: str, *keys: NodeKeys) -> talk.Tune:
    return talk.Tune(peer=name, graft=tuple(log_of(one) for one in keys), prune=())


def prune(name: str, *keys: NodeKeys) -> talk.Tune:
    return talk.Tune(peer=name, graft=(), prune=tuple(log_of(one) for one in keys))


class Play:
    """One conversation; `now` can be set between its lines."""

    def __init__(self, gossip: Gossip | None = None, now: float = 1_000_000.0) -> None:
        self.gossip = gossip or Gossip(ME.log.public)
        self.now = now
        self._wanted: list[Action] = []

    def __rshift__(self, event: Event) -> Self:
        assert self._wanted == [], "not written down"
        self._wanted = self.gossip.receive(event, self.now)
        return self

    def __lshift__(self, action: Action) -> Self:
        assert action in self._wanted, f"{action}\nis none of\n{self._wanted}"
        self._wanted.remove(action)
        return self

    def later(self, seconds: float) -> Self:
        """Let time pass."""
        self.now += seconds
        return self

    def end(self) -> None:
        """Nothing else is wanted."""
        assert self._wanted == []

    def skip(self) -> list[Action]:
        """Pass over what is wanted, and return it."""
        wanted, self._wanted = self._wanted, []
        return wanted


def with_friends(*names: str) -> Play:
    """A play that begins once these friends are there and have swapped with us."""
    play = Play()
    for name in names:
        play >> linked(name)
        swaps = [action for action in play.skip() if isinstance(action, talk.Swap)]
        if swaps:
            play >> talk.SwapAnswered(peer=name, vector=vector(whole=True), heads=())
        else:
            play >> talk.Swapped(peer=name, vector=vector(whole=True))
        play.skip()
    return play
