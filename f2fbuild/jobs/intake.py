"""Whether this node takes a job: the offer is opened, every question asked, the acceptance made durable.

The order is the contract. The task's row is written first, with the acceptance it is going to log; then the
entry; only then does the submitter hear of it. If we crash before the entry, the row is dropped at the next
start; if we crash after it, the acceptance is found in the log and closed as given back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from f2fbuild import limits
from f2fbuild.errors import F2FError, FormatError
from f2fbuild.jobs.bench import Bench
from f2fbuild.jobs.journal import Recorded
from f2fbuild.jobs.offer import Offer, from_body
from f2fbuild.jobs.tasks import OPEN_STATES, Task
from f2fbuild.ledger.commitment import salted
from f2fbuild.ledger.entry import Acceptance
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.times import rounded
from f2fbuild.net.messages import OfferAccepted, OfferRefused
from f2fbuild.net.signed import Kind as MessageKind
from f2fbuild.net.signed import open_message
from f2fbuild.trust.policy import Decision, Refusal, Right


class RefusedOffer(StrEnum):
    """Why an offer was not taken, besides what trust says; the value is the word on the wire."""

    MALFORMED = "malformed-offer"
    REPLAYED = "replayed-offer"
    NO_TARGET = "no-target"
    BUSY = "busy"
    DISK = "disk-full"
    DEADLINE = "deadline-passed"
    TAKEN = "job-of-another"
    EMBARGO = "embargo-too-long"
    HELD = "log-held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How much this node takes on: builds at once, accepted jobs waiting, and free disk in bytes.

    `embargo` is for how many seconds from now it keeps a result to itself when it is asked to.
    """

    slots: int
    waiting: int
    free_disk: Callable[[], int]
    disk_needed: int
    embargo: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who offers: node id and statement key of the session's peer."""

    node_id: str
    statement_key: bytes


Answer: TypeAlias = OfferAccepted | OfferRefused


class Intake:
    """The builder's door."""

    def __init__(
        self,
        bench: Bench,
        capacity: Capacity,
        *,
        permit: Callable[[str, Right], Decision],
        fresh_nonce: Callable[[str, bytes, int], bool],
    ) -> None:
        """Wire the door.

        Args:
            bench: rows, log and engine.
            capacity: how much is taken on.
            permit: asks trust whether a peer (node id) has a right now.
            fresh_nonce: records (sender, nonce, not-after); False when it was seen before.
        """
        self._bench = bench
        self._capacity = capacity
        self._permit = permit
        self._fresh_nonce = fresh_nonce

    async def consider(self, sender: Sender, data: bytes) -> Answer:
        """Return the answer to a signed offer; an acceptance is durable before it is returned.

        A repeated offer of a job that was accepted gets the same acceptance again: the first answer may
        have been lost.
        """
        now = self._bench.clock()
        decision = self._permit(sender.node_id, Right.SUBMIT)
        if isinstance(decision, Refusal):
            return OfferRefused(
                reason=decision.reason.word, rule=str(decision.rule), detail=f"{decision.reason.text}"
            )
        try:
            message = open_message(
                data,
                kind=MessageKind.OFFER,
                public=sender.statement_key,
                recipient=self._bench.node_id,
                now=now,
            )
            offer = from_body(message.body)
        except FormatError as error:
            return _refused(RefusedOffer.MALFORMED, str(error))
        known = self._bench.tasks.get(message.job_id)
        if known is not None:
            return await self._again(known, sender)
        if not self._fresh_nonce(sender.node_id, bytes.fromhex(message.nonce), message.not_after):
            return _refused(RefusedOffer.REPLAYED, "this offer was seen before")
        refusal = self._reason_not_to(offer, now)
        if refusal is not None:
            return refusal
        return await self._accept(message.job_id, sender, data, offer)

    async def _again(self, task: Task, sender: Sender) -> Answer:
        if task.submitter != sender.node_id:
            return _refused(RefusedOffer.TAKEN, "this job belongs to another offer")
        if task.acceptance_index is None:
            # The first answer is still being written, or broke off before it was.
            if self._bench.journal.held:
                return _held()
            recorded = await self._log(task)
        else:
            recorded = await self._bench.journal.recorded(task.acceptance_index)
        return OfferAccepted(entry=recorded.entry, receipt=recorded.proof)

    def _reason_not_to(self, offer: Offer, now: int) -> OfferRefused | None:
        try:
            target = self._bench.engine.target_for(offer.definition)
        except F2FError as error:
            self._bench.tell(f"targets cannot be used: {error}")
            target = None
        if target is None:
            kind, arch = offer.definition.format, offer.definition.parameters.get("arch", "")
            return _refused(RefusedOffer.NO_TARGET, f"no target here builds {kind} for {arch}")
        if offer.deadline <= now:
            return _refused(RefusedOffer.DEADLINE, "the deadline has passed; are both clocks right?")
        if offer.reveal_by > now + self._capacity.embargo:
            days = self._capacity.embargo // 86_400
            return _refused(RefusedOffer.EMBARGO, f"results are kept back for at most {days} days here")
        return self._lack_of_means()

    def _lack_of_means(self) -> OfferRefused | None:
        """Return the refusal that passes with time, if there is one now."""
        if self._bench.journal.held:
            return _held()
        taken = len(self._bench.tasks.in_states(set(OPEN_STATES) - {AssignmentState.COMMITTED}))
        if taken >= self._capacity.slots + self._capacity.waiting:
            return _refused(RefusedOffer.BUSY, f"{taken} jobs are building or waiting")
        if self._capacity.free_disk() < self._capacity.disk_needed:
            return _refused(RefusedOffer.DISK, "not enough free disk for a build")
        return None

    async def _accept(self, job: str, sender: Sender, data: bytes, offer: Offer) -> OfferAccepted:
        now = self._bench.clock()
        reveal_by = offer.reveal_by or min(offer.deadline, now + limits.REVEAL_SECONDS)
        salts = self._bench.random(64)
        acceptance = Acceptance(
            job=job,
            deadline=rounded(offer.deadline),
            reveal_by=rounded(reveal_by),
            submitter=salted(salts[:32], sender.node_id.encode()),
            build_key=salted(salts[32:], offer.definition.build_key.encode()),
        )
        task = Task(
            job=job,
            submitter=sender.node_id,
            offer=data,
            state=AssignmentState.ACCEPTED,
            stage="",
            detail="",
            acceptance=self._bench.journal.seal(acceptance),
            nonce=self._bench.random(32),
            salts=salts,
            deadline=offer.deadline,
            reveal_by=reveal_by,
            log_size=self._bench.journal.size,
            result=None,
            attachments=(),
            acceptance_index=None,
            commitment_index=None,
            outcome_index=None,
            closing_index=None,
            updated=now,
        )
        self._bench.tasks.add(task)
        recorded = await self._log(task)
        return OfferAccepted(entry=recorded.entry, receipt=recorded.proof)

    async def _log(self, task: Task) -> Recorded:
        recorded = await self._bench.journal.ensure(task.acceptance, since=task.log_size)
        self._bench.tasks.change(task.job, self._bench.clock(), acceptance_index=recorded.index)
        return recorded


def _held() -> OfferRefused:
    return _refused(RefusedOffer.HELD, "this node signs nothing for now; its owner is told why")


def _refused(reason: RefusedOffer, detail: str) -> OfferRefused:
    return OfferRefused(reason=str(reason), rule="", detail=detail)
