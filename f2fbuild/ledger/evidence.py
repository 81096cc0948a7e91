"""Evidence: a file by which anybody can convict a log or show that two builders differ, without our word.

A file is a head and parts:

    f2fbuild evidence v1 <kind>
    {<part name> <bytes of the part>}*

    the parts, one directly after the other

Nothing in it is believed: `check` verifies every signature and every proof, and computes every hash.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from f2fbuild.errors import FormatError, LedgerError
from f2fbuild.ledger.checkpoint import open_checkpoint, parse_log_vkey, parse_size
from f2fbuild.ledger.entry import NodeCertificate, Outcome, certificate_keys, decode, read
from f2fbuild.ledger.proof import parse_proof, verify_proof
from f2fbuild.limits import EVIDENCE_BYTES, EVIDENCE_PARTS, PROOF_HASHES
from f2fbuild.model import statement
from f2fbuild.model.encoding import decode_base64, encode_base64
from f2fbuild.model.envelope import unseal
from f2fbuild.model.outcome import result_digest
from f2fbuild.model.tree import HASH_BYTES, verify_consistency

EQUIVOCATION = "equivocation"
DIVERGENCE = "divergent-results"
_MAGIC = "f2fbuild evidence v1 "
_SIDES = ("a", "b")
_SIDE_PARTS = ("log", "certificate", "certificate-proof", "outcome", "outcome-proof", "products")


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
class EquivocationFinding:
    """Proved: the log `origin` signed two heads, of these sizes, that cannot both be true."""

    origin: str
    log: str
    sizes: tuple[int, int]
    roots: tuple[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class DivergenceFinding:
    """Proved: for one build key the two logs hold signed results with these differing digests."""

    build_key: str
    origins: tuple[str, str]
    results: tuple[str, str]


def format_equivocation(
    log: str, old: bytes, new: bytes, prefix_root: bytes = b"", proof: tuple[bytes, ...] = ()
) -> bytes:
    """Return the evidence that two heads of a log contradict.

    Args:
        log: the log's vkey.
        old: the note of the smaller head (either one, when the sizes are equal).
        new: the note of the other.
        prefix_root: for unequal sizes, the root that the new tree has at the old size.
        proof: for unequal sizes, the consistency proof from (old size, prefix_root) to the new head.
    """
    parts = {"log": log.encode(), "old": old, "new": new}
    if prefix_root:
        hashes = (prefix_root, *proof)
        parts["consistency"] = "".join(f"{encode_base64(value)}\n" for value in hashes).encode()
    return _format(EQUIVOCATION, parts)


def format_divergence(sides: tuple[Side, Side]) -> bytes:
    """Return the evidence that two results of one build key differ."""
    parts: dict[str, bytes] = {}
    for letter, side in zip(_SIDES, sides, strict=True):
        fields = (
            side.log.encode(),
            side.certificate,
            side.certificate_proof,
            side.outcome,
            side.outcome_proof,
            side.products,
        )
        parts.update({f"{name}-{letter}": data for name, data in zip(_SIDE_PARTS, fields, strict=True)})
    return _format(DIVERGENCE, parts)


def check(data: bytes, *, where: str = "evidence") -> EquivocationFinding | DivergenceFinding:
    """Return what the evidence in `data` proves.

    Raises:
        FormatError: malformed, or a signature in it is bad.
        LedgerError: well formed, but it proves nothing.
    """
    kind, parts = _parse(data, where)
    names = sorted(parts)
    if kind == EQUIVOCATION and names in (["log", "new", "old"], ["consistency", "log", "new", "old"]):
        return _check_equivocation(parts, where)
    if kind == DIVERGENCE and names == sorted(
        f"{name}-{letter}" for name in _SIDE_PARTS for letter in _SIDES
    ):
        return _check_divergence(parts, where)
    raise FormatError("not evidence of a known kind", where=where)


def _check_equivocation(parts: Mapping[str, bytes], where: str) -> EquivocationFinding:
    log = _text(parts["log"], where)
    key = parse_log_vkey(log, where=where)
    old, new = (open_checkpoint(parts[name], key, where=f"{where}: {name}") for name in ("old", "new"))
    if old.size == new.size:
        contradicts = old.root != new.root and "consistency" not in parts
    else:
        prefix_root, *proof = _parse_hashes(parts.get("consistency", b""), where)
        proved = verify_consistency(old.size, new.size, prefix_root, new.root, proof)
        contradicts = proved and prefix_root != old.root
    if not contradicts:
        raise LedgerError("the two heads do not contradict each other", where=where)
    return EquivocationFinding(
        origin=key.name, log=log, sizes=(old.size, new.size), roots=(old.root, new.root)
    )


def _check_divergence(parts: Mapping[str, bytes], where: str) -> DivergenceFinding:
    sides = [_check_side(parts, letter, f"{where}: side {letter}") for letter in _SIDES]
    (a, b) = sides
    results = result_digest(a.result), result_digest(b.result)
    if a.definition.build_key != b.definition.build_key or results[0] == results[1]:
        raise LedgerError("not two results of one build key", where=where)
    return DivergenceFinding(build_key=a.definition.build_key, origins=(a.origin, b.origin), results=results)


def _check_side(parts: Mapping[str, bytes], letter: str, where: str) -> statement.BuildStatement:
    side = {name: parts[f"{name}-{letter}"] for name in _SIDE_PARTS}
    # 1. Entry 0 is in the log and names the log and the statement key that signed it.
    log = _text(side["log"], where)
    key = parse_log_vkey(log, where=where)
    proof = parse_proof(side["certificate-proof"], where=where)
    verify_proof(proof, side["certificate"], key, where=where)
    envelope = unseal(side["certificate"], where=where)
    certificate = decode(envelope.payload_type, envelope.payload, where=where).payload
    if proof.index != 0 or not isinstance(certificate, NodeCertificate):
        raise LedgerError("entry 0 is not a node certificate", where=where)
    keys = certificate_keys(certificate, where=where)
    if (keys.log, keys.statements) != (log, envelope.public):
        raise LedgerError("the certificate is of another log or statement key", where=where)
    # 2. The outcome is in the same log, signed by that key, and speaks for that log.
    verify_proof(parse_proof(side["outcome-proof"], where=where), side["outcome"], key, where=where)
    outcome = read(side["outcome"], keys.statements, where=where).payload
    if not isinstance(outcome, Outcome):
        raise LedgerError("not an outcome", where=where)
    build = statement.decode(outcome.statement, side["products"], where=where)
    if build.origin != key.name:
        raise LedgerError("the statement names another log", where=where)
    return build


def _format(kind: str, parts: Mapping[str, bytes]) -> bytes:
    head = "".join(f"{name} {len(data)}\n" for name, data in parts.items())
    return f"{_MAGIC}{kind}\n{head}\n".encode() + b"".join(parts.values())


def _parse(data: bytes, where: str) -> tuple[str, Mapping[str, bytes]]:
    head, separator, body = data.partition(b"\n\n")
    if len(data) > EVIDENCE_BYTES or not separator:
        raise FormatError("not a head and parts", where=where)
    magic, *lines = _text(head, where).split("\n")
    if not magic.startswith(_MAGIC) or len(lines) > EVIDENCE_PARTS:
        raise FormatError("not f2fbuild evidence", where=where)
    parts: dict[str, bytes] = {}
    at = 0
    for line in lines:
        name, _, size = line.partition(" ")
        end = at + parse_size(size, where=where)
        parts[name], at = body[at:end], end
    kind = magic.removeprefix(_MAGIC)
    if _format(kind, parts) != data:
        raise FormatError("the parts are not as long as the head says", where=where)
    return kind, parts


def _parse_hashes(data: bytes, where: str) -> list[bytes]:
    *lines, rest = _text(data, where).split("\n")
    hashes = [decode_base64(line, where=where) for line in lines]
    if rest or not 1 <= len(hashes) <= PROOF_HASHES + 1 or any(len(value) != HASH_BYTES for value in hashes):
        raise FormatError("not a prefix root and consistency hashes", where=where)
    return hashes


def _text(data: bytes, where: str) -> str:
    if not data.isascii():
        raise FormatError("not ASCII text", where=where)
    return data.decode()
