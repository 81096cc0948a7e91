"""Evidence that a log signed two heads which cannot both be true, at one size or across sizes."""

from collections.abc import Mapping
from dataclasses import dataclass

from f2fbuild.errors import FormatError, LedgerError
from f2fbuild.ledger.checkpoint import open_checkpoint, parse_log_vkey
from f2fbuild.ledger.evidence.text import ascii_text, bare_note, format_parts
from f2fbuild.limits import PROOF_HASHES
from f2fbuild.model.encoding import decode_base64, encode_base64
from f2fbuild.model.tree import HASH_BYTES, verify_consistency

KIND = "equivocation"
PARTS = ("log", "old", "new")
PARTS_ACROSS = (*PARTS, "consistency")
"""The parts when the two heads have unequal sizes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivocationFinding:
    """Proved: the log `origin` signed two heads, of these sizes, that cannot both be true."""

    origin: str
    log: str
    sizes: tuple[int, int]
    roots: tuple[bytes, bytes]


def format_equivocation(
    log: str, old: bytes, new: bytes, prefix_root: bytes = b"", proof: tuple[bytes, ...] = ()
) -> bytes:
    """Return the evidence that two heads of a log contradict.

    Args:
        log: the log's vkey.
        old: the note of the smaller head (either one, when the sizes are equal), signed by the log only.
        new: the note of the other, likewise.
        prefix_root: for unequal sizes, the root that the new tree has at the old size.
        proof: for unequal sizes, the consistency proof from (old size, prefix_root) to the new head.
    """
    parts = {"log": log.encode(), "old": old, "new": new}
    if prefix_root:
        hashes = (prefix_root, *proof)
        parts["consistency"] = "".join(f"{encode_base64(value)}\n" for value in hashes).encode()
    return format_parts(KIND, parts)


def check_equivocation(parts: Mapping[str, bytes], where: str) -> EquivocationFinding:
    """Return what the parts prove.

    Raises:
        FormatError: malformed, or a signature is bad.
        LedgerError: the heads can both be true.
    """
    log = ascii_text(parts["log"], where=where)
    key = parse_log_vkey(log, where=where)
    old, new = (open_checkpoint(parts[name], key, where=f"{where}: {name}") for name in ("old", "new"))
    for name in ("old", "new"):
        bare_note(parts[name], key, where=f"{where}: {name}")
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


def _parse_hashes(data: bytes, where: str) -> list[bytes]:
    *lines, rest = ascii_text(data, where=where).split("\n")
    hashes = [decode_base64(line, where=where) for line in lines]
    if rest or not 1 <= len(hashes) <= PROOF_HASHES + 1 or any(len(value) != HASH_BYTES for value in hashes):
        raise FormatError("not a prefix root and consistency hashes", where=where)
    return hashes
