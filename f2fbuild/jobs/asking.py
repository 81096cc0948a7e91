"""The submitter's conversation with one builder about one job, from the offer to the verified products.

The builder's words move a job only as far as `verifying`; a commitment, an outcome and a closing count when
the builder's own log proves them. Each step is recorded before the next, so after a crash, or when a link
broke, the conversation goes on where the rows say.
"""

from io import FileIO

import trio

from f2fbuild import limits
from f2fbuild.builder.metadata import manifest_digests
from f2fbuild.errors import F2FError, LedgerError, NobodyError, RemoteProtocolError
from f2fbuild.jobs.desk import Desk
from f2fbuild.jobs.friends import BROKEN
from f2fbuild.jobs.lifecycle import ASSIGNMENT, OPEN, AssignmentEvent
from f2fbuild.jobs.offer import to_body
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.jobs.receipts import (
    Promise,
    check_acceptance,
    check_closing,
    check_commitment,
    outcome_statement,
)
from f2fbuild.jobs.telling import signed
from f2fbuild.jobs.verifying import Verifying
from f2fbuild.model.friend import Friend
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.vote import Strike
from f2fbuild.net.exchange import Exchange, ExchangeFinishedError, PeerFailureError
from f2fbuild.net.messages import (
    Failure,
    FollowJob,
    JobClosed,
    JobCommitted,
    JobLog,
    JobRevealed,
    JobState,
    NoJob,
    OfferAccepted,
    OfferJob,
    OfferRefused,
)
from f2fbuild.net.signed import Kind as MessageKind
from f2fbuild.net.wire import Message

_CLAIMS = {
    "preparing": AssignmentEvent.PREPARE,
    "building": AssignmentEvent.BUILD,
    "verifying": AssignmentEvent.VERIFY,
}
"""States that a builder may just claim; they decide nothing."""


_LAST_WORDS = ("lost", "cancelled")
"""States whose detail says why the closing follows, which alone moves the job."""


