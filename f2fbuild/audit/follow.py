"""The auditor's story: friends' logs are pulled, checked and kept, and what they prove is written down.

Each friend's log is followed on its own; a friend that serves nonsense is contained there. A fork freezes the
mirror and its evidence is a finding; an entry that breaks the log's rules is one too, and the log is broken
for ever; a contradiction of two owners becomes evidence as soon as both logs are here (`accuse`).
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from f2fbuild import limits
from f2fbuild.audit.accusations import Accusation, Accusations
from f2fbuild.audit.findings import Findings
from f2fbuild.audit.found import DIVERGENCE, EQUIVOCATION, VIOLATION, Found
from f2fbuild.audit.inspection import Inspector, side_of
from f2fbuild.audit.others import Reach, Witness
from f2fbuild.audit.overdue import Overdue
from f2fbuild.audit.shown_heads import ShownHeads
from f2fbuild.errors import F2FError, LedgerError, RemoteProtocolError
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.evidence import format_divergence
from f2fbuild.ledger.mirror import Fetch, Mirror
from f2fbuild.ledger.monitor import Advanced, Equivocation, Older, Unchanged, Violation
from f2fbuild.ledger.review import Broken, Reviewed, review
from f2fbuild.model.friend import Friend
from f2fbuild.model.vkey import VerifierKey
from f2fbuild.net.ledger_messages import GetHead, GetLogResource, Head, NoHead
from f2fbuild.net.log_resource import receive_resource


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A head of a friend's log that `peer` showed; it was tried to be taken in `tried` times."""

    friend: Friend
    peer: str
    note: bytes
    tried: int = 0


