"""Who is asked to build what, and for everybody else the reason why not.

One decision over a snapshot of jobs and candidates. Jobs go in the order started before fresh, then release,
testing, scratch, then by age. Each takes the least busy of those who can, friends before this node itself;
among equals a keyed hash of job and node decides, so that not always the same are asked and nobody can tell
beforehand who will be. `job explain` shows the same reasons that decided.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from f2fbuild.jobs.lifecycle import OPEN
from f2fbuild.jobs.replicas import Asked, AskMore
from f2fbuild.model.job import AssignmentState, JobClass


class WhyNot(Enum):
    """Why a candidate is not asked. Each has its word, what the user reads, and whether waiting helps."""

    OWN_NODE = ("own-node", "this node's own vote is not wanted for the job", False)
    BUILDING = ("already-building", "already building a copy (one vote per owner)", False)
    VOTED = ("voted", "has delivered a result (one vote per owner)", False)
    LOST = ("lost", "was lost or cancelled with this job; another owner takes over", False)
    FORKED = ("forked", "its owner's log tells two stories", False)
    EXCLUDED = ("excluded", "this owner's vote on the same build exists already", False)
    PAUSED = ("paused", "paused", False)
    NO_RIGHT = ("no-right", "may not build for this node", False)
    REFUSED = ("refused", "refused the job", False)
    REFUSED_FOR_NOW = ("refused-for-now", "refused the job for the moment", True)
    NO_TARGET = ("no-target", "has no target for it", False)
    NOT_CONNECTED = ("not-connected", "not connected", True)
    BUSY = ("busy", "busy", True)
    SAME_OWNER = ("same-owner", "another machine of this owner is asked (one vote per owner)", True)
    NOT_NEEDED = ("not-needed", "could build it; enough others are asked", True)

    def __init__(self, word: str, text: str, passing: bool) -> None:
        self.word = word
        self.text = text
        self.passing = passing


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A node that might build.

    `refusal` is trust's rule against it in words, empty when it may build; `slots` is how many jobs of this
    node it gets at once, `busy` how many it has. `lacks` are pairs of format and architecture for which it
    said that it has no target. `own` marks this node itself. `forked` names the evidence that its owner tells
    two stories, empty while there is none.
    """

    node: str
    owner: str
    name: str
    connected: bool
    slots: int
    busy: int
    paused: bool = False
    refusal: str = ""
    lacks: frozenset[tuple[str, str]] = frozenset()
    own: bool = False
    forked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A job that has not ended. `ask` is what `replicas.need` wants, None when nobody else is asked now.

    `created` is in unix seconds; `own_allowed` tells whether this node may be one of its builders.
    """

    job: str
    created: int
    job_class: JobClass
    format: str
    arch: str
    asked: tuple[Asked, ...] = ()
    ask: AskMore | None = None
    own_allowed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A node that shall be offered a job; `replaces` names the owner whose seat it takes, or is empty."""

    job: str
    node: str
    owner: str
    tie_break: bool
    replaces: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a candidate is not asked; `detail` says more, in words that are safe to show."""

    node: str
    name: str
    why: WhyNot
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.why.text}: {self.detail}" if self.detail else self.why.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What shall be offered now, and for each job the reasons, in the candidates' order."""

    choices: tuple[Choice, ...]
    reasons: Mapping[str, tuple[Reason, ...]]

    def explain(self, job: str) -> tuple[Reason, ...]:
        """Return why each candidate that was not chosen for the job was not; nothing for unknown jobs."""
        return self.reasons.get(job, ())


def plan(jobs: Iterable[Waiting], candidates: Sequence[Candidate], *, now: int, salt: bytes) -> Plan:
    """Return whom to ask.

    Args:
        jobs: those that have not ended, in any order.
        candidates: all friends' nodes, and this node.
        now: unix seconds.
        salt: a secret of this node, so that nobody can tell beforehand who will be asked; at most 64 bytes.
    """
    busy = {candidate.node: candidate.busy for candidate in candidates}
    choices: list[Choice] = []
    reasons = {}
    for job in sorted(jobs, key=_urgency):
        against = {one.node: objection(job, one, busy=busy[one.node], now=now) for one in candidates}
        able = [one for one in candidates if against[one.node] is None]
        chosen = _choose(job, sorted(able, key=_ranking(job, busy, salt)))
        asked = {choice.node for choice in chosen}
        owners = {choice.owner for choice in chosen}
        others = [one for one in candidates if one.node not in asked]
        reasons[job.job] = tuple(against[one.node] or _passed_over(one, owners) for one in others)
        busy.update({node: busy[node] + 1 for node in asked})
        choices += chosen
    return Plan(choices=tuple(choices), reasons=reasons)


