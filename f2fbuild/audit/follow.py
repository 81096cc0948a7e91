"""The auditor's story: friends' logs are pulled, checked and kept, and what they prove is written down.

Each friend's log is followed on its own; a friend that serves nonsense is contained there. A fork freezes the
mirror and its evidence is a finding; an entry that breaks the log's rules is one too, and the log is broken
for ever; a contradiction of two owners becomes evidence as soon as both logs are here (`accuse`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import trio

from f2fbuild import limits
from f2fbuild.audit.findings import Findings
from f2fbuild.errors import F2FError, LedgerError, RemoteProtocolError
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.evidence import Side, format_divergence
from f2fbuild.ledger.mirror import Fetch, Mirror
from f2fbuild.ledger.monitor import Advanced, Equivocation, Older, Unchanged, Violation
from f2fbuild.ledger.proof import format_proof
from f2fbuild.ledger.review import Broken, Reviewed, review
from f2fbuild.model.friend import Friend
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.messages import GetHead, GetLogResource, Head, LogResource, NoHead, Request


class Reach(Protocol):
    """Friends as the auditor needs them."""

    def find(self, peer: str) -> Friend | None:
        """Return a friend by node id."""
        ...

    async def call(self, peer: str, request: Request) -> Exchange:
        """Open an exchange; raises when there is no link."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """One side of a contradiction: whose log (node id), the outcome entry, its proof, its products list."""

    peer: str
    outcome: bytes
    proof: bytes
    products: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Accusation:
    """Two testimonies of one build key that contradict each other; `accused` is the minority's."""

    job: str
    title: str
    accused: Testimony
    majority: Testimony


class Follower:
    """Follows friends' logs and keeps the evidence."""

    def __init__(self, directory: Path, reach: Reach, findings: Findings) -> None:
        """Keep mirrors below `directory`, talk to friends through `reach`."""
        self._directory = directory
        self._reach = reach
        self._findings = findings
        self._mirrors: dict[str, Mirror] = {}
        self._reviewed: dict[str, Reviewed] = {}
        self._waiting: set[str] = set()
        self._accusations: list[Accusation] = []
        self._wanted = trio.Event()

    def want(self, peer: str) -> None:
        """Say that a friend's log may have grown."""
        self._waiting.add(peer)
        self._wake()

    def accuse(self, accusation: Accusation) -> None:
        """Say that two results contradict each other; evidence is made when both logs are here."""
        self._accusations.append(accusation)
        self._wake()

    async def run(self) -> None:
        """Follow what is wanted, until cancelled. Containment: one friend's log."""
        while True:
            wanted = self._wanted
            for peer in sorted(self._waiting):
                self._waiting.discard(peer)
                await self._follow_contained(peer)
            while self._accusations:
                await self._prove(self._accusations.pop(0))
            if not self._waiting and not self._accusations:
                await wanted.wait()

    def mirror(self, friend: Friend) -> Mirror:
        """Return this node's copy of a friend's log, begun now if there is none."""
        key = parse_log_vkey(friend.vkey)
        mirror = self._mirrors.get(key.name)
        if mirror is None:
            mirror = self._mirrors[key.name] = Mirror.open(self.directory(friend), key)
        return mirror

    def directory(self, friend: Friend) -> Path:
        """Return where this node's copy of a friend's log is kept."""
        return self._directory / parse_log_vkey(friend.vkey).name.rsplit("/", 1)[-1]

    def close(self) -> None:
        """Let go of all mirrors."""
        while self._mirrors:
            self._mirrors.popitem()[1].close()

    async def follow(self, friend: Friend) -> None:
        """Bring the mirror of a friend's log to the friend's newest head, and read what came.

        Raises:
            LedgerError: the log has forked, or breaks its rules; the finding is recorded.
            F2FError: the friend could not be asked.
        """
        mirror = self.mirror(friend)
        async with await self._reach.call(friend.node_id, GetHead(origin=mirror.key.name)) as exchange:
            answer = await exchange.receive()
        if isinstance(answer, NoHead):
            return
        if not isinstance(answer, Head):
            raise RemoteProtocolError(f"answered with {type(answer).__name__}", where=friend.name)

        async def fetch(path: str) -> bytes:
            request = GetLogResource(origin=mirror.key.name, path=path)
            async with await self._reach.call(friend.node_id, request) as exchange:
                return (await exchange.expect(LogResource)).data

        decision = await self.take(friend, answer.checkpoint, fetch)
        if isinstance(decision, Violation):
            # The node itself served this; from others' hands it would say nothing of the node.
            words = f"{decision.reason}: {decision.detail}"
            self._record(friend, "violation", b"", words)
            raise LedgerError(words, where=friend.name)

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
                await self._review(friend, mirror)
                return meant
            case Violation() as violation:
                return violation
            case Equivocation(evidence=evidence):
                self._record(friend, "equivocation", evidence, "two heads that cannot both be true")
                raise LedgerError("the log has forked", where=friend.name)
            case other:
                raise LedgerError(f"cannot be followed: {other}", where=friend.name)

    async def _review(self, friend: Friend, mirror: Mirror) -> None:
        """Read the entries that came since the last time; after a restart, all of them once."""
        begun = Reviewed(key=mirror.key, statement_key=friend.statement_key)
        reviewed = self._reviewed.get(mirror.key.name, begun)
        while not mirror.violation and reviewed.size < mirror.size:
            end = min(mirror.size, reviewed.size + limits.TILE_WIDTH)
            match await trio.to_thread.run_sync(_read_on, mirror, reviewed, end):
                case Reviewed() as reviewed:
                    self._reviewed[mirror.key.name] = reviewed
                case Broken(index=index, why=why):
                    words = f"entry {index}: {why}"
                    # Recorded first: after a crash here the entry is read, and found, again.
                    self._record(friend, "violation", b"", words)
                    await trio.to_thread.run_sync(mirror.note_violation, words)
        if mirror.violation:
            raise LedgerError(mirror.violation, where=friend.name)

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

    async def _prove(self, accusation: Accusation) -> None:
        sides = []
        for testimony in (accusation.accused, accusation.majority):
            await self._follow_contained(testimony.peer)
            side = self._side(testimony)
            if side is None:
                return
            sides.append(side)
        accused = self._reach.find(accusation.accused.peer)
        if accused is not None:
            evidence = format_divergence((sides[0], sides[1]))
            self._record(accused, "divergence", evidence, f"contradicted on {accusation.title}")

    def _side(self, testimony: Testimony) -> Side | None:
        friend = self._reach.find(testimony.peer)
        if friend is None or self.mirror(friend).size == 0:
            return None
        mirror = self.mirror(friend)
        return Side(
            log=friend.vkey,
            certificate=mirror.entry(0),
            certificate_proof=format_proof(mirror.inclusion(0)),
            outcome=testimony.outcome,
            outcome_proof=testimony.proof,
            products=testimony.products,
        )

    def _record(self, friend: Friend, kind: str, evidence: bytes, detail: str) -> None:
        self._findings.record(kind, owner=friend.owner, node=friend.node_id, evidence=evidence, detail=detail)

    def _wake(self) -> None:
        self._wanted.set()
        self._wanted = trio.Event()


def _read_on(mirror: Mirror, reviewed: Reviewed, end: int) -> Reviewed | Broken:
    return review(reviewed, mirror.entries(reviewed.size, end), mirror.entry)