class Asking:
    """Brings assignments to their end."""

    def __init__(self, desk: Desk) -> None:
        """Work with the desk's rows and friends."""
        self._desk = desk
        self._verifying = Verifying(desk)
        self._offering: set[tuple[str, str]] = set()

    def offering(self, job: str, peer: str) -> bool:
        """Return whether an offer is under way, so that its answer has to be awaited."""
        return (job, peer) in self._offering

    async def run(self, job: Job, peer: str) -> None:
        """Go on with one assignment until it has ended. Containment: a builder's fault ends only its part."""
        while True:
            assignment = self._desk.queue.assignment(job.id, peer)
            friend = self._desk.friends.find(peer)
            if assignment.state not in OPEN:
                return
            if friend is None:
                self._desk.lose(job.id, peer, "no longer a friend")
                return
            try:
                await self._reach(job, assignment, friend)
                await self._step(job, friend)
            except BROKEN:
                # The link tells when it is back; a peer that only breaks exchanges must not make us spin.
                await trio.sleep(limits.EXCHANGE_RETRY_SECONDS)
            except LedgerError as error:
                self._desk.lose(job.id, peer, str(error), strikes=(Strike.BROKEN_PROMISE,))
            except F2FError as error:
                self._desk.lose(job.id, peer, str(error))

    async def _reach(self, job: Job, assignment: Assignment, friend: Friend) -> None:
        """Wait for a link to the builder, as long as patience lasts; an embargo's days are none of it.

        Raises:
            NobodyError: it did not come back.
        """
        offered = assignment.state is AssignmentState.OFFERED
        embargo = max(0, job.order.reveal_by - self._desk.clock())
        patience = self._desk.patience + (embargo if assignment.state is AssignmentState.COMMITTED else 0)
        with trio.move_on_after(limits.OFFER_ANSWER_SECONDS if offered else patience) as waiting:
            await self._desk.friends.wait_connected(friend.node_id)
        if waiting.cancelled_caught:
            raise NobodyError("went away and did not come back", where=friend.name)

    async def _step(self, job: Job, friend: Friend) -> None:
        """Do what comes next; the rows may have changed while the builder was waited for."""
        assignment = self._desk.queue.assignment(job.id, friend.node_id)
        if assignment.state is AssignmentState.OFFERED:
            await self._offer(job, friend)
        elif assignment.state in OPEN and assignment.ending is not None:
            await self._verifying.verify(job, assignment, friend)
        elif assignment.state in OPEN:
            await self._follow(job, assignment, friend)

    async def _offer(self, job: Job, friend: Friend) -> None:
        under_way = (job.id, friend.node_id)
        self._offering.add(under_way)
        try:
            answer = await self._answer(job, friend)
        finally:
            self._offering.discard(under_way)
        match answer:
            case OfferAccepted(entry=entry, receipt=receipt):
                check_acceptance(friend, entry, receipt, job=job.id, build_key=job.order.build_key)
                self._desk.proved(friend, receipt)
                event = AssignmentEvent.ACCEPT
                self._desk.advance(job.id, friend.node_id, event, acceptance=entry, receipt=receipt)
            case OfferRefused(reason=reason, rule=rule, detail=detail):
                said = ": ".join(part for part in (reason, rule, detail) if part)
                self._desk.advance(job.id, friend.node_id, AssignmentEvent.REFUSE, detail=said)
            case _:
                raise _unexpected(answer, friend)

    async def _answer(self, job: Job, friend: Friend) -> Message:
        """Return what the builder says to the offer.

        Raises:
            NobodyError: it does not say anything in time.
        """
        # The builder fetches as soon as it has accepted, so it may from now on.
        manifest = self._desk.blobs.read(job.offer.metadata.sha256, job.offer.metadata.size)
        digests = [*(blob.sha256 for blob in job.offer.blobs), *manifest_digests(manifest)]
        self._desk.access.allow(friend.node_id, digests, job.offer.deadline)
        offer = signed(self._desk, MessageKind.OFFER, job.id, friend.node_id, to_body(job.offer))
        with trio.move_on_after(limits.OFFER_ANSWER_SECONDS):
            async with await self._desk.friends.call(friend.node_id, OfferJob(offer=offer)) as exchange:
                return await exchange.receive()
        raise NobodyError("did not answer the offer", where=friend.name)

    async def _follow(self, job: Job, assignment: Assignment, friend: Friend) -> None:
        promise = self._promise(job, assignment, friend)
        path = self._desk.log_file(job.id, friend.node_id)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("ab", buffering=0) as log:
            request = FollowJob(job_id=job.id, log_offset=log.tell(), position=0)
            async with await self._desk.friends.call(friend.node_id, request) as exchange:
                await self._listen(exchange, promise, friend, log)

    async def _listen(self, exchange: Exchange, promise: Promise, friend: Friend, log: FileIO) -> None:
        async for message in exchange:
            if isinstance(message, JobLog):
                self._keep_log(message, log, promise, friend)
            elif self._take(message, promise, friend):
                return
        raise ExchangeFinishedError("the builder stopped telling", where=friend.name)

    def _take(self, message: Message, promise: Promise, friend: Friend) -> bool:
        """Record what the builder said; return whether that was its last word."""
        match message:
            case JobState(state=state, detail=detail):
                self._claim(promise, friend, state, detail)
            case JobCommitted(entry=entry, proof=proof):
                check_commitment(friend, entry, proof, promise)
                self._desk.proved(friend, proof)
                self._committed(promise, friend, entry, proof)
            case JobRevealed(entry=entry, proof=proof, attachments=attachments):
                outcome_statement(friend, entry, proof)
                self._desk.proved(friend, proof)
                kept = {"ending": entry, "ending_proof": proof, "attachments": tuple(attachments)}
                self._keep(promise, friend, **kept, out=True)
                return True
            case JobClosed(entry=entry, proof=proof):
                self._closed(entry, proof, promise, friend)
                return True
            case NoJob():
                raise LedgerError("denies the job that it accepted", where=friend.name)
            case _:
                raise _unexpected(message, friend)
        return False

    def _keep_log(self, message: JobLog, log: FileIO, promise: Promise, friend: Friend) -> None:
        room = limits.BUILD_LOG_BYTES - log.tell()
        if room and message.offset != log.tell():
            raise RemoteProtocolError("skipped a part of the build log", where=friend.name)
        if room:
            log.write(message.data[:room])
            self._desk.changes.notify(promise.job)

    def _claim(self, promise: Promise, friend: Friend, state: str, detail: str) -> None:
        """Take note of what a builder says it does; nothing follows from it."""
        event = _CLAIMS.get(state)
        now = self._desk.queue.assignment(promise.job, friend.node_id).state
        if event is not None and event in ASSIGNMENT[now]:
            self._desk.advance(promise.job, friend.node_id, event, detail=detail)
        elif state == now or state in _LAST_WORDS:
            self._keep(promise, friend, detail=detail)

    def _committed(self, promise: Promise, friend: Friend, entry: bytes, proof: bytes) -> None:
        own = self._desk.queue.assignment(promise.job, friend.node_id)
        if own.commitment is not None:
            return
        others = [one for one in self._desk.queue.assignments(promise.job) if one.owner != own.owner]
        behind = not own.open_book and any(one.out for one in others)
        columns = {"commitment": entry, "commitment_proof": proof, "behind": behind, "detail": ""}
        self._desk.advance(promise.job, friend.node_id, AssignmentEvent.COMMIT, **columns)

    def _closed(self, entry: bytes, proof: bytes, promise: Promise, friend: Friend) -> None:
        reason = check_closing(friend, entry, proof, promise)
        self._desk.proved(friend, proof)
        cancelled = reason is ClosingReason.CANCELLED
        event = AssignmentEvent.CANCEL if cancelled else AssignmentEvent.LOSE
        said = self._desk.queue.assignment(promise.job, friend.node_id).detail
        detail = f"{reason}: {said}" if said else str(reason)
        columns = {"ending": entry, "ending_proof": proof, "detail": detail}
        self._desk.advance(promise.job, friend.node_id, event, **columns)

    def _promise(self, job: Job, assignment: Assignment, friend: Friend) -> Promise:
        entry, receipt = assignment.acceptance or b"", assignment.receipt or b""
        return check_acceptance(friend, entry, receipt, job=job.id, build_key=job.order.build_key)

    def _keep(self, promise: Promise, friend: Friend, **columns: object) -> None:
        self._desk.queue.advance(promise.job, friend.node_id, self._desk.clock(), **columns)
        self._desk.changes.notify(promise.job)


def _unexpected(message: Message, friend: Friend) -> F2FError:
    if isinstance(message, Failure):
        return PeerFailureError(message, where=friend.name)
    return RemoteProtocolError(f"said {type(message).__name__} of a job", where=friend.name)
