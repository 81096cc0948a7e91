"""What is judged: who accepted a build, and what each said came out.

A vote is one opened outcome entry with what this node found out about it. Seats are the denominator: who
accepted counts, never who answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from f2fbuild.model.job import JobClass, Quorum
from f2fbuild.model.outcome import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One statement about one build key.

    `owner` is a fingerprint; `origin` and `index` name the outcome entry. `committed`: an earlier commitment
    in that log opens to this result. `withheld`: products or logs were asked for and not handed over, or
    other bytes than the statement names.
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
