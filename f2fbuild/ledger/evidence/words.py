"""What a finding says, in words for people."""

from dataclasses import dataclass
from typing import assert_never

from f2fbuild.ledger.evidence.contradiction import ContradictionFinding, EpochFinding
from f2fbuild.ledger.evidence.cosigners import Cosigner
from f2fbuild.ledger.evidence.dated import DatedFinding
from f2fbuild.ledger.evidence.divergence import DivergenceFinding
from f2fbuild.ledger.evidence.equivocation import EquivocationFinding
from f2fbuild.ledger.evidence.findings import Finding
from f2fbuild.ledger.evidence.hidden import HiddenFinding
from f2fbuild.ledger.evidence.owners import OwnedNode
from f2fbuild.model.times import format_time


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
        case HiddenFinding(origin=origin, owner=owner, index=index, due=due):
            return Told(
                claim=f"the log {origin} has not closed what it accepted at {index}, due {format_time(due)}",
                against=owner,
                origins=(origin,),
                facts=(f"job {finding.job}", f"size {finding.size}", *_seen(finding.cosigners)),
                certificates=(finding.node, *(one.node for one in finding.cosigners)),
            )
        case DatedFinding(origin=origin, index=index, before=before):
            return Told(
                claim=f"the entry {index} of the log {origin} is older than {format_time(before)}",
                against="",
                origins=(origin,),
                facts=(f"sha256 {finding.entry}", *_seen(finding.cosigners)),
                certificates=(finding.node, *(one.node for one in finding.cosigners)),
            )
    assert_never(finding)


def _seen(cosigners: tuple[Cosigner, ...]) -> tuple[str, ...]:
    return tuple(f"seen {format_time(one.time)} by {one.node.node} of {one.node.owner}" for one in cosigners)


def _results(finding: DivergenceFinding | ContradictionFinding) -> tuple[str, ...]:
    pairs = zip(finding.results, finding.origins, strict=True)
    return tuple(f"{result}  {origin}" for result, origin in pairs)
