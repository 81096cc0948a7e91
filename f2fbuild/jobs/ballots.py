"""From the submitter's rows to what is judged and decided: ballots, and who was asked. No writing."""

import json

from f2fbuild import limits
from f2fbuild.jobs.lifecycle import OPEN
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.jobs.replicas import Asked
from f2fbuild.ledger.proof import parse_proof
from f2fbuild.model import statement as statements
from f2fbuild.model.envelope import unseal
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.statement import BuildStatement
from f2fbuild.model.vote import NOT_COMMITTED, Ballot, Seat, Strike, Vote
from f2fbuild.store.blobs import BlobStore

_PASSING = ("busy:", "disk-full:", "log-held:")
"""How refusals begin that pass with time (`jobs.intake.RefusedOffer`)."""

_ENDED_WITHOUT = (AssignmentState.LOST, AssignmentState.CANCELLED)


def ballot(job: Job, assignments: list[Assignment], blobs: BlobStore) -> Ballot:
    """Return what a verdict over the job rests on: a seat for every acceptance, a vote for every outcome."""
    accepted = [one for one in assignments if one.acceptance is not None]
    return Ballot(
        job_class=job.order.job_class,
        quorum=job.order.quorum,
        seats=tuple(
            Seat(
                owner=one.owner,
                closed=one.state in _ENDED_WITHOUT,
                replaces=one.replaces,
                tie_break=one.tie_break,
            )
            for one in accepted
        ),
        votes=tuple(_vote(one, blobs) for one in accepted if one.state is AssignmentState.DONE),
    )


def asked(assignments: list[Assignment]) -> list[Asked]:
    """Return everybody that was asked for a job, in that order."""
    return [
        Asked(
            node=one.peer,
            owner=one.owner,
            state=one.state,
            tie_break=one.tie_break,
            replaces=one.replaces,
            detail=one.detail,
            again=one.updated + limits.REFUSED_AGAIN_SECONDS if one.detail.startswith(_PASSING) else None,
        )
        for one in assignments
    ]


def to_show(assignments: list[Assignment]) -> list[Assignment]:
    """Return the committed builders whose results may come out: all who can still commit have done so."""
    waiting = [one for one in assignments if one.state in OPEN and one.state is not AssignmentState.COMMITTED]
    committed = [one for one in assignments if one.state is AssignmentState.COMMITTED and one.ending is None]
    return [] if waiting else committed


def statement_of(assignment: Assignment, blobs: BlobStore) -> BuildStatement:
    """Return the statement of an assignment whose outcome was checked when it came."""
    payload = unseal(assignment.ending or b"", where="stored outcome").payload
    digest = statements.products_blob(payload)
    products = blobs.read(digest, limits.PRODUCTS_LIST_BYTES) if digest else b""
    return statements.decode(payload, products)


def _vote(assignment: Assignment, blobs: BlobStore) -> Vote:
    built = statement_of(assignment, blobs)
    return Vote(
        owner=assignment.owner,
        node=assignment.peer,
        origin=built.origin,
        index=parse_proof(assignment.ending_proof or b"").index,
        result=built.result,
        committed=not NOT_COMMITTED.intersection(assignment.strikes),
        withheld=not {Strike.WITHHELD, Strike.CHALLENGE_FAILED}.isdisjoint(assignment.strikes),
        verified=assignment.verified,
        facts=json.loads(assignment.facts),
    )
