"""What this node does when a friend asks: one function for each request, each behind the right it needs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError, FormatError
from f2fbuild.jobs.bench import Bench
from f2fbuild.jobs.challenges import Challenged
from f2fbuild.jobs.fulfil import Fulfilment
from f2fbuild.jobs.intake import Intake, Sender
from f2fbuild.jobs.report import Report
from f2fbuild.jobs.shown import fault_in
from f2fbuild.ledger.files import CHECKPOINT
from f2fbuild.ledger.known import Known
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.net import transfer
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.ledger_messages import (
    AddCosignatures,
    AnnounceHead,
    CertificateSeen,
    EvidenceSeen,
    GetConsistency,
    GetHead,
    GetLogResource,
    Head,
    HeadSeen,
    HeadsTuned,
    NoHead,
    NoLogResource,
    RenewCertificate,
    ShowEvidence,
    SwapHeads,
    TuneHeads,
)
from f2fbuild.net.log_resource import send_resource
from f2fbuild.net.messages import (
    CancelJob,
    Challenge,
    CommitmentsSeen,
    Failure,
    FollowJob,
    HaveBlobs,
    JobCancelled,
    NoJob,
    OfferJob,
    OfferRefused,
    RefusalSeen,
    Refuse,
    Request,
    ShowCommitments,
    WantBlob,
)
from f2fbuild.net.signed import Kind, open_message
from f2fbuild.node.friendships import Friendships
from f2fbuild.node.gathering import Gathering
from f2fbuild.node.gossiping import Gossiping
from f2fbuild.trust.policy import Refusal, Right

_Serve: TypeAlias = Callable[[str, Any, Exchange], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Who takes in what friends show of themselves: evidence, and new certificates."""

    evidence: Callable[[str, ShowEvidence], Awaitable[EvidenceSeen | Failure]]
    certificate: Callable[[str, RenewCertificate], Awaitable[CertificateSeen | Failure]]


