"""Evidence that two logs hold different results of one build. It accuses nobody by itself."""

from collections.abc import Mapping
from dataclasses import dataclass

from f2fbuild.errors import LedgerError
from f2fbuild.ledger.evidence.bound import SIDE_PARTS, SIDES, Side, bound_outcome, side_parts
from f2fbuild.ledger.evidence.text import format_parts
from f2fbuild.model.outcome import result_digest

KIND = "divergent-results"
PARTS = tuple(f"{name}-{letter}" for letter in SIDES for name in SIDE_PARTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class DivergenceFinding:
    """Proved: for one build key the two logs hold signed results with these differing digests."""

    build_key: str
    origins: tuple[str, str]
    results: tuple[str, str]


def format_divergence(sides: tuple[Side, Side]) -> bytes:
    """Return the evidence that two results of one build key differ.

    Raises:
        FormatError: a side is not made of a vkey and tlog-proofs of that log.
    """
    return format_parts(KIND, side_parts(sides))


def check_divergence(parts: Mapping[str, bytes], where: str) -> DivergenceFinding:
    """Return what the parts prove.

    Raises:
        FormatError: malformed, or a signature is bad.
        LedgerError: not two results of one build key, each in its log.
    """
    (log_a, a), (log_b, b) = (bound_outcome(parts, letter, where=where) for letter in SIDES)
    if log_a.key == log_b.key:
        raise LedgerError("both results are of one log", where=where)
    results = result_digest(a.result), result_digest(b.result)
    if a.definition.build_key != b.definition.build_key or results[0] == results[1]:
        raise LedgerError("not two results of one build key", where=where)
    return DivergenceFinding(
        build_key=a.definition.build_key, origins=(log_a.key.name, log_b.key.name), results=results
    )
