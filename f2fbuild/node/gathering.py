"""Cosignatures that come to this node: of its own heads from friends, and of friends' heads with these.

A line is kept only if a key known here made it and it verifies. It is shown only to who has named its key as
known: lines show who knows whom. Lines of a friend's head that another friend made go on to its author.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError, FormatError
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, strip_checkpoint
from f2fbuild.ledger.collected import Collected
from f2fbuild.ledger.cosignature import Cosignature, attach, cosignatures
from f2fbuild.ledger.directory import LogDirectory
from f2fbuild.ledger.known import Known, name_known
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.note import parse_note
from f2fbuild.model.tree import range_root
from f2fbuild.model.vkey import VerifierKey
from f2fbuild.net.ledger_messages import AddCosignatures, CosignaturesSeen
from f2fbuild.net.messages import Failure
from f2fbuild.node.cosigners import Who
from f2fbuild.node.returning import Returning


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What gathering asks of the node.

    `keys` are the cosigners known now, and whose they are; `kept` gives the copy of a friend's log by its
    origin; `clock` returns unix seconds, `random` that many fresh bytes.
    """

    keys: Callable[[], Mapping[VerifierKey, Who]]
    kept: Callable[[str], LogDirectory | None]
    clock: Callable[[], int]
    random: Callable[[int], bytes]


class Gathering:
    """Takes cosignatures in, and puts them under heads that are asked for."""

    def __init__(self, log: Log, collected: Collected, sources: Sources, returning: Returning) -> None:
        """Gather for the heads of `log` and for those of friends; what is for them goes to `returning`."""
        self.log = log
        self._collected = collected
        self._sources = sources
        self._returning = returning
        self._heard: dict[str, list[int]] = {}

    async def heard(self, peer: str, request: AddCosignatures) -> CosignaturesSeen | Failure:
        """Take cosignatures of this node's own head, or of a head that the friend learnt here."""
        if self._too_many(peer):
            return Failure(code="too-many", detail="no more cosignatures are taken in this minute")
        try:
            head = parse_checkpoint(parse_note(request.cosigned).text)
            said = cosignatures(request.cosigned, self._sources.keys())
        except FormatError as error:
            return Failure(code="malformed", detail=str(error)[: limits.MESSAGE_TEXT])
        if any(one.time > self._latest() for one in said):
            return Failure(code="clock-ahead", detail="cosigned at a time that is yet to come")
        if head.origin != self.log.key.name:
            await self._send_back(peer, head, said)
            # Whether the author is a friend of this node, and what he knows, is nobody's business.
            return CosignaturesSeen()
        return await self._take(head, said)

    async def _take(self, head: Checkpoint, said: Sequence[Cosignature]) -> CosignaturesSeen | Failure:
        """Keep the lines of a head of the own log."""
        if not await _holds(self.log, head):
            return Failure(code="not-our-head", detail="this node has not signed such a head")
        if not said:
            return Failure(code="unknown-cosigner", detail="none of these keys is known here")
        self._collected.add(head, said)
        return CosignaturesSeen()

    async def _send_back(self, peer: str, head: Checkpoint, said: Sequence[Cosignature]) -> None:
        """Keep the lines of a friend's head that `peer` himself made, and let its author have them."""
        whose, log = self._sources.keys(), self._sources.kept(head.origin)
        own = [one for one in said if whose[one.key].node == peer]
        if log is not None and own and await _holds(log, head):
            self._collected.add(head, own)
            self._returning.take(head, own)

    def name(self, peer: str, known: Known) -> None:
        """Take note of which cosigners a friend names as known to it, as it asks for a head."""
        self._returning.name(peer, known)

    def shown(self, peer: str, note: bytes, key: VerifierKey) -> bytes:
        """Return a head of the log of `key` with the lines of those whom a friend has named before."""
        return self.dressed(note, key, self._returning.named(peer))

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

    def _latest(self) -> int:
        return self._sources.clock() + limits.COSIGNATURE_AHEAD_SECONDS

    def _too_many(self, peer: str) -> bool:
        now = self._sources.clock()
        lately = [
            at for at in self._heard.get(peer, []) if 0 <= now - at < limits.COSIGNATURES_WINDOW_SECONDS
        ]
        self._heard[peer] = [*lately, now][: limits.COSIGNATURES_PER_MINUTE]
        return len(lately) >= limits.COSIGNATURES_PER_MINUTE


async def _holds(log: LogDirectory, head: Checkpoint) -> bool:
    """Return whether `head` is a head, not an empty one, that the log had or has."""
    if not 0 < head.size <= log.size:
        return False
    if head == log.head:
        return True
    try:
        root = await trio.to_thread.run_sync(range_root, 0, head.size, log.read_hash)
    except F2FError:
        return False
    return root == head.root
