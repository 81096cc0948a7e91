"""What a submitter logs of a job: the order, tie-breaks, and every verdict with what it rests on."""

from f2fbuild.jobs import ballots
from f2fbuild.jobs.desk import Desk
from f2fbuild.jobs.journal import Journal
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.commitment import salted
from f2fbuild.model import canonical
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.outcome import Succeeded
from f2fbuild.model.subject import Subject, agreed_subjects
from f2fbuild.model.summary import AGREEMENTS, Figures, Summary, encode_summary
from f2fbuild.model.times import rounded
from f2fbuild.model.verdict import Verdict


async def log_order(journal: Journal, job: Job) -> int:
    """Make sure that the order is in the log, sealed by the job's salt; return its index."""
    entry = journal.seal(entries.Order(commit=salted(job.salt, job.order.encode())))
    return (await journal.ensure(entry, since=job.log_size)).index


class Summing:
    """Writes the submitter's own entries."""

    def __init__(self, desk: Desk) -> None:
        """Write to the desk's log."""
        self._desk = desk

    async def log_tie_break(self, job: Job, asked: int) -> None:
        """Log, hidden like the order, that one more owner than ordered is asked: the `asked`-th and next."""
        order = canonical.encode({"asked": asked, "job": job.id})
        entry = self._desk.journal.seal(entries.Order(commit=salted(job.salt, order)))
        await self._desk.journal.ensure(entry, since=job.log_size)

    async def log_verdict(self, job: Job, assignments: list[Assignment], verdict: Verdict) -> None:
        """Log a verdict, and with it open the order; the same verdict on the same outcomes is logged once.

        Whatever the summary says comes from the rows, so after a crash it is made again byte for byte.
        """
        ended = [one for one in assignments if one.state is AssignmentState.DONE]
        summary = Summary(
            verifier=self._desk.journal.origin,
            order_index=await log_order(self._desk.journal, job),
            order=job.order,
            salt=job.salt,
            figures=Figures(
                kind=verdict.kind,
                agree=verdict.agree,
                denominator=verdict.denominator,
                needed=verdict.needed,
                verified=verdict.verified,
            ),
            subjects=self._agreed(ended, verdict) or _sources(job),
            outcomes=tuple(sorted({sha256_hex(one.ending or b"") for one in ended})),
            at=rounded(max((one.updated for one in ended), default=job.order.created)),
        )
        encoded = encode_summary(summary)
        if encoded.products:
            self._desk.blobs.put_bytes(encoded.products)
        entry = self._desk.journal.seal(entries.VerdictSummary(statement=encoded.payload))
        await self._desk.journal.ensure(entry, since=job.log_size)

    def _agreed(self, ended: list[Assignment], verdict: Verdict) -> tuple[Subject, ...]:
        """Return the products of the votes that made the agreement; none when there was no agreement."""
        if verdict.kind not in AGREEMENTS:
            return ()
        votes = [one for one in ended if not one.strikes]
        agreeing = [one for one in votes if one.result == verdict.result]
        results = [ballots.statement_of(one, self._desk.blobs).result for one in agreeing]
        return agreed_subjects([result for result in results if isinstance(result, Succeeded)])


def _sources(job: Job) -> tuple[Subject, ...]:
    named = (Subject(name=source.name, sha256=source.sha256) for source in job.offer.sources)
    return tuple(sorted(named, key=lambda source: source.name))
