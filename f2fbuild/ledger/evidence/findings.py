"""All that evidence can prove."""

from typing import TypeAlias

from f2fbuild.ledger.evidence.contradiction import ContradictionFinding, EpochFinding
from f2fbuild.ledger.evidence.dated import DatedFinding
from f2fbuild.ledger.evidence.divergence import DivergenceFinding
from f2fbuild.ledger.evidence.equivocation import EquivocationFinding
from f2fbuild.ledger.evidence.hidden import HiddenFinding

Finding: TypeAlias = (
    EquivocationFinding
    | DivergenceFinding
    | ContradictionFinding
    | EpochFinding
    | HiddenFinding
    | DatedFinding
)
