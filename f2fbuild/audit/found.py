"""What can be found against somebody: the kinds, a finding before it is kept, and one that is kept."""

from dataclasses import dataclass

EQUIVOCATION = "equivocation"
DIVERGENCE = "divergence"
VIOLATION = "violation"
CONTRADICTION = "self-contradiction"
REPEATED_EPOCH = "repeated-epoch"
HIDDEN_RESULT = "hidden-result"
LEFT_OUT = "left-out"
CONTRADICTED = "contradicted"
"""Accuses nobody: a verdict stands against a result of this node, and its owner is told first."""

SHARED = (EQUIVOCATION, CONTRADICTION, REPEATED_EPOCH, HIDDEN_RESULT)
"""Findings whose evidence is shown to friends: it convicts a log or an owner."""

FORKS = (EQUIVOCATION, REPEATED_EPOCH)
"""Findings after which an owner is offered nothing and has no vote: he has told two stories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding; `found` is in unix seconds.

    `evidence` is the path of a file that anybody can check, empty when the finding proves nothing to others.
    `owner` and `node` are empty when nobody here knows whose log it is, or nobody is accused. `subject` tells
    findings of one kind apart, and `hops` how many friends the evidence came through.
    """

    id: int
    kind: str
    owner: str
    node: str
    evidence: str
    found: int
    detail: str
    origin: str = ""
    subject: str = ""
    hops: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding before it is kept: the fields are those of `Finding`, `evidence` the file's bytes."""

    kind: str
    owner: str
    node: str
    evidence: bytes
    detail: str
    origin: str = ""
    subject: str = ""
    hops: int = 0
