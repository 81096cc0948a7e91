"""Evidence: a text file by which anybody can convict a log or an owner, without our word.

Nothing in a file is believed: `check` verifies every signature and every proof, and computes every hash. The
one thing that it cannot do is to verify OpenPGP signatures: findings that name an owner carry the
certificates that they rest on, and a `Vouch` tells which of them the reader knows to be good.
"""

from f2fbuild.errors import FormatError
from f2fbuild.ledger.evidence import contradiction, dated, divergence, equivocation, hidden
from f2fbuild.ledger.evidence.bound import Side
from f2fbuild.ledger.evidence.contradiction import (
    ContradictionFinding,
    EpochFinding,
    format_contradiction,
    format_repeated_epoch,
)
from f2fbuild.ledger.evidence.cosigners import COSIGNERS, Cosigner, cosigned_proof, has_witnesses
from f2fbuild.ledger.evidence.dated import DatedFinding, format_dated
from f2fbuild.ledger.evidence.divergence import DivergenceFinding, format_divergence
from f2fbuild.ledger.evidence.equivocation import EquivocationFinding, format_equivocation
from f2fbuild.ledger.evidence.findings import Finding
from f2fbuild.ledger.evidence.hidden import HiddenFinding, due, format_hidden
from f2fbuild.ledger.evidence.owners import OwnedNode, Vouch, read_node, unvouched
from f2fbuild.ledger.evidence.text import parse_parts
from f2fbuild.ledger.evidence.words import Told, tell

__all__ = [
    "COSIGNERS",
    "KINDS",
    "ContradictionFinding",
    "Cosigner",
    "DatedFinding",
    "DivergenceFinding",
    "EpochFinding",
    "EquivocationFinding",
    "Finding",
    "HiddenFinding",
    "OwnedNode",
    "Side",
    "Told",
    "Vouch",
    "check",
    "cosigned_proof",
    "due",
    "format_contradiction",
    "format_dated",
    "format_divergence",
    "format_equivocation",
    "format_hidden",
    "format_repeated_epoch",
    "kind_of",
    "read_node",
    "tell",
    "unvouched",
]

KINDS = (
    equivocation.KIND,
    divergence.KIND,
    contradiction.KIND,
    contradiction.KIND_EPOCH,
    hidden.KIND,
    dated.KIND,
)
"""What evidence can be of, as it stands in a file's first line."""


def check(data: bytes, *, vouch: Vouch = unvouched, where: str = "evidence") -> Finding:
    """Return what the evidence in `data` proves.

    Args:
        data: the file.
        vouch: says of a certificate whether the reader knows that its owner signed it.
        where: what to name in errors.

    Raises:
        FormatError: malformed, or a signature in it is bad.
        LedgerError: well formed, but it proves nothing, or not to this reader.
    """
    kind, parts = parse_parts(data, where=where)
    names = tuple(parts)
    match kind, names:
        case equivocation.KIND, equivocation.PARTS | equivocation.PARTS_ACROSS:
            return equivocation.check_equivocation(parts, where)
        case divergence.KIND, divergence.PARTS:
            return divergence.check_divergence(parts, where)
        case contradiction.KIND, contradiction.PARTS:
            return contradiction.check_contradiction(parts, vouch, where)
        case contradiction.KIND_EPOCH, contradiction.PARTS_EPOCH:
            return contradiction.check_repeated_epoch(parts, vouch, where)
        case hidden.KIND, _ if has_witnesses(names, hidden.PARTS):
            return hidden.check_hidden(parts, vouch, where)
        case dated.KIND, _ if has_witnesses(names, dated.PARTS):
            return dated.check_dated(parts, vouch, where)
        case _:
            raise FormatError("not evidence of a known kind", where=where)


def kind_of(data: bytes, *, where: str = "evidence") -> str:
    """Return the kind that a file of evidence says it is of.

    Raises:
        FormatError: malformed.
    """
    return parse_parts(data, where=where)[0]
