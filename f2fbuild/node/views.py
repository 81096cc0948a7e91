"""From rows to the API's replies: how jobs, builders and verdicts are told. Nothing is decided here."""

import json

from f2fbuild.api import replies
from f2fbuild.errors import F2FError
from f2fbuild.jobs import ballots
from f2fbuild.jobs.desk import Desk
from f2fbuild.jobs.lifecycle import JOB, final
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.ledger.proof import parse_proof
from f2fbuild.model.digest import short_id
from f2fbuild.model.job import AssignmentState, JobState
from f2fbuild.model.outcome import Failed, Result, Succeeded
from f2fbuild.model.statement import BuildStatement
from f2fbuild.model.verdict import EXIT_CODE, VerdictKind

_LAST_LINE_BYTES = 512


def job_view(desk: Desk, job: Job) -> replies.Job:
    """Return a job as it is told."""
    assignments = desk.queue.assignments(job.id)
    verdict = _verdict(job)
    return replies.Job(
        id=job.id,
        short=short_id(job.id),
        title=job.offer.title,
        target=job.target,
        arch=job.arch,
        format=job.offer.definition.format,
        job_class=job.order.job_class,
        state=job.state,
        reason=job.reason or ("" if job.state in final(JOB) else desk.journal.held),
        created=job.order.created,
        deadline=job.order.deadline,
        embargo_until=job.order.reveal_by,
        builders=job.order.quorum.builders,
        agree=job.order.quorum.agree,
        verdict=verdict,
        assignments=tuple(_assignment(desk, one) for one in assignments),
        exit_code=_exit_code(job, verdict, assignments),
    )


def statement_of(desk: Desk, assignment: Assignment) -> BuildStatement | None:
    """Return what a builder signed about its build, None while there is nothing checked."""
    if assignment.state is not AssignmentState.DONE:
        return None
    return ballots.statement_of(assignment, desk.blobs)


def products_view(result: Result | None, *, verified: bool) -> tuple[replies.Product, ...]:
    """Return the products of a result, none for a failure."""
    if not isinstance(result, Succeeded):
        return ()
    return tuple(
        replies.Product(
            name=p.name, kind=p.kind, size=p.size, sha256=p.sha256, canonical=p.canonical, verified=verified
        )
        for p in result.products
    )


def outcome_word(result: Result | None) -> str:
    """Return how a build ended in a few words, nothing while it has not."""
    match result:
        case None:
            return ""
        case Succeeded():
            return "succeeded"
        case Failed(stage=stage, exit_class=exit_class):
            return f"failed in {stage} ({exit_class})"


def _assignment(desk: Desk, assignment: Assignment) -> replies.Assignment:
    friend = desk.friends.find(assignment.peer)
    built = statement_of(desk, assignment)
    result = built.result if built else None
    origin = friend.vkey.split("+")[0] if friend else (built.origin if built else "")
    return replies.Assignment(
        peer=assignment.peer,
        owner=assignment.owner,
        alias=friend.alias if friend else assignment.owner[-8:].lower(),
        node=friend.node if friend else "",
        state=assignment.state,
        stage=assignment.stage,
        detail=assignment.detail,
        origin=origin,
        index=parse_proof(assignment.ending_proof).index if assignment.ending_proof else None,
        outcome=outcome_word(result),
        result=assignment.result,
        strikes=assignment.strikes,
        challenge=assignment.challenge,
        products=products_view(result, verified=assignment.verified),
        last_line=_last_line(desk, assignment),
        updated=assignment.updated,
    )


def _last_line(desk: Desk, assignment: Assignment) -> str:
    """Return the last whole line of a growing build log."""
    path = desk.log_file(assignment.job, assignment.peer)
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _LAST_LINE_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return ""
    return lines[-1] if lines else ""


def _verdict(job: Job) -> replies.Verdict | None:
    if job.verdict is None:
        return None
    stored = json.loads(job.verdict)
    names = replies.Verdict.__struct_fields__
    fields = {name: stored[name] for name in names}
    owners = {name: tuple(fields[name]) for name in ("accuses", "struck")}
    return replies.Verdict(**{**fields, **owners, "kind": VerdictKind(fields["kind"])})


def _exit_code(job: Job, verdict: replies.Verdict | None, assignments: list[Assignment]) -> int | None:
    """Return what `build` exits with when the job has ended (docs/reference: exit codes)."""
    if job.state not in final(JOB):
        return None
    if job.state is JobState.CANCELLED:
        return 5
    if verdict is None:
        raise F2FError("the job ended without a verdict", where=job.id)
    accepted = any(one.acceptance is not None for one in assignments)
    if verdict.kind is VerdictKind.INCONCLUSIVE and not accepted:
        return 8
    return EXIT_CODE[verdict.kind]
