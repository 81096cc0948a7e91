"""What a builder is going to sign about a finished build: the statement, its details, its commitment (pure).

Details (host facts, submitter, salts) are a blob that may be deleted; the statement carries their salted
hash, so a deletion erases them while every proof stays good.
"""

from dataclasses import dataclass

from f2fbuild.jobs.engine import BuildReport
from f2fbuild.jobs.offer import Offer
from f2fbuild.jobs.tasks import Task
from f2fbuild.ledger.commitment import commitment_digest, salted
from f2fbuild.ledger.entry import Commitment
from f2fbuild.model import canonical
from f2fbuild.model import statement as statements
from f2fbuild.model.outcome import Result, result_digest
from f2fbuild.model.statement import BuildStatement, EncodedStatement
from f2fbuild.model.times import rounded
from f2fbuild.model.tree import leaf_hash

DETAILS_SCHEMA = "f2fbuild.details/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A build that has a result: whose, of what, and when it ended (unix seconds)."""

    origin: str
    offer: Offer
    result: Result
    report: BuildReport
    log: str
    now: int


def statement(task: Task, finished: Finished) -> tuple[EncodedStatement, bytes]:
    """Return the outcome's encoding and the details blob that its salted hash names."""
    details = canonical.encode(
        {
            "environment": "verified" if finished.report.verified else "unverified",
            "facts": dict(finished.report.facts),
            "salts": task.salts.hex(),
            "schema": DETAILS_SCHEMA,
            "submitter": task.submitter,
        }
    )
    built = BuildStatement(
        definition=finished.offer.definition,
        result=finished.result,
        origin=finished.origin,
        job_id=task.job,
        acceptance=task.acceptance_index or 0,
        nonce=task.nonce.hex(),
        started=rounded(task.updated),
        finished=rounded(finished.now),
        log=finished.log,
        details=salted(task.salts[:32], details),
    )
    return statements.encode(built), details


def commitment(task: Task, products: bytes) -> Commitment:
    """Return the commitment to the result that a task has decided; `products` is its list, if a blob."""
    built = statements.decode(task.result or b"", products)
    digest = commitment_digest(
        built.origin,
        built.definition.build_key,
        leaf_hash(task.acceptance).hex(),
        result_digest(built.result),
        task.nonce,
    )
    return Commitment(acceptance=built.acceptance, digest=digest)
