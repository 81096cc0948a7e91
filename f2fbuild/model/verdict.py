"""The judgement over all outcomes of one build key, and what follows for the job."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from f2fbuild.model.job import JobState


class VerdictKind(StrEnum):
    """The seven verdicts; the first that applies is given."""

    DISPUTED = "disputed"
    AGREE = "agree"
    FAILED = "failed"
    EQUIVALENT = "equivalent"
    DIVERGED = "diverged"
    INFRA = "infra"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A verdict with the numbers it stands on.

    `agree` of `denominator` owners gave the leading result (digest `result`, empty when there is none);
    `needed` would have been enough. `accuses` holds the fingerprints of owners that the majority contradicts,
    `verified` how many of the agreeing votes this node recomputed from bytes. `self_contradicting` owners are
    counted for nobody, nor are `struck` ones: theirs came without an earlier commitment, the products were
    withheld, or the owner's log tells two stories.
    """

    kind: VerdictKind
    agree: int
    denominator: int
    needed: int
    verified: int
    result: str
    accuses: tuple[str, ...]
    self_contradicting: tuple[str, ...] = ()
    struck: tuple[str, ...] = ()


FINAL_STATE: Mapping[VerdictKind, JobState] = {
    VerdictKind.DISPUTED: JobState.SUCCEEDED,
    VerdictKind.AGREE: JobState.SUCCEEDED,
    VerdictKind.FAILED: JobState.FAILED,
    VerdictKind.EQUIVALENT: JobState.FAILED,
    VerdictKind.DIVERGED: JobState.FAILED,
    VerdictKind.INFRA: JobState.GAVEBACK,
    VerdictKind.INCONCLUSIVE: JobState.EXPIRED,
}
"""The state of a job at its end under each verdict."""

EXIT_CODE: Mapping[VerdictKind, int] = {
    VerdictKind.DISPUTED: 0,
    VerdictKind.AGREE: 0,
    VerdictKind.FAILED: 4,
    VerdictKind.EQUIVALENT: 10,
    VerdictKind.DIVERGED: 10,
    VerdictKind.INFRA: 9,
    VerdictKind.INCONCLUSIVE: 10,
}
"""What `build` and `watch` exit with; an inconclusive job that nobody accepted exits 8 instead."""
