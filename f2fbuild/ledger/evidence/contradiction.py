"""Evidence that an owner contradicts himself: two results of one build key, or two logs in one epoch.

The two results may stand in one log or in those of two nodes or epochs: record and votes belong to the
owner. That both certificates are the owner's is what GnuPG has to say (`owners.Vouch`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from f2fbuild.errors import LedgerError
from f2fbuild.ledger.evidence.bound import SIDE_PARTS, SIDES, Side, bound_outcome, side_parts
from f2fbuild.ledger.evidence.owners import OwnedNode, Vouch, vouched_node
from f2fbuild.ledger.evidence.text import format_parts
from f2fbuild.model.outcome import result_digest

KIND = "self-contradiction"
KIND_EPOCH = "repeated-epoch"
PARTS = tuple(f"{name}-{letter}" for letter in SIDES for name in SIDE_PARTS)
PARTS_EPOCH = tuple(f"certificate-{letter}" for letter in SIDES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContradictionFinding:
    """Proved, if both certificates of `nodes` are the owner's: he signed two results of one build key."""

    owner: str
    build_key: str
    origins: tuple[str, str]
    results: tuple[str, str]
    nodes: tuple[OwnedNode, OwnedNode]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochFinding:
    """Proved: the node with this statement key has two logs, `origins`, under one epoch number.

    That the node is `owner`'s stands in the certificates of `nodes`.
    """

    owner: str
    statements: str
    epoch: int
    origins: tuple[str, str]
    nodes: tuple[OwnedNode, OwnedNode]


def format_contradiction(sides: tuple[Side, Side]) -> bytes:
    """Return the evidence that two results of one owner differ.

    Raises:
        FormatError: a side is not made of a vkey and tlog-proofs of that log.
    """
    return format_parts(KIND, side_parts(sides))


def format_repeated_epoch(files: tuple[bytes, bytes]) -> bytes:
    """Return the evidence that two certificate files of a node name different logs in one epoch."""
    return format_parts(
        KIND_EPOCH, {f"certificate-{letter}": file for letter, file in zip(SIDES, files, strict=True)}
    )


def check_contradiction(parts: Mapping[str, bytes], vouch: Vouch, where: str) -> ContradictionFinding:
    """Return what the parts prove.

    Raises:
        FormatError: malformed, or a signature is bad.
        LedgerError: not two results of one owner for one build key.
    """
    (log_a, a), (log_b, b) = (bound_outcome(parts, letter, where=where) for letter in SIDES)
    node_a, node_b = (vouched_node(log.certificate, vouch, where=where) for log in (log_a, log_b))
    results = result_digest(a.result), result_digest(b.result)
    if a.definition.build_key != b.definition.build_key or results[0] == results[1]:
        raise LedgerError("not two results of one build key", where=where)
    if node_a.owner != node_b.owner:
        raise LedgerError("the two results are of two owners", where=where)
    return ContradictionFinding(
        owner=node_a.owner,
        build_key=a.definition.build_key,
        origins=(log_a.key.name, log_b.key.name),
        results=results,
        nodes=(node_a, node_b),
    )


def check_repeated_epoch(parts: Mapping[str, bytes], vouch: Vouch, where: str) -> EpochFinding:
    """Return what the parts prove.

    Raises:
        FormatError: malformed, or a key's proof does not hold.
        LedgerError: not one node with two logs in one epoch.
    """
    a, b = (
        vouched_node(parts[f"certificate-{letter}"], vouch, where=f"{where}: side {letter}")
        for letter in SIDES
    )
    if (a.owner, a.statements, a.epoch) != (b.owner, b.statements, b.epoch) or a.log == b.log:
        raise LedgerError("not two logs of one node in one epoch", where=where)
    return EpochFinding(
        owner=a.owner,
        statements=a.statements.hex(),
        epoch=a.epoch,
        origins=(a.log.name, b.log.name),
        nodes=(a, b),
    )
