"""The submitter's story up to the first offer: a source becomes an order that is durable and logged.

The row is written before the log entry and the entry before any offer, so that a crash between them leaves
an order that can be logged again, never an offer that nobody ordered.
"""

from dataclasses import dataclass
from pathlib import Path

import trio

from f2fbuild import limits
from f2fbuild.errors import UsageError
from f2fbuild.jobs.desk import Desk
from f2fbuild.jobs.engine import Prepared
from f2fbuild.jobs.offer import BlobReference, Offer
from f2fbuild.jobs.queue import Job
from f2fbuild.jobs.summing import log_order
from f2fbuild.model.job import DEFAULT_QUORUM, JobClass, JobState, Order, Quorum
from f2fbuild.model.times import LEAF_RESOLUTION, format_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asked for. `builders` and `agree` are None for the class's default.

    `embargo_until` is the unix second up to which nothing shall come out, 0 for none.
    """

    target: str
    source: Path
    job_class: JobClass
    builders: int | None
    agree: int | None
    deadline: int
    embargo_until: int = 0

    def reveal_by(self, now: int) -> int:
        """Return the time of revealing that is ordered, 0 for none: full ten minutes, as the ledger tells it.

        Raises:
            UsageError: it is over already, or farther away than any builder takes.
        """
        if not self.embargo_until:
            return 0
        if not now < self.embargo_until <= now + limits.EMBARGO_SECONDS:
            days = limits.EMBARGO_SECONDS // 86_400
            what = f"an embargo ends in the future, and within {days} days"
            raise UsageError(what, where=format_time(self.embargo_until))
        return -(-self.embargo_until // LEAF_RESOLUTION) * LEAF_RESOLUTION

    def quorum(self) -> Quorum:
        """Return the quorum that is ordered.

        Raises:
            UsageError: more must agree than are asked.
        """
        default = DEFAULT_QUORUM[self.job_class]
        builders = self.builders or max(default.builders, self.agree or 0)
        agree = self.agree or min(default.agree, builders)
        if agree > builders:
            raise UsageError(f"{agree} cannot agree when {builders} are asked", hint="raise --builders")
        return Quorum(builders=builders, agree=agree, tie_breakers=default.tie_breakers)


class Submission:
    """Turns what is wanted into jobs."""

    def __init__(self, desk: Desk) -> None:
        """Work with the desk's engine, rows and log."""
        self._desk = desk

    async def submit(self, wanted: Wanted) -> Job:
        """Return the job for what is wanted: durable, not offered to anybody yet, logged if that can be now.

        Raises:
            F2FError: the source cannot be used, or no environment can be had for it.
        """
        quorum, reveal_by = wanted.quorum(), wanted.reveal_by(self._desk.clock())
        prepared = await self._desk.engine.prepare(wanted.target, wanted.source)
        offer = await trio.to_thread.run_sync(self._store, prepared, wanted, reveal_by)
        return await self._order(offer, wanted.target, prepared.arch, quorum)

    async def again(self, job: Job) -> Job:
        """Return a new job for the same build with the same quorum and as much time as the old one had."""
        now = self._desk.clock()
        reveal_by = job.order.reveal_by if job.order.reveal_by > now else 0
        deadline = _deadline(now + job.order.deadline - job.order.created, reveal_by)
        offer = Offer(
            definition=job.offer.definition,
            job_class=job.offer.job_class,
            title=job.offer.title,
            sources=job.offer.sources,
            lock=job.offer.lock,
            metadata=job.offer.metadata,
            deadline=deadline,
            reveal_by=reveal_by,
        )
        return await self._order(offer, job.target, job.arch, job.order.quorum)

    async def log_order(self, job: Job) -> None:
        """Make sure that the order is in the log; nobody may be asked before."""
        await log_order(self._desk.journal, job)

    async def _order(self, offer: Offer, target: str, arch: str, quorum: Quorum) -> Job:
        now = self._desk.clock()
        order = Order(
            build_key=offer.definition.build_key,
            job_class=offer.job_class,
            quorum=quorum,
            created=now,
            deadline=offer.deadline,
            nonce=self._desk.random(16).hex(),
            reveal_by=offer.reveal_by,
        )
        job = Job(
            id=order.job_id,
            order=order,
            offer=offer,
            target=target,
            arch=arch,
            state=JobState.QUEUED,
            reason="",
            salt=self._desk.random(32),
            log_size=self._desk.journal.size,
            verdict=None,
            updated=now,
        )
        self._desk.queue.add(job)
        if not self._desk.journal.held:
            await self.log_order(job)
        # Else the conductor logs it as soon as the log may be signed; nobody is asked before.
        return job

    def _store(self, prepared: Prepared, wanted: Wanted, reveal_by: int) -> Offer:
        """Put everything that builders will fetch into the blobs, and return the offer that names it."""
        sources = tuple(
            BlobReference(name=name, sha256=self._desk.blobs.put_file(path), size=path.stat().st_size)
            for name, path in sorted(prepared.sources.items())
        )
        for blob in prepared.metadata_blobs.values():
            self._desk.blobs.put_bytes(blob)
        lock, metadata = (
            self._desk.blobs.put_bytes(prepared.lock),
            self._desk.blobs.put_bytes(prepared.metadata),
        )
        return Offer(
            definition=prepared.definition,
            job_class=wanted.job_class,
            title=prepared.title,
            sources=sources,
            lock=BlobReference(name="environment.lock", sha256=lock, size=len(prepared.lock)),
            metadata=BlobReference(name="metadata.json", sha256=metadata, size=len(prepared.metadata)),
            deadline=_deadline(wanted.deadline, reveal_by),
            reveal_by=reveal_by,
        )


def _deadline(wanted: int, reveal_by: int) -> int:
    """Return a deadline that leaves time for results which come out at the end of an embargo."""
    return max(wanted, reveal_by + limits.EMBARGO_MARGIN_SECONDS) if reveal_by else wanted
