"""Proofs that an entry is in a log, in one text (C2SP tlog-proof).

c2sp.org/tlog-proof@v1
[extra base64]
index decimal
{base64 hash}

checkpoint, verbatim
"""

from dataclasses import dataclass

from f2fbuild.errors import FormatError, LedgerError
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint, parse_size
from f2fbuild.limits import PROOF_BYTES, PROOF_HASHES
from f2fbuild.model.encoding import decode_base64, encode_base64
from f2fbuild.model.tree import HASH_BYTES, leaf_hash, verify_inclusion
from f2fbuild.model.vkey import VerifierKey

_HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The audit path of the entry at `index` up to the root in the note `checkpoint`.

    `hashes` has 32 bytes each; `extra` is what the log says besides, empty when there is nothing.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""


def format_proof(proof: Proof) -> bytes:
    """Return the text of a proof."""
    lines = [_HEADER]
    if proof.extra:
        lines.append(f"extra {encode_base64(proof.extra)}")
    lines.append(f"index {proof.index}")
    lines.extend(encode_base64(value) for value in proof.hashes)
    return "\n".join(lines).encode() + b"\n\n" + proof.checkpoint


def parse_proof(data: bytes, *, where: str = "tlog-proof") -> Proof:
    """Return the proof in `data`; nothing is verified yet.

    Raises:
        FormatError: malformed, too long, or another spelling than `format_proof` gives.
    """
    head, separator, checkpoint = data.partition(b"\n\n")
    if len(data) > PROOF_BYTES or not separator or not head.isascii():
        raise FormatError("not a head, an empty line and a checkpoint", where=where)
    header, *lines = head.decode().split("\n")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra "), where=where)
    if header != _HEADER or not lines or not lines[0].startswith("index "):
        raise FormatError("not a tlog-proof with an index", where=where)
    index = parse_size(lines[0].removeprefix("index "), where=where)
    hashes = tuple(decode_base64(line, where=where) for line in lines[1:])
    if len(hashes) > PROOF_HASHES or any(len(value) != HASH_BYTES for value in hashes):
        raise FormatError(f"not up to {PROOF_HASHES} hashes", where=where)
    proof = Proof(index=index, hashes=hashes, checkpoint=checkpoint, extra=extra)
    if format_proof(proof) != data:
        raise FormatError("not the one spelling of a tlog-proof", where=where)
    return proof


def verify_proof(proof: Proof, entry: bytes, key: VerifierKey, *, where: str = "tlog-proof") -> Checkpoint:
    """Return the checkpoint under which `proof` shows `entry` in the log with this key.

    Raises:
        FormatError: the checkpoint is malformed or not signed by the log.
        LedgerError: the entry is not where the proof says.
    """
    checkpoint = open_checkpoint(proof.checkpoint, key, where=where)
    leaf = leaf_hash(entry)
    if not verify_inclusion(proof.index, checkpoint.size, leaf, proof.hashes, checkpoint.root):
        raise LedgerError("does not prove that this entry is in the log", where=where)
    return checkpoint
