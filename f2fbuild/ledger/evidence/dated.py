"""Evidence that an entry is older than a time, by the word of two owners other than its author.

Whoever has stolen a key can sign anything and date it back; he cannot make others have seen it. What two
owners cosigned before the key was lost is good, whatever comes after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from f2fbuild.ledger.checkpoint import parse_log_vkey, parse_size
from f2fbuild.ledger.evidence.bound import bare, bound_log
from f2fbuild.ledger.evidence.cosigners import Cosigner, cosigners, witness_parts
from f2fbuild.ledger.evidence.owners import OwnedNode, Vouch, vouched_node
from f2fbuild.ledger.evidence.text import ascii_text, bare_proof, format_parts
from f2fbuild.ledger.proof import verify_proof
from f2fbuild.model.digest import sha256_hex

KIND = "dated-before"
PARTS = ("log", "certificate", "certificate-proof", "entry", "entry-proof", "before")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedFinding:
    """Proved: the entry at `index`, with this SHA-256, was in the log before `before` (unix seconds)."""

    origin: str
    owner: str
    index: int
    entry: str
    before: int
    node: OwnedNode
    cosigners: tuple[Cosigner, ...]


def format_dated(
    log: str,
    certificate: tuple[bytes, bytes],
    entry: tuple[bytes, bytes],
    before: int,
    witnesses: Sequence[bytes],
) -> bytes:
    """Return the evidence that an entry is older than `before`.

    Args:
        log: the log's vkey.
        certificate: its entry 0 and the tlog-proof of that.
        entry: the entry and its tlog-proof, as `cosigned_proof` gives it.
        before: unix seconds.
        witnesses: the certificate files of those whose cosignatures the proof's checkpoint has.

    Raises:
        FormatError: a part is malformed.
    """
    parts = {
        "log": log.encode(),
        "certificate": certificate[0],
        "certificate-proof": bare(certificate[1], parse_log_vkey(log)),
        "entry": entry[0],
        "entry-proof": entry[1],
        "before": str(before).encode(),
    }
    return format_parts(KIND, {**parts, **witness_parts(witnesses)})


def check_dated(parts: Mapping[str, bytes], vouch: Vouch, where: str) -> DatedFinding:
    """Return what the parts prove.

    Raises:
        FormatError: malformed, or a signature is bad.
        LedgerError: fewer than two other owners cosigned it before that time.
    """
    log = bound_log(parts["log"], parts["certificate"], parts["certificate-proof"], where=where)
    node = vouched_node(log.certificate, vouch, where=where)
    before = parse_size(ascii_text(parts["before"], where=where), where=where)
    lines = 1 + len(parts) - len(PARTS)
    proof = bare_proof(parts["entry-proof"], log.key, lines=lines, where=where)
    verify_proof(proof, parts["entry"], log.key, where=where)
    seen = cosigners(proof.checkpoint, parts, node.owner, lambda time: time < before, vouch, where=where)
    return DatedFinding(
        origin=log.key.name,
        owner=node.owner,
        index=proof.index,
        entry=sha256_hex(parts["entry"]),
        before=before,
        node=node,
        cosigners=seen,
    )