def obtainable(job: Waiting, candidates: Iterable[Candidate], *, now: int) -> bool:
    """Return whether any candidate can be asked now, or later when what keeps it away has passed."""
    objections = (objection(job, one, busy=one.busy, now=now) for one in candidates)
    return any(found is None or found.why.passing for found in objections)


def objection(job: Waiting, candidate: Candidate, *, busy: int, now: int) -> Reason | None:
    """Return the first reason against asking a candidate that has `busy` jobs at `now`, or None."""
    found = (
        ((WhyNot.FORKED, f"see {candidate.forked}") if candidate.forked else None)
        or _by_vote(job, candidate)
        or _by_right(candidate)
        or _by_refusal(job, candidate, now)
        or _by_means(job, candidate, busy)
    )
    if found is None:
        return None
    why, detail = found
    return Reason(node=candidate.node, name=candidate.name, why=why, detail=detail)


_HELD: Mapping[AssignmentState, WhyNot] = {
    **dict.fromkeys(OPEN, WhyNot.BUILDING),
    AssignmentState.DONE: WhyNot.VOTED,
    AssignmentState.LOST: WhyNot.LOST,
    AssignmentState.CANCELLED: WhyNot.LOST,
}


def _by_vote(job: Waiting, candidate: Candidate) -> tuple[WhyNot, str] | None:
    """One vote per owner, whatever the number of machines."""
    if candidate.own and not job.own_allowed:
        return WhyNot.OWN_NODE, ""
    for one in job.asked:
        if one.owner == candidate.owner and one.state in _HELD:
            return _HELD[one.state], str(one.state)
    if job.ask is not None and candidate.owner in job.ask.excluding:
        return WhyNot.EXCLUDED, ""
    return None


def _by_refusal(job: Waiting, candidate: Candidate, now: int) -> tuple[WhyNot, str] | None:
    """Only the machine that refused is left alone: another one of the owner may have what it lacks."""
    for one in job.asked:
        if one.node != candidate.node:
            continue
        if one.again is None:
            return WhyNot.REFUSED, one.detail
        if now < one.again:
            return WhyNot.REFUSED_FOR_NOW, one.detail
    return None


def _by_right(candidate: Candidate) -> tuple[WhyNot, str] | None:
    if candidate.paused:
        return WhyNot.PAUSED, ""
    if candidate.refusal:
        return WhyNot.NO_RIGHT, candidate.refusal
    return None


def _by_means(job: Waiting, candidate: Candidate, busy: int) -> tuple[WhyNot, str] | None:
    if (job.format, job.arch) in candidate.lacks:
        return WhyNot.NO_TARGET, f"{job.format} {job.arch}"
    if not candidate.connected:
        return WhyNot.NOT_CONNECTED, ""
    if busy >= candidate.slots:
        return WhyNot.BUSY, f"{busy} of {candidate.slots} slots"
    return None


def _urgency(job: Waiting) -> tuple[bool, int, int, str]:
    started = any(one.state in OPEN or one.state is AssignmentState.DONE for one in job.asked)
    return not started, -list(JobClass).index(job.job_class), job.created, job.job


def _ranking(
    job: Waiting, busy: Mapping[str, int], salt: bytes
) -> Callable[[Candidate], tuple[bool, Fraction, bytes]]:
    """Return the sort key of those who can: friends first, the least busy, then by lot."""

    def rank(candidate: Candidate) -> tuple[bool, Fraction, bytes]:
        ticket = f"{job.job} {candidate.node}".encode()
        lot = hashlib.blake2b(ticket, key=salt, digest_size=16).digest()
        return candidate.own, Fraction(busy[candidate.node], candidate.slots), lot

    return rank


def _choose(job: Waiting, ranked: Sequence[Candidate]) -> list[Choice]:
    if job.ask is None:
        return []
    best = {one.owner: one for one in reversed(ranked)}
    first = [one for one in ranked if best[one.owner] is one][: job.ask.number]
    vacant = [*job.ask.replacing, *[""] * len(first)]
    return [
        Choice(job=job.job, node=one.node, owner=one.owner, tie_break=job.ask.tie_break, replaces=replaced)
        for one, replaced in zip(first, vacant, strict=False)
    ]


def _passed_over(candidate: Candidate, owners: set[str]) -> Reason:
    why = WhyNot.SAME_OWNER if candidate.owner in owners else WhyNot.NOT_NEEDED
    return Reason(node=candidate.node, name=candidate.name, why=why)
