"""Cosignatures that go back to a log's author through this node, by which the head came.

A friend who learnt a head of another's log here, and cosigned it, may have no link with the author. He gives
his own lines, and nobody else's; they are kept, and given to the author when that is a friend of this node
and has named the key as one that he knows. Nobody is told whether he is, or does. What waits is one line for
each log and key; it is lost with the process, since who made it brings it again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError
from f2fbuild.ledger.checkpoint import Checkpoint, format_checkpoint
from f2fbuild.ledger.collected import Held
from f2fbuild.ledger.cosignature import Cosignature, over
from f2fbuild.ledger.known import NOBODY, Known
from f2fbuild.model.friend import Friend
from f2fbuild.model.vkey import VerifierKey
from f2fbuild.net.ledger_messages import AddCosignatures
from f2fbuild.node.cosigning import Links


@dataclass(frozen=True, slots=True, kw_only=True)
class Authors:
    """What returning asks of the node.

    `find` gives the friend whose log has an origin; `is_here` says whether there is a link with a node.
    """

    find: Callable[[str], Friend | None]
    is_here: Callable[[str], bool]


class Returning:
    """Gives authors the lines that came for them."""

    def __init__(self, links: Links, authors: Authors) -> None:
        """Let nothing wait yet."""
        self._links = links
        self._authors = authors
        self._waiting: dict[str, dict[VerifierKey, Held]] = {}
        self._named: dict[str, Known] = {}
        self._news = trio.Event()

    def name(self, peer: str, known: Known) -> None:
        """Remember which cosigners a friend has named as known to it, when it last asked for a head."""
        self._named[peer] = known
        self.wake()

    def named(self, peer: str) -> Known:
        """Return which cosigners a friend has named since this node started."""
        return self._named.get(peer, NOBODY)

    def take(self, head: Checkpoint, said: list[Cosignature]) -> None:
        """Take verified lines of a head of a friend's log."""
        waiting = self._waiting.setdefault(head.origin, {})
        waiting |= {one.key: Held(head=head, cosignature=one) for one in said}
        self.wake()

    def wake(self) -> None:
        """Say that a friend came."""
        self._news.set()
        self._news = trio.Event()

    async def run(self) -> None:
        """Give what can be given, until cancelled. Containment: one author."""
        while True:
            news = self._news
            for origin in sorted(self._waiting):
                await self._give(origin)
            await news.wait()

    async def _give(self, origin: str) -> None:
        author = self._authors.find(origin)
        if author is None:
            # He was a friend when the line came, and is none now.
            del self._waiting[origin]
            return
        if not self._authors.is_here(author.node_id):
            return
        waiting, named = self._waiting[origin], self.named(author.node_id)
        for head in {held.head for key, held in waiting.items() if key in named}:
            some = [held for key, held in waiting.items() if key in named and held.head == head]
            if not await self._tell(author, head, some[: limits.COSIGNED_LINES]):
                return
            for held in some[: limits.COSIGNED_LINES]:
                if waiting.get(held.cosignature.key) == held:
                    del waiting[held.cosignature.key]
        if not waiting:
            del self._waiting[origin]

    async def _tell(self, author: Friend, head: Checkpoint, some: list[Held]) -> bool:
        """Return whether the author has answered, whatever it was: he is not told twice."""
        note = over(format_checkpoint(head), [held.cosignature for held in some])
        with trio.move_on_after(limits.NEWS_SECONDS):
            try:
                async with await self._links.call(author.node_id, AddCosignatures(cosigned=note)) as exchange:
                    await exchange.receive()
            except F2FError:
                return False
            return True
        return False
