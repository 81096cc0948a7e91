"""Entries bound to a log and to the statement key that the log's entry 0 names: what convictions rest on."""

from collections.abc import Mapping
from dataclasses import dataclass

from f2fbuild.errors import LedgerError
from f2fbuild.ledger.checkpoint import parse_log_vkey, strip_checkpoint
from f2fbuild.ledger.entry import NodeCertificate, Outcome, certificate_keys, decode, read
from f2fbuild.ledger.evidence.text import ascii_text, bare_proof
from f2fbuild.ledger.proof import Proof, format_proof, parse_proof, verify_proof
from f2fbuild.model import statement
from f2fbuild.model.envelope import unseal
from f2fbuild.model.vkey import VerifierKey

SIDES = ("a", "b")
SIDE_PARTS = ("log", "certificate", "certificate-proof", "outcome", "outcome-proof", "products")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One builder's result and what binds it to the builder's log.

    `log` is the log's vkey, `certificate` entry 0, `outcome` the outcome's entry, each with its tlog-proof,
    and `products` is the blob `products.json` when the statement names one, else empty.
    """

    log: str
    certificate: bytes
    certificate_proof: bytes
    outcome: bytes
    outcome_proof: bytes
    products: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundLog:
    """A log whose entry 0 is proved: `certificate` is the file in it, `statements` the key that it names."""

    key: VerifierKey
    certificate: bytes
    statements: bytes


def side_parts(sides: tuple[Side, Side]) -> dict[str, bytes]:
    """Return the parts of two sides, their proofs without what nobody needs to see."""
    parts: dict[str, bytes] = {}
    for letter, side in zip(SIDES, sides, strict=True):
        key = parse_log_vkey(side.log)
        fields = (
            side.log.encode(),
            side.certificate,
            bare(side.certificate_proof, key),
            side.outcome,
            bare(side.outcome_proof, key),
            side.products,
        )
        parts.update({f"{name}-{letter}": data for name, data in zip(SIDE_PARTS, fields, strict=True)})
    return parts


def bare(proof: bytes, key: VerifierKey) -> bytes:
    """Return a tlog-proof without its extra line and cosignatures: those show who knows whom."""
    parsed = parse_proof(proof)
    note = strip_checkpoint(parsed.checkpoint, key)
    return format_proof(Proof(index=parsed.index, hashes=parsed.hashes, checkpoint=note))


def bound_log(log: bytes, entry: bytes, proof: bytes, *, where: str) -> BoundLog:
    """Return the log that `entry`, its first by `proof`, binds to a statement key.

    Raises:
        FormatError: malformed, or a signature is bad.
        LedgerError: the entry is not the certificate of this log at its index 0.
    """
    vkey = ascii_text(log, where=where)
    key = parse_log_vkey(vkey, where=where)
    shown = bare_proof(proof, key, where=where)
    verify_proof(shown, entry, key, where=where)
    envelope = unseal(entry, where=where)
    certificate = decode(envelope.payload_type, envelope.payload, where=where).payload
    if shown.index != 0 or not isinstance(certificate, NodeCertificate):
        raise LedgerError("entry 0 is not a node certificate", where=where)
    keys = certificate_keys(certificate, where=where)
    if (keys.log, keys.statements) != (vkey, envelope.public):
        raise LedgerError("the certificate is of another log or statement key", where=where)
    return BoundLog(key=key, certificate=certificate.text, statements=keys.statements)


def bound_outcome(
    parts: Mapping[str, bytes], letter: str, *, where: str
) -> tuple[BoundLog, statement.BuildStatement]:
    """Return the log of one side and the statement that it holds.

    Raises:
        FormatError: malformed, or a signature is bad.
        LedgerError: well formed, but the log does not hold such a statement of its node.
    """
    side = {name: parts[f"{name}-{letter}"] for name in SIDE_PARTS}
    where = f"{where}: side {letter}"
    # 1. Entry 0 is in the log and names the log and the statement key that signed it.
    log = bound_log(side["log"], side["certificate"], side["certificate-proof"], where=where)
    # 2. The outcome is in the same log, signed by that key, and speaks for that log.
    proof = bare_proof(side["outcome-proof"], log.key, where=where)
    verify_proof(proof, side["outcome"], log.key, where=where)
    outcome = read(side["outcome"], log.statements, where=where).payload
    if not isinstance(outcome, Outcome):
        raise LedgerError("not an outcome", where=where)
    build = statement.decode(outcome.statement, side["products"], where=where)
    if build.origin != log.key.name:
        raise LedgerError("the statement names another log", where=where)
    return log, build
