"""Friends' heads that this node cosigns, and how the lines come back to their authors.

A head is cosigned after this node has advanced its copy of the log to it: by the witness key, since it
continues everything that was seen before, and by the mirror key, since its entries are durable here. The
proof that a witness asks for comes from the own copy. Lines are brought to the author, or, while he is not
here, given to the friend by whom the head came; who comes later gets them then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError
from f2fbuild.ledger.add_checkpoint import AddCheckpoint
from f2fbuild.ledger.checkpoint import Checkpoint, format_checkpoint, open_checkpoint
from f2fbuild.ledger.collected import Collected
from f2fbuild.ledger.cosignature import Cosignature, over
from f2fbuild.ledger.cosigner import Cosigner, Kept
from f2fbuild.ledger.evidence import format_equivocation
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.ledger.witness import Refusal, Refused
from f2fbuild.model.friend import Friend
from f2fbuild.model.tree import prove_consistency, range_root
from f2fbuild.model.vkey import format_vkey
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.ledger_messages import AddCosignatures, CosignaturesSeen
from f2fbuild.net.messages import Request
from f2fbuild.net.wire import Message


class Links(Protocol):
    """Friends as they are reached."""

    async def call(self, peer: str, request: Request) -> Exchange:
        """Open an exchange; raises when there is no link."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What cosigning asks of the node.

    `may` says whether a friend's node has the right to be witnessed; `mirror` gives the copy of a friend's
    log, None when it is damaged; `bringer` the friend by whom the newest head of a log came, if he is here,
    else nothing; `forked` is told of evidence against a friend's log; `tell` speaks to the owner; `clock`
    returns unix seconds.
    """

    may: Callable[[str], bool]
    mirror: Callable[[Friend], Mirror | None]
    bringer: Callable[[str], str]
    forked: Callable[[Friend, bytes], None]
    tell: Callable[[str], None]
    clock: Callable[[], int]


class Cosigning:
    """Cosigns friends' heads."""

    def __init__(
        self,
        cosigners: tuple[Cosigner, ...],
        collected: Collected,
        links: Links,
        surroundings: Surroundings,
    ) -> None:
        """Cosign with all of `cosigners`; what they say is kept in `collected` too."""
        self._cosigners = cosigners
        self._collected = collected
        self._links = links
        self._around = surroundings
        self._waiting: dict[str, Friend] = {}
        self._brought: dict[str, tuple[Cosignature, ...]] = {}
        self._given: dict[str, tuple[str, tuple[Cosignature, ...]]] = {}
        self._news = trio.Event()

    def followed(self, friend: Friend) -> None:
        """Say that the copy of a friend's log stands at his newest head."""
        self._waiting[friend.node_id] = friend
        self._news.set()
        self._news = trio.Event()

    async def run(self) -> None:
        """Cosign what is followed, until cancelled. Containment: one friend."""
        while True:
            news = self._news
            while self._waiting:
                _, friend = self._waiting.popitem()
                try:
                    await self.cosign(friend)
                except F2FError as error:
                    self._around.tell(f"cosigning the log of {friend.name} failed: {error}")
            await news.wait()

    async def cosign(self, friend: Friend) -> None:
        """Cosign the head of a friend's log as it stands here, and bring him the lines.

        Raises:
            StorageError: the disk is full or fails; what was not stored was not said.
        """
        mirror = self._around.mirror(friend)
        if mirror is None or mirror.evidence or not mirror.size or not self._around.may(friend.node_id):
            return
        note = mirror.checkpoint()
        head = open_checkpoint(note, mirror.key)
        for cosigner in self._cosigners:
            kept = cosigner.last(head.origin)
            if self._is_due(kept, head):
                await self._ask(cosigner, friend, mirror, AddCheckpoint(old=_size(kept), proof=(), note=note))
        own = {cosigner.vkey for cosigner in self._cosigners}
        said = tuple(one for one in self._collected.of(head) if one.key in own)
        if said and self._brought.get(head.origin) != said:
            await self._bring(friend, head, said)

    def _is_due(self, kept: Kept | None, head: Checkpoint) -> bool:
        if kept is None or kept.witnessed.head.size < head.size:
            return True
        age = self._around.clock() - kept.time
        return kept.witnessed.head.size == head.size and age >= limits.COSIGN_AGAIN_SECONDS

    async def _ask(self, cosigner: Cosigner, friend: Friend, mirror: Mirror, request: AddCheckpoint) -> None:
        """Put the question that any log would put, with the proof from the own copy."""
        head = open_checkpoint(request.note, mirror.key)
        if 0 < request.old < head.size:
            proof = await trio.to_thread.run_sync(prove_consistency, request.old, head.size, mirror.read_hash)
            request = AddCheckpoint(old=request.old, proof=proof, note=request.note)
        answer = cosigner.add(request, [mirror.key])
        match answer:
            case Cosignature():
                self._collected.add(head, [answer])
            case Refused(refusal=Refusal.BAD_PROOF | Refusal.FORKED):
                await self._accuse(cosigner, friend, mirror, head)
            case Refused(refusal=refusal):
                self._around.tell(f"the head {head.size} of {friend.name} is not cosigned: {refusal.value}")

    async def _accuse(self, cosigner: Cosigner, friend: Friend, mirror: Mirror, head: Checkpoint) -> None:
        """Make evidence: what this key cosigned before is no part of the log as it is here."""
        kept = cosigner.last(head.origin)
        if kept is None:
            return
        old, vkey, note = kept.witnessed, format_vkey(mirror.key), mirror.checkpoint()
        if old.head.size == head.size:
            evidence = format_equivocation(vkey, old.note, old.fork or note)
        else:
            size, read = old.head.size, mirror.read_hash
            prefix_root = await trio.to_thread.run_sync(range_root, 0, size, read)
            proof = await trio.to_thread.run_sync(prove_consistency, size, head.size, read)
            evidence = format_equivocation(vkey, old.note, note, prefix_root, proof)
        self._around.forked(friend, evidence)

    async def _bring(self, friend: Friend, head: Checkpoint, said: tuple[Cosignature, ...]) -> None:
        """Bring the lines to the author, or give them to the friend by whom the head came."""
        cosigned = over(format_checkpoint(head), said)
        answer = await self._call(friend.node_id, cosigned)
        if isinstance(answer, CosignaturesSeen):
            self._brought[head.origin] = said
        if answer is not None:
            return
        # He is not here; when he comes his log is followed again.
        bringer = self._around.bringer(head.origin)
        if bringer in ("", friend.node_id) or self._given.get(head.origin) == (bringer, said):
            return
        if await self._call(bringer, cosigned) is not None:
            self._given[head.origin] = (bringer, said)

    async def _call(self, peer: str, cosigned: bytes) -> Message | None:
        """Return what a friend answers, nothing when he cannot be asked."""
        with trio.move_on_after(limits.NEWS_SECONDS):
            try:
                async with await self._links.call(peer, AddCosignatures(cosigned=cosigned)) as exchange:
                    return await exchange.receive()
            except F2FError:
                return None
        return None


def _size(kept: Kept | None) -> int:
    return kept.witnessed.head.size if kept else 0
