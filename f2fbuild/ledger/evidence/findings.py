"""All that evidence can prove."""

from typing import TypeAlias

from f2fbuild.ledger.evidence.contradiction import ContradictionFinding, EpochFinding
from f2fbuild.ledger.evidence.divergence import DivergenceFinding
from f2fbuild.ledger.evidence.equivocation import EquivocationFinding

Finding: TypeAlias = EquivocationFinding | DivergenceFinding | ContradictionFinding | EpochFinding
