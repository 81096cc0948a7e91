"""How a divergence is told: environments first, then who said what, then the evidence."""

from f2fbuild.api import replies
from f2fbuild.audit.found import Finding
from f2fbuild.audit.groups import Group, differing_products, fact_differences, groups
from f2fbuild.errors import F2FError
from f2fbuild.jobs import ballots
from f2fbuild.jobs.desk import Desk
from f2fbuild.jobs.queue import Job
from f2fbuild.model.verdict import VerdictKind
from f2fbuild.node.views import job_view, outcome_word, products_view

_DIVERGENT = (VerdictKind.DISPUTED, VerdictKind.DIVERGED, VerdictKind.EQUIVALENT)


def has_diverged(desk: Desk, job: Job) -> bool:
    """Return whether builders of the job gave different results."""
    verdict = job_view(desk, job).verdict
    return verdict is not None and verdict.kind in _DIVERGENT


def divergence_view(desk: Desk, job: Job, findings: list[Finding]) -> replies.Divergence:
    """Return a divergence as it is told."""
    verdict = job_view(desk, job).verdict
    if verdict is None:
        raise F2FError("the job has no verdict", where=job.id)
    votes = ballots.ballot(job, desk.queue.assignments(job.id), desk.blobs).votes
    found = groups(votes)
    differing = differing_products(found)
    accused = {owner for group in found[1:] for owner in group.owners}
    return replies.Divergence(
        job=job.id,
        title=job.offer.title,
        verdict=verdict.kind,
        environment_differences=tuple(
            f"{one.fact}: {' | '.join(', '.join(values) for values in one.values)}"
            for one in fact_differences(found)
        ),
        groups=tuple(_group(desk, group) for group in found),
        differing=differing,
        evidence=tuple(one.evidence for one in findings if one.kind == "divergence" and one.owner in accused),
    )


def _group(desk: Desk, group: Group) -> replies.DivergenceGroup:
    names = []
    for vote in group.votes:
        friend = desk.friends.find(vote.node)
        names.append(friend.name if friend else vote.owner)
    return replies.DivergenceGroup(
        result=group.digest,
        owners=tuple(names),
        outcome=outcome_word(group.result),
        products=products_view(group.result, verified=all(vote.verified for vote in group.votes)),
        environment=dict(group.votes[0].facts),
    )
