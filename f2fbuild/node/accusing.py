"""What a verdict holds against somebody: accusations that become evidence, and findings of broken rules."""

from f2fbuild import limits
from f2fbuild.audit.accusations import Accusation, Testimony
from f2fbuild.audit.findings import Findings
from f2fbuild.audit.follow import Follower
from f2fbuild.audit.found import Found
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.model import statement as statements
from f2fbuild.model.digest import short_id
from f2fbuild.model.envelope import unseal
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.verdict import Verdict
from f2fbuild.model.vote import Strike
from f2fbuild.store.blobs import BlobStore

_WORDS = {
    Strike.LATE: "shows a result that its log does not commit to before",
    Strike.UNOPENED: "shows another result than it had committed to",
}


def accuse(
    follower: Follower, blobs: BlobStore, job: Job, verdict: Verdict, assignments: list[Assignment]
) -> None:
    """Hand each accused owner's outcome to the auditor, beside one outcome of the majority."""
    done = [one for one in assignments if one.state is AssignmentState.DONE]
    majority = [one for one in done if one.result == verdict.result]
    for accused in [one for one in done if one.owner in verdict.accuses and one.result != verdict.result]:
        if majority:
            follower.accuse(
                Accusation(
                    job=job.id,
                    title=job.offer.title,
                    accused=_testimony(accused, blobs),
                    majority=_testimony(majority[0], blobs),
                )
            )


def note_strikes(findings: Findings, job: Job, assignments: list[Assignment]) -> None:
    """Keep a finding of each strike that is the builder's own doing; who came too late may have been slow."""
    for one in assignments:
        for strike in one.strikes:
            if strike is not Strike.BEHIND:
                words = f"job {short_id(job.id)}: {one.detail or _WORDS.get(strike, str(strike))}"
                findings.record(
                    Found(kind=str(strike), owner=one.owner, node=one.peer, evidence=b"", detail=words)
                )


def _testimony(assignment: Assignment, blobs: BlobStore) -> Testimony:
    outcome = assignment.ending or b""
    digest = statements.products_blob(unseal(outcome).payload)
    return Testimony(
        peer=assignment.peer,
        outcome=outcome,
        proof=assignment.ending_proof or b"",
        products=blobs.read(digest, limits.PRODUCTS_LIST_BYTES) if digest else b"",
    )
