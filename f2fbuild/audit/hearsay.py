"""What evidence is taken from friends and passed on to friends: decisions over findings and counts.

Evidence travels as far as heads do: whoever can hear of a log can hear that it has forked. Only what convicts
a log or an owner travels; a divergence accuses nobody, and its followers see it themselves.
"""

from dataclasses import dataclass
from typing import assert_never

from f2fbuild.audit.found import CONTRADICTION, EQUIVOCATION, HIDDEN_RESULT, REPEATED_EPOCH, Found
from f2fbuild.ledger.evidence import (
    ContradictionFinding,
    DatedFinding,
    DivergenceFinding,
    EpochFinding,
    EquivocationFinding,
    Finding,
    HiddenFinding,
)
from f2fbuild.limits import EVIDENCE_HOUR, EVIDENCE_PER_HOUR
from f2fbuild.model.digest import sha256_hex, short_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How many files one friend has shown since `since` (unix seconds): each costs some signatures."""

    since: int
    shown: int = 0

    def spent(self, now: int) -> "Allowance | None":
        """Return the allowance after one more file, None when this hour's are used up."""
        if not 0 <= now - self.since < EVIDENCE_HOUR:
            return Allowance(since=now, shown=1)
        if self.shown >= EVIDENCE_PER_HOUR:
            return None
        return Allowance(since=self.since, shown=self.shown + 1)


def heard(finding: Finding, evidence: bytes, hops: int) -> Found | None:
    """Return what to keep of evidence that came through `hops` friends, None when it is not for passing on.

    The owner of a log that only its key convicts is not known from the evidence; who knows him fills it in.
    """
    match finding:
        case EquivocationFinding(origin=origin):
            return Found(
                kind=EQUIVOCATION,
                owner="",
                node="",
                evidence=evidence,
                detail="two heads that cannot both be true; a friend has shown the proof",
                origin=origin,
                subject=origin,
                hops=hops,
            )
        case ContradictionFinding(owner=owner, build_key=build_key, nodes=(_, node)):
            return Found(
                kind=CONTRADICTION,
                owner=owner,
                node=sha256_hex(node.statements),
                evidence=evidence,
                detail=f"two results of the build {short_id(build_key)}; a friend has shown the proof",
                origin=node.log.name,
                subject=f"{owner} {build_key}",
                hops=hops,
            )
        case EpochFinding(owner=owner, epoch=epoch, nodes=(_, node)):
            return Found(
                kind=REPEATED_EPOCH,
                owner=owner,
                node=sha256_hex(node.statements),
                evidence=evidence,
                detail=f"two logs in the epoch {epoch}; a friend has shown the proof",
                origin=node.log.name,
                subject=f"{sha256_hex(node.statements)} {epoch}",
                hops=hops,
            )
        case HiddenFinding(origin=origin, owner=owner, index=index):
            return Found(
                kind=HIDDEN_RESULT,
                owner=owner,
                node=sha256_hex(finding.node.statements),
                evidence=evidence,
                detail=f"entry {index} was never closed; a friend has shown the proof",
                origin=origin,
                subject=f"{origin} {index}",
                hops=hops,
            )
        case DivergenceFinding() | DatedFinding():
            return None
    assert_never(finding)
