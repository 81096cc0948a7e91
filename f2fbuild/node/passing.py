"""Evidence among friends: what is found is shown to all friends, and what they show is checked and passed on.

Nobody is believed: a file is kept, held against somebody, or passed on only after `evidence.check` proved it
here, with the OpenPGP signatures that it rests on. Each friend is shown each file once, when he is there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import trio

from f2fbuild import limits
from f2fbuild.audit.findings import Findings
from f2fbuild.audit.found import EQUIVOCATION, Finding, Found
from f2fbuild.audit.hearsay import Allowance, heard
from f2fbuild.errors import F2FError
from f2fbuild.ledger.evidence import COSIGNERS, HiddenFinding, Vouch, check
from f2fbuild.model.friend import Friend
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.ledger_messages import EvidenceSeen, ShowEvidence
from f2fbuild.net.messages import Failure, Request


class Links(Protocol):
    """Friends who are here."""

    def listening(self) -> list[str]:
        """Return the node ids of connected friends who may hear of ledgers."""
        ...

    async def call(self, peer: str, request: Request) -> Exchange:
        """Open an exchange; raises when there is no link."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What passing on asks of the node.

    `vouch` knows owners' signatures, `author` the friend whose log an origin names, `closed` whether a copy
    here shows an acceptance closed, `independent` how many voices some owners are; `convict` freezes the copy
    of a log; `clock` returns unix seconds.
    """

    vouch: Vouch
    author: Callable[[str], Friend | None]
    closed: Callable[[str, int], bool]
    independent: Callable[[tuple[str, ...]], int]
    convict: Callable[[str, bytes], None]
    clock: Callable[[], int]


class Passing:
    """Shows evidence to friends and hears it from them."""

    def __init__(self, findings: Findings, links: Links, judgement: Judgement) -> None:
        """Pass on what stands in `findings`."""
        self._findings = findings
        self._links = links
        self._judgement = judgement
        self._allowances: dict[str, Allowance] = {}
        self._news = trio.Event()
        findings.on_record(self.wake)

    def wake(self) -> None:
        """Say that something was found, or that a friend came."""
        self._news.set()
        self._news = trio.Event()

    async def heard(self, peer: str, request: ShowEvidence) -> EvidenceSeen | Failure:
        """Take evidence that a friend shows."""
        allowance = self._allowances.get(peer, Allowance(since=self._judgement.clock()))
        left = allowance.spent(self._judgement.clock())
        if left is None or self._findings.heard_from(peer) >= limits.EVIDENCE_PER_FRIEND:
            return Failure(code="too-much", detail="no more evidence is taken from you for now")
        self._allowances[peer] = left
        try:
            proved = await trio.to_thread.run_sync(
                lambda: check(request.evidence, vouch=self._judgement.vouch, where="evidence shown")
            )
        except F2FError as error:
            return Failure(code="proves-nothing", detail=str(error)[: limits.MESSAGE_TEXT])
        if isinstance(proved, HiddenFinding) and not self._believes(proved):
            return Failure(code="proves-nothing", detail="closed meanwhile, or seen by fewer than two voices")
        found = heard(proved, request.evidence, request.hops + 1)
        if found is None:
            return Failure(code="not-shared", detail="such evidence accuses nobody")
        if found.kind == EQUIVOCATION:
            # If we crash here, the copy is frozen and the friend shows the file again.
            self._judgement.convict(found.origin, found.evidence)
        self._findings.told(self._findings.record(self._named(found)), peer)
        return EvidenceSeen()

    async def run(self) -> None:
        """Show every friend what he has not been shown, until cancelled. Containment: one friend's link."""
        while True:
            news = self._news
            for peer in self._links.listening():
                for finding in self._findings.untold(peer):
                    if not await self._show(peer, finding):
                        break
            await news.wait()

    async def _show(self, peer: str, finding: Finding) -> bool:
        """Show one file; return whether the next can follow."""
        evidence = await trio.to_thread.run_sync(Path(finding.evidence).read_bytes)
        if len(evidence) > limits.EVIDENCE_SHOWN_BYTES:
            self._findings.told(finding, peer)
            return True
        request = ShowEvidence(evidence=evidence, hops=finding.hops)
        with trio.move_on_after(limits.NEWS_SECONDS):
            try:
                async with await self._links.call(peer, request) as exchange:
                    answer = await exchange.receive()
            except F2FError:
                return False
            if isinstance(answer, Failure) and answer.code == "too-much":
                return False
            # Whoever finds nothing proved in it is not asked a second time.
            self._findings.told(finding, peer)
            return True
        return False

    def _believes(self, proved: HiddenFinding) -> bool:
        """Return whether nothing here shows the acceptance closed, and independent owners saw it open."""
        owners = tuple(sorted(one.node.owner for one in proved.cosigners))
        closed = self._judgement.closed(proved.origin, proved.index)
        return not closed and self._judgement.independent(owners) >= COSIGNERS

    def _named(self, found: Found) -> Found:
        friend = self._judgement.author(found.origin)
        if found.owner or friend is None:
            return found
        return replace(found, owner=friend.owner, node=friend.node_id)
