"""What is judged: who accepted a build, and what each said came out.

A vote is one opened outcome entry with what this node found out about it. Seats are the denominator: who
accepted counts, never who answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from f2fbuild.model.job import JobClass, Quorum
from f2fbuild.model.outcome import Result


class Strike(StrEnum):
    """Why a statement is no vote: what the submitter found out about one builder's part in a job.

    `late`: no commitment stands in its log before the outcome. `unopened`: the outcome does not open the
    commitment. `behind`: the commitment came when another builder's result could be read, and is to the same.
    `broken-promise`: what it showed is not what it had promised. `withheld`: it did not hand over its
    products or its log, or other bytes than it signed. `challenge-failed`: it could not tell the hash of its
    own bytes.
    """

    LATE = "late"
    UNOPENED = "unopened"
    BEHIND = "behind"
    BROKEN_PROMISE = "broken-promise"
    WITHHELD = "withheld"
    CHALLENGE_FAILED = "challenge-failed"


class ChallengeState(StrEnum):
    """How far the last challenge to a builder is; empty when there was none.

    An answer that came before the reveal waits for the bytes that it is checked with.
    """

    NONE = ""
    ASKED = "asked"
    ANSWERED = "answered"
    PASSED = "passed"
    FAILED = "failed"


NOT_COMMITTED = frozenset({Strike.LATE, Strike.UNOPENED, Strike.BEHIND, Strike.BROKEN_PROMISE})
"""Strikes that leave a statement without an earlier commitment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One statement about one build key.

    `owner` is a fingerprint; `origin` and `index` name the outcome entry. `committed`: an earlier commitment
    in that log opens to this result. `withheld`: products or logs were asked for and not handed over, or
    other bytes than the statement names, or a challenge to hash them was failed.
    `forked`: this node holds evidence that the owner tells two stories.
    `verified`: this node, or an auditor its policy names, recomputed the result from the builder's bytes.
    `facts` are what the builder says of its host and environment: a hint, never a proof.
    """

    owner: str
    node: str
    origin: str
    index: int
    result: Result
    committed: bool
    withheld: bool = False
    forked: bool = False
    verified: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One owner that accepted.

    `closed`: its acceptance ended without a result (infrastructure, timeout, given back). `replaces` is the
    owner whose closed or struck seat this one takes over, or empty; `tie_break` tells that it was asked to
    break a tie.
    """

    owner: str
    closed: bool = False
    replaces: str = ""
    tie_break: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """All that a verdict over one build key rests on. Seats are in the order of acceptance, votes in any."""

    job_class: JobClass
    quorum: Quorum
    seats: tuple[Seat, ...]
    votes: tuple[Vote, ...]