class Exchanges:
    """Answers friends' requests."""

    def __init__(
        self,
        bench: Bench,
        friendships: Friendships,
        *,
        intake: Intake,
        fulfilment: Fulfilment,
        gossiping: Gossiping,
        gathering: Gathering,
        heard: Heard,
    ) -> None:
        """Wire what answers: the builder's bench, who may ask, and this node's log."""
        self._bench = bench
        self._friendships = friendships
        self._intake = intake
        self._fulfilment = fulfilment
        self._report = Report(bench)
        self._challenged = Challenged(bench)
        self._gossiping = gossiping
        self._follower = gossiping.follower
        self._heard = heard
        self._log = gathering.log
        self._gathering = gathering
        self._table: dict[type[Request], tuple[Right | None, _Serve]] = {
            OfferJob: (None, self._offer),
            FollowJob: (Right.SUBMIT, self._follow),
            ShowCommitments: (Right.SUBMIT, self._show),
            Challenge: (Right.SUBMIT, self._challenge),
            CancelJob: (Right.SUBMIT, self._cancel),
            WantBlob: (None, self._blob),
            HaveBlobs: (None, self._held),
            GetHead: (Right.LEDGER, self._head),
            GetLogResource: (Right.LEDGER, self._resource),
            AnnounceHead: (None, self._announced),
            SwapHeads: (Right.LEDGER, self._swapped),
            TuneHeads: (Right.LEDGER, self._tuned),
            GetConsistency: (Right.LEDGER, self._consistency),
            AddCosignatures: (None, self._cosigned),
            ShowEvidence: (None, self._evidence),
            RenewCertificate: (None, self._renewed),
            Refuse: (None, self._refused),
        }

    async def serve(self, peer: str, request: Request, exchange: Exchange) -> None:
        """Answer one request of a friend; raises only for a bug or a dead link."""
        right, answer = self._table[type(request)]
        if right is not None:
            decision = self._friendships.decide(peer, right)
            if isinstance(decision, Refusal):
                code, detail = decision.reason.word, f"{decision.reason.text} ({decision.rule})"
                await exchange.send(Failure(code=code, detail=detail))
                return
        await answer(peer, request, exchange)

    async def _offer(self, peer: str, request: OfferJob, exchange: Exchange) -> None:
        friend = self._friendships.find(peer)
        if friend is None:
            await exchange.send(Failure(code="not-a-friend", detail=""))
            return
        sender = Sender(node_id=peer, statement_key=friend.statement_key)
        answer = None
        # What is in the log is owed: a link that breaks now must not leave it to nobody.
        with trio.move_on_after(limits.OFFER_ANSWER_SECONDS, shield=True):
            answer = await self._intake.consider(sender, request.offer)
            self._fulfilment.wake()
        if answer is None:
            await exchange.send(Failure(code="no-time", detail="the log cannot be written now"))
            return
        await exchange.send(answer)
        match answer:
            case OfferRefused(reason=reason, rule=rule, detail=detail):
                words = ": ".join(part for part in (reason, rule, detail) if part)
                self._friendships.note_refused_offer(peer, words)

    async def _follow(self, _peer: str, request: FollowJob, exchange: Exchange) -> None:
        await self._report.serve(exchange, request)

    async def _show(self, peer: str, request: ShowCommitments, exchange: Exchange) -> None:
        task = self._bench.tasks.get(request.job_id)
        if task is None or task.submitter != peer:
            await exchange.send(NoJob(job_id=request.job_id))
            return
        if task.commitment_index is not None:
            own = await self._bench.journal.recorded(task.commitment_index)
            known = {one.vkey.split("+")[0]: one.statement_key for one, _, _ in self._friendships.all()}
            fault = fault_in(request.commitments, job=task.job, own=own.entry, known=known)
            if fault is not None:
                await exchange.send(Failure(code=str(fault), detail="the commitments are not in order"))
                return
            self._fulfilment.show(request.job_id)
        await exchange.send(CommitmentsSeen(job_id=request.job_id))

    async def _challenge(self, peer: str, request: Challenge, exchange: Exchange) -> None:
        await exchange.send(await self._challenged.answer(peer, request))

    async def _cancel(self, peer: str, request: CancelJob, exchange: Exchange) -> None:
        task, friend = self._bench.tasks.get(request.job_id), self._friendships.find(peer)
        if task is None or friend is None or task.submitter != peer:
            await exchange.send(NoJob(job_id=request.job_id))
            return
        try:
            key, node = friend.statement_key, self._bench.node_id
            message = open_message(
                request.request, kind=Kind.CANCEL, public=key, recipient=node, now=self._bench.clock()
            )
        except FormatError as error:
            await exchange.send(Failure(code="malformed", detail=str(error)))
            return
        if message.job_id == request.job_id:
            self._fulfilment.cancel(request.job_id, "cancelled by the submitter")
        await exchange.send(JobCancelled(job_id=request.job_id))

    async def _blob(self, _peer: str, request: WantBlob, exchange: Exchange) -> None:
        await transfer.serve_blob(exchange, request, self._bench.blobs, self._may_fetch)

    async def _held(self, _peer: str, request: HaveBlobs, exchange: Exchange) -> None:
        await transfer.serve_held(exchange, request, self._bench.blobs, self._may_fetch)

    async def _head(self, peer: str, request: GetHead, exchange: Exchange) -> None:
        log = self.kept(request.origin)
        if log is None or not log.checkpoint():
            await exchange.send(NoHead(origin=request.origin))
            return
        known = Known(salt=request.salt, tags=frozenset(request.known))
        self._gathering.name(peer, known)
        await exchange.send(Head(checkpoint=self._gathering.dressed(log.checkpoint(), log.key, known)))

    async def _resource(self, peer: str, request: GetLogResource, exchange: Exchange) -> None:
        log, data = self.kept(request.origin), None
        if log is not None:
            data = await trio.to_thread.run_sync(log.resource, request.path)
            if data is not None and request.path == CHECKPOINT:
                data = self._gathering.shown(peer, data, log.key)
        if data is None:
            await exchange.send(NoLogResource())
        else:
            await send_resource(exchange, data)

    def kept(self, origin: str) -> Log | Mirror | None:
        """Return this node's own log, or its copy of another whose node's certificate is held here."""
        if origin == self._log.key.name:
            return self._log if self._bench.journal.telling else None
        if (before := self._gossiping.earlier().get(origin)) is not None:
            return before
        author = self._gossiping.author(origin)
        try:
            return None if author is None else self._follower.kept(author.vkey)
        except F2FError:
            # A damaged copy is as good as none to who asks; its owner sees it in `ledger list`.
            return None

    async def _announced(self, peer: str, request: AnnounceHead, exchange: Exchange) -> None:
        if request.hops == 0:
            # Of its own log this is a hint to look: the head that counts is the one that is pulled.
            self._follower.want(peer)
        self._gossiping.announced(peer, request)
        await exchange.send(HeadSeen())

    async def _swapped(self, peer: str, request: SwapHeads, exchange: Exchange) -> None:
        await exchange.send(self._gossiping.swapped(peer, request))

    async def _tuned(self, peer: str, request: TuneHeads, exchange: Exchange) -> None:
        self._gossiping.tuned(peer, request)
        await exchange.send(HeadsTuned())

    async def _consistency(self, peer: str, request: GetConsistency, exchange: Exchange) -> None:
        await exchange.send(await self._gossiping.proving.show(peer, request))

    async def _cosigned(self, peer: str, request: AddCosignatures, exchange: Exchange) -> None:
        await exchange.send(await self._gathering.heard(peer, request))

    async def _evidence(self, peer: str, request: ShowEvidence, exchange: Exchange) -> None:
        await exchange.send(await self._heard.evidence(peer, request))

    async def _renewed(self, peer: str, request: RenewCertificate, exchange: Exchange) -> None:
        await exchange.send(await self._heard.certificate(peer, request))

    async def _refused(self, peer: str, request: Refuse, exchange: Exchange) -> None:
        self._friendships.note_told(peer, f"{request.reason}: {request.rule} {request.detail}".strip())
        await exchange.send(RefusalSeen())

    def _may_fetch(self, peer: str, digest: str) -> bool:
        return self._bench.access.may_fetch(peer, digest, self._bench.clock())
