"""Cosignatures that come to this node: of its own heads from friends, and of friends' heads with these.

A line is kept only if a key known here made it and it verifies. It is shown only to who has named its key as
known: lines show who knows whom.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError, FormatError
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, strip_checkpoint
from f2fbuild.ledger.collected import Collected
from f2fbuild.ledger.cosignature import Cosignature, attach, cosignatures
from f2fbuild.ledger.known import Known, name_known
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.note import parse_note
from f2fbuild.model.tree import range_root
from f2fbuild.model.vkey import VerifierKey
from f2fbuild.net.ledger_messages import AddCosignatures, CosignaturesSeen
from f2fbuild.net.messages import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What gathering asks of the node.

    `keys` are the cosigners known now; `clock` returns unix seconds, `random` that many fresh bytes.
    """

    keys: Callable[[], Collection[VerifierKey]]
    clock: Callable[[], int]
    random: Callable[[int], bytes]


class Gathering:
    """Takes cosignatures in, and puts them under heads that are asked for."""

    def __init__(self, log: Log, collected: Collected, sources: Sources) -> None:
        """Gather for the heads of `log` and for those of friends."""
        self.log = log
        self._collected = collected
        self._sources = sources
        self._heard: dict[str, list[int]] = {}

    async def heard(self, peer: str, request: AddCosignatures) -> CosignaturesSeen | Failure:
        """Take cosignatures of this node's own head that a friend brings."""
        if self._too_many(peer):
            return Failure(code="too-many", detail="no more cosignatures are taken in this minute")
        try:
            head = parse_checkpoint(parse_note(request.cosigned).text)
            said = cosignatures(request.cosigned, self._sources.keys())
        except FormatError as error:
            return Failure(code="malformed", detail=str(error)[: limits.MESSAGE_TEXT])
        if not await self._is_ours(head):
            return Failure(code="not-our-head", detail="this node has not signed such a head")
        if not said:
            return Failure(code="unknown-cosigner", detail="none of these keys is known here")
        if any(one.time > self._latest() for one in said):
            return Failure(code="clock-ahead", detail="cosigned at a time that is yet to come")
        self._collected.add(head, said)
        return CosignaturesSeen()

    def came(self, note: bytes, key: VerifierKey) -> None:
        """Take what stands under a head of the log of `key`; what is wrong there accuses nobody."""
        try:
            said = cosignatures(note, self._sources.keys())
            head = open_checkpoint(note, key)
        except FormatError:
            # One bad line spoils the rest of the note, but not the log's own signature, which was judged.
            return
        timely = [one for one in said if one.time <= self._latest()]
        if timely:
            self._collected.add(head, timely)

    def known(self) -> Known:
        """Return the cosigners that this node names to whom it asks for a head."""
        return name_known(self._sources.keys(), self._sources.random(16))

    def dressed(self, note: bytes, key: VerifierKey, known: Collection[VerifierKey] | Known) -> bytes:
        """Return a head of the log of `key` with the log's signature and the lines of those in `known`."""
        bare = strip_checkpoint(note, key)
        return attach(bare, self.of(open_checkpoint(bare, key), known))

    def of(self, head: Checkpoint, known: Collection[VerifierKey] | Known) -> list[Cosignature]:
        """Return the cosignatures of `head` that are held, by keys in `known`."""
        return [one for one in self._collected.of(head) if one.key in known]

    async def _is_ours(self, head: Checkpoint) -> bool:
        if head.origin != self.log.key.name or not 0 < head.size <= self.log.size:
            return False
        if head == self.log.head:
            return True
        try:
            root = await trio.to_thread.run_sync(range_root, 0, head.size, self.log.read_hash)
        except F2FError:
            return False
        return root == head.root

    def _latest(self) -> int:
        return self._sources.clock() + limits.COSIGNATURE_AHEAD_SECONDS

    def _too_many(self, peer: str) -> bool:
        now = self._sources.clock()
        lately = [
            at for at in self._heard.get(peer, []) if 0 <= now - at < limits.COSIGNATURES_WINDOW_SECONDS
        ]
        self._heard[peer] = [*lately, now][: limits.COSIGNATURES_PER_MINUTE]
        return len(lately) >= limits.COSIGNATURES_PER_MINUTE
