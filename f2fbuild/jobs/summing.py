"""What a submitter logs of a job after its order: tie-breaks and verdicts."""

from f2fbuild.jobs import ballots
from f2fbuild.jobs.desk import Desk
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.commitment import salted
from f2fbuild.model import canonical
from f2fbuild.model import statement as statements
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.outcome import Product, Succeeded
from f2fbuild.model.summary import Judged, encode_summary
from f2fbuild.model.verdict import Verdict


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
        """Log a verdict, and with it open the order; the same verdict on the same outcomes is logged once."""
        ended = [one for one in assignments if one.state is AssignmentState.DONE]
        judged = Judged(
            verifier=self._desk.node_id,
            order=job.order,
            salt=job.salt,
            verdict=verdict,
            products=self._agreed(ended, verdict),
            sources=[(source.name, source.sha256) for source in job.offer.sources],
            outcomes=[sha256_hex(one.ending or b"") for one in ended],
            at=max((one.updated for one in ended), default=job.order.created),
        )
        payload = entries.Unknown(payload_type=statements.PAYLOAD_TYPE, payload=encode_summary(judged))
        await self._desk.journal.ensure(self._desk.journal.seal(payload), since=job.log_size)

    def _agreed(self, ended: list[Assignment], verdict: Verdict) -> tuple[Product, ...]:
        for one in ended:
            if verdict.result and one.result == verdict.result:
                result = ballots.statement_of(one, self._desk.blobs).result
                return result.products if isinstance(result, Succeeded) else ()
        return ()
