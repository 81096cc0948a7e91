"""Who saw a head, and when: the cosignatures that give evidence its time.

A log's own times are its author's word. What dates a head is that owners other than its author cosigned it;
each is bound to his witness key by a certificate (`owners.Vouch`). Evidence needs two of them. That they are
independent for the reader is for the reader to say: he vouches for those whom he believes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from f2fbuild.errors import FormatError, LedgerError
from f2fbuild.ledger.cosignature import strip, verify_cosignature
from f2fbuild.ledger.evidence.owners import OwnedNode, Vouch, read_node
from f2fbuild.ledger.proof import Proof, format_proof
from f2fbuild.limits import EVIDENCE_WITNESSES
from f2fbuild.model.vkey import VerifierKey

COSIGNERS = 2
"""Owners besides the log's own who must have cosigned: one alone could lie about the time."""

_NAMES = tuple(f"witness-{number}" for number in range(1, EVIDENCE_WITNESSES + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigner:
    """A node whose witness key cosigned a head at `time` (unix seconds)."""

    node: OwnedNode
    time: int


def witness_parts(files: Sequence[bytes]) -> dict[str, bytes]:
    """Return the parts that hold the certificate files of those who cosigned, at most eight."""
    return dict(zip(_NAMES, files, strict=False))


def has_witnesses(names: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Return whether the part names are `others`, then those of two to eight witnesses, none left out."""
    found = names[len(others) :]
    return names[: len(others)] == others and len(found) >= COSIGNERS and found == _NAMES[: len(found)]


def cosigned_proof(proof: Proof, key: VerifierKey, nodes: Sequence[OwnedNode]) -> bytes:
    """Return the text of a tlog-proof with the signatures of the log and of these nodes' witnesses only.

    Raises:
        FormatError: the proof's checkpoint is malformed.
    """
    note = strip(proof.checkpoint, [key, *(node.witness for node in nodes)])
    return format_proof(Proof(index=proof.index, hashes=proof.hashes, checkpoint=note))


def cosigners(
    note: bytes,
    parts: Mapping[str, bytes],
    author: str,
    counts: Callable[[int], bool],
    vouch: Vouch,
    *,
    where: str,
) -> tuple[Cosigner, ...]:
    """Return those who cosigned `note` at a time that `counts`, one for each owner but the `author`.

    Raises:
        FormatError: a certificate is malformed, or its witness key did not cosign the note.
        LedgerError: fewer than two such owners.
    """
    found: dict[str, Cosigner] = {}
    keys: set[VerifierKey] = set()
    for name in _NAMES[: sum(one in parts for one in _NAMES)]:
        node = read_node(parts[name], where=f"{where}: {name}")
        if node.witness in keys:
            # Then the checkpoint would have room for a line that nobody looks at.
            raise FormatError("a witness that is named twice", where=f"{where}: {name}")
        keys.add(node.witness)
        time = verify_cosignature(note, node.witness, where=f"{where}: {name}")
        if node.owner != author and counts(time) and vouch(node):
            found.setdefault(node.owner, Cosigner(node=node, time=time))
    if len(found) < COSIGNERS:
        what = f"cosigned in that time by {len(found)} owners whom somebody here vouches for, not by two"
        raise LedgerError(what, where=where)
    return tuple(found.values())