class Follower:
    """Follows friends' logs and keeps the evidence."""

    def __init__(
        self,
        directory: Path,
        reach: Reach,
        findings: Findings,
        accusations: Accusations,
        inspector: Inspector,
        overdue: Overdue,
        witness: Witness,
    ) -> None:
        """Keep mirrors below `directory`, talk to friends through `reach`.

        `inspector` is given what came of a friend's log, once it is in order; `overdue` looks at what a log
        still owes whenever its node itself showed the newest head. `witness` cosigns what was taken in.
        """
        self._directory = directory
        self._reach = reach
        self._findings = findings
        self._accusations = accusations
        self._inspector = inspector
        self._overdue = overdue
        self._witness = witness
        self._mirrors: dict[str, Mirror] = {}
        self._reviewed: dict[str, Reviewed] = {}
        self._waiting: set[str] = set()
        self._offered: dict[str, _Offer] = {}
        self._later: dict[str, _Offer] = {}
        self._shown = ShownHeads()
        self._callbacks: list[Callable[[Friend, bytes], None]] = []
        self._wanted = trio.Event()
        self._reviewing = trio.Lock()

    def want(self, peer: str) -> None:
        """Say that a friend's log may have grown."""
        self._waiting.add(peer)
        self._wake()

    def want_from(self, friend: Friend, peer: str, note: bytes) -> None:
        """Say that `peer` showed this head of a friend's log, and may have its entries."""
        self._offered[friend.node_id] = _Offer(friend=friend, peer=peer, note=note)
        self._wake()

    def compare(self, friend: Friend, proof: bytes) -> None:
        """Say that a friend proved an entry of his own log: the head must be of the log that is followed."""
        self._shown.add(friend, proof)
        self._wake()

    def on_taken(self, callback: Callable[[Friend, bytes], None]) -> None:
        """Call `callback` with where the copy of a friend's log stands, whenever a head is taken in."""
        self._callbacks.append(callback)

    def accuse(self, accusation: Accusation) -> None:
        """Say that two results contradict each other; evidence is made when both logs are here."""
        self._accusations.add(accusation)
        self._wake()

    async def run(self) -> None:
        """Follow what is wanted, until cancelled. Containment: one friend's log."""
        async with trio.open_nursery() as nursery:
            while True:
                wanted = self._wanted
                for peer in sorted(self._waiting):
                    self._waiting.discard(peer)
                    await self._follow_contained(peer)
                while self._offered:
                    await self._take_offered(self._offered.popitem()[1], nursery)
                while shown := self._shown.next():
                    await self._compare(*shown)
                for accusation in self._accusations.open():
                    await self._prove_contained(accusation)
                if not self._waiting and not self._offered:
                    await wanted.wait()
                    await trio.sleep(limits.FOLLOW_PAUSE_SECONDS)

    def mirror(self, friend: Friend) -> Mirror:
        """Return this node's copy of a friend's log, begun now if there is none."""
        key = parse_log_vkey(friend.vkey)
        mirror = self._mirrors.get(key.name)
        if mirror is None:
            mirror = self._open(self.directory(friend), key)
        return mirror

    def kept(self, vkey: str) -> Mirror | None:
        """Return this node's copy of the log with this key, None if there is none: it is not begun now."""
        key = parse_log_vkey(vkey)
        mirror = self._mirrors.get(key.name)
        directory = self._directory / key.name.rsplit("/", 1)[-1]
        if mirror is None and directory.exists():
            mirror = self._open(directory, key)
        return mirror

    def has_closed(self, origin: str, index: int) -> bool:
        """Return whether this node's copy of a log shows that the acceptance at `index` is closed."""
        reviewed = self._reviewed.get(origin)
        return reviewed is not None and index < reviewed.size and index not in reviewed.promises.open

    def convict(self, origin: str, evidence: bytes) -> None:
        """Freeze this node's copy of a log that was found out elsewhere; one begun later is frozen then."""
        mirror = self._mirrors.get(origin)
        if mirror is not None:
            self._freeze(mirror, evidence)

    def directory(self, friend: Friend) -> Path:
        """Return where this node's copy of a friend's log is kept."""
        return self._directory / parse_log_vkey(friend.vkey).name.rsplit("/", 1)[-1]

    def close(self) -> None:
        """Let go of all mirrors."""
        while self._mirrors:
            self._mirrors.popitem()[1].close()

    async def owed(self, friend: Friend) -> tuple[int, ...]:
        """Return the acceptances that nothing has closed in a friend's log, as it is here.

        Raises:
            LedgerError: the log breaks its rules; the finding is recorded.
        """
        mirror = self.mirror(friend)
        await self._review(friend, mirror)
        reviewed = self._reviewed.get(mirror.key.name)
        return reviewed.promises.open if reviewed else ()

    async def follow(self, friend: Friend, *, through: str = "") -> bool:
        """Bring the mirror of a friend's log to the friend's newest head, and read what came.

        The friend himself is asked, or the peer `through` for what he holds of it. Returns whether a head was
        told: a node that has just started tells none yet.

        Raises:
            LedgerError: the log has forked, or breaks its rules; the finding is recorded.
            F2FError: the friend could not be asked.
        """
        mirror, peer = self.mirror(friend), through or friend.node_id
        known = self._witness.known()
        request = GetHead(origin=mirror.key.name, salt=known.salt, known=sorted(known.tags))
        async with await self._reach.call(peer, request) as exchange:
            answer = await exchange.receive()
        if isinstance(answer, NoHead):
            return False
        if not isinstance(answer, Head):
            raise RemoteProtocolError(f"answered with {type(answer).__name__}", where=friend.name)

        decision = await self.take(friend, answer.checkpoint, self._fetch_from(peer, mirror))
        if peer != friend.node_id:
            # An old head from other hands proves no silence, and bad data nothing at all.
            return True
        if isinstance(decision, Violation):
            # The node itself served this; from others' hands it would say nothing of the node.
            words = f"{decision.reason}: {decision.detail}"
            self._violated(friend, words)
            raise LedgerError(words, where=friend.name)
        reviewed = self._reviewed.get(mirror.key.name)
        if reviewed is not None:
            await self._overdue.look(friend, mirror, answer.checkpoint, reviewed.promises.open)
        return True

    async def take(
        self, friend: Friend, note: bytes, fetch: Fetch
    ) -> Advanced | Unchanged | Older | Violation:
        """Take in a head of a friend's log, from wherever it and what `fetch` gives came.

        `Violation` accuses nobody yet: who served it is for the caller to know.

        Raises:
            LedgerError: the log has forked, or breaks its rules; the finding is recorded.
            F2FError: what `fetch` raises.
        """
        mirror = self.mirror(friend)
        match await mirror.update(note, fetch):
            case Advanced() | Unchanged() | Older() as meant:
                if mirror.pruned:
                    # Its node was no friend for a while; what it says is read from the beginning.
                    await mirror.restore(fetch)
                async with self._reviewing:
                    await self._review(friend, mirror)
                self._witness.followed(friend, note)
                self._shown.grew(friend, mirror.size)
                for callback in self._callbacks:
                    callback(friend, mirror.checkpoint())
                return meant
            case Violation() as violation:
                return violation
            case Equivocation(evidence=evidence):
                self._findings.record(
                    Found(
                        kind=EQUIVOCATION,
                        owner=friend.owner,
                        node=friend.node_id,
                        evidence=evidence,
                        detail="two heads that cannot both be true",
                        origin=mirror.key.name,
                        subject=mirror.key.name,
                    )
                )
                raise LedgerError("the log has forked", where=friend.name)
            case other:
                raise LedgerError(f"cannot be followed: {other}", where=friend.name)

    async def _review(self, friend: Friend, mirror: Mirror) -> None:
        """Read the entries that came since the last time; after a restart, all of them once."""
        begun = Reviewed(key=mirror.key, statement_key=friend.statement_key, owner=friend.owner)
        reviewed = self._reviewed.get(mirror.key.name, begun)
        while not mirror.violation and reviewed.size < mirror.size:
            end = min(mirror.size, reviewed.size + limits.TILE_WIDTH)
            match await trio.to_thread.run_sync(_read_on, mirror, reviewed, end):
                case Reviewed() as reached:
                    entries = await trio.to_thread.run_sync(mirror.entries, reviewed.size, end)
                    self._inspector.take(friend, mirror.key.name, reviewed.size, entries)
                    self._reviewed[mirror.key.name] = reviewed = reached
                case Broken(index=index, why=why):
                    words = f"entry {index}: {why}"
                    # Recorded first: after a crash here the entry is read, and found, again.
                    self._violated(friend, words)
                    await trio.to_thread.run_sync(mirror.note_violation, words)
        if mirror.violation:
            raise LedgerError(mirror.violation, where=friend.name)

    def _fetch_from(self, peer: str, mirror: Mirror) -> Fetch:
        async def fetch(path: str) -> bytes:
            request = GetLogResource(origin=mirror.key.name, path=path)
            async with await self._reach.call(peer, request) as exchange:
                return await receive_resource(exchange)

        return fetch

    async def _compare(self, friend: Friend, note: bytes) -> None:
        """Put the head of a proof to the copy. Containment: what is not served; a copy that is damaged."""
        with trio.move_on_after(limits.FOLLOW_SECONDS), contextlib.suppress(F2FError):
            await self.take(friend, note, self._fetch_from(friend.node_id, self.mirror(friend)))
        with contextlib.suppress(F2FError):
            self._shown.compared(friend, note, self.mirror(friend).size)

    async def _take_offered(self, offer: _Offer, nursery: trio.Nursery) -> None:
        """Take in a head from somebody else than its author. Containment: what he does not have or spoils."""
        friend, peer = offer.friend, offer.peer
        with trio.move_on_after(limits.FOLLOW_SECONDS):
            try:
                await self.take(friend, offer.note, self._fetch_from(peer, self.mirror(friend)))
            except RemoteProtocolError:
                # Heads travel faster than entries: who showed it may be fetching them himself.
                if offer.tried < limits.OFFER_TRIES:
                    waiting = friend.node_id in self._later
                    self._later[friend.node_id] = replace(offer, tried=offer.tried + 1)
                    if not waiting:
                        nursery.start_soon(self._offer_later, friend.node_id)
            except F2FError:
                return

    async def _offer_later(self, node: str) -> None:
        """Try once more what could not be taken in, unless something newer was offered meanwhile."""
        await trio.sleep(limits.OFFER_PAUSE_SECONDS * 2 ** self._later[node].tried)
        self._offered.setdefault(node, self._later.pop(node))
        self._wake()

    async def _follow_contained(self, peer: str) -> None:
        friend = self._reach.find(peer)
        if friend is None:
            return
        with trio.move_on_after(limits.FOLLOW_SECONDS):
            try:
                await self.follow(friend)
            except F2FError:
                # A fork or violation is recorded already; who cannot be asked is asked at the next occasion.
                return

    async def _prove_contained(self, accusation: Accusation) -> None:
        """Prove what can be proved. Containment: one accusation, which stays open when a copy is damaged."""
        try:
            await self._prove(accusation)
        except F2FError:
            return

    async def _prove(self, accusation: Accusation) -> None:
        """Write the evidence of an accusation, if both logs are here; else it is tried again later."""
        sides, owners = [], []
        for testimony in (accusation.accused, accusation.majority):
            friend = self._reach.find(testimony.peer)
            if friend is None:
                # Whoever is no friend any more can be asked for nothing; the verdict stands as it is.
                self._accusations.settle(accusation)
                return
            await self._follow_contained(testimony.peer)
            mirror = self.mirror(friend)
            if mirror.size == 0:
                return
            owners.append(friend.owner)
            sides.append(side_of(friend.vkey, mirror, testimony.outcome, testimony.proof, testimony.products))
        self._findings.record(
            Found(
                kind=DIVERGENCE,
                owner=owners[0],
                node=accusation.accused.peer,
                evidence=format_divergence((sides[0], sides[1])),
                detail=f"contradicted on {accusation.title}",
                subject=f"{accusation.job} {accusation.accused.peer}",
            )
        )
        # If we crash here, the evidence is found under its subject and not written twice.
        self._accusations.settle(accusation)

    def _open(self, directory: Path, key: VerifierKey) -> Mirror:
        """Open a mirror; of a log that was found out before, it is frozen at once."""
        mirror = self._mirrors[key.name] = Mirror.open(directory, key)
        fork = self._findings.about(EQUIVOCATION, key.name)
        if fork is not None:
            self._freeze(mirror, Path(fork.evidence).read_bytes())
        return mirror

    def _freeze(self, mirror: Mirror, evidence: bytes) -> None:
        if not mirror.evidence:
            mirror.freeze(evidence)

    def _violated(self, friend: Friend, detail: str) -> None:
        self._findings.record(
            Found(kind=VIOLATION, owner=friend.owner, node=friend.node_id, evidence=b"", detail=detail)
        )

    def _wake(self) -> None:
        self._wanted.set()
        self._wanted = trio.Event()


def _read_on(mirror: Mirror, reviewed: Reviewed, end: int) -> Reviewed | Broken:
    start, entries = reviewed.size, mirror.entries(reviewed.size, end)
    # What an entry refers to is mostly near, and need not be read a second time.
    return review(reviewed, entries, lambda at: entries[at - start] if at >= start else mirror.entry(at))
