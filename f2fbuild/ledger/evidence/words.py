"""What a finding says, in words for people."""

from dataclasses import dataclass
from typing import assert_never

from f2fbuild.ledger.evidence.contradiction import ContradictionFinding, EpochFinding
from f2fbuild.ledger.evidence.divergence import DivergenceFinding
from f2fbuild.ledger.evidence.equivocation import EquivocationFinding
from f2fbuild.ledger.evidence.findings import Finding
from f2fbuild.ledger.evidence.owners import OwnedNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A finding in words: `claim` is one sentence, `facts` the lines below it.

    `against` names whom it accuses, an origin or the fingerprint of an owner, and is empty when it accuses
    nobody by itself. `certificates` are those whose OpenPGP signatures the claim rests on.
    """

    claim: str
    against: str
    origins: tuple[str, ...]
    facts: tuple[str, ...]
    certificates: tuple[OwnedNode, ...] = ()


def tell(finding: Finding) -> Told:
    """Return a finding in words."""
    match finding:
        case EquivocationFinding(origin=origin, sizes=sizes, roots=roots):
            return Told(
                claim=f"the log {origin} signed two heads that cannot both be true",
                against=origin,
                origins=(origin,),
                facts=tuple(
                    f"size {size}  root {root.hex()}" for size, root in zip(sizes, roots, strict=True)
                ),
            )
        case DivergenceFinding(build_key=build_key, origins=origins):
            return Told(
                claim=f"two logs hold different results of the build {build_key}",
                against="",
                origins=origins,
                facts=_results(finding),
            )
        case ContradictionFinding(owner=owner, build_key=build_key, origins=origins, nodes=nodes):
            return Told(
                claim=f"the owner {owner} signed different results of the build {build_key}",
                against=owner,
                origins=origins,
                facts=_results(finding),
                certificates=nodes,
            )
        case EpochFinding(owner=owner, statements=statements, epoch=epoch, origins=origins, nodes=nodes):
            return Told(
                claim=f"a node of the owner {owner} has two logs in its epoch {epoch}",
                against=owner,
                origins=origins,
                facts=(f"statement key {statements}", *(f"log {origin}" for origin in origins)),
                certificates=nodes,
            )
    assert_never(finding)


def _results(finding: DivergenceFinding | ContradictionFinding) -> tuple[str, ...]:
    pairs = zip(finding.results, finding.origins, strict=True)
    return tuple(f"{result}  {origin}" for result, origin in pairs)
