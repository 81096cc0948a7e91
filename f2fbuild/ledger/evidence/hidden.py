"""Evidence that a promise was not kept: an acceptance that nothing closed, long after it was due.

The checkpoint under which the acceptance is proved is one that two owners cosigned, as the newest that they
knew, more than a week after the due time; all entries from the acceptance to that head are in the file, and
their hashes make the signed root. It shows what those two saw. If the author showed them less than others,
the log has forked or is answered by a proof of the entry that closes it, dated by cosignatures of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from f2fbuild.errors import FormatError, LedgerError
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint, parse_log_vkey
from f2fbuild.ledger.commitment import opening_of
from f2fbuild.ledger.entry import Acceptance, Closing, Outcome, decode, read
from f2fbuild.ledger.evidence.bound import bare, bound_log
from f2fbuild.ledger.evidence.cosigners import Cosigner, cosigners, witness_parts
from f2fbuild.ledger.evidence.owners import OwnedNode, Vouch, vouched_node
from f2fbuild.ledger.evidence.text import bare_proof, format_parts
from f2fbuild.ledger.proof import Proof, verify_proof
from f2fbuild.ledger.tiles import decode_bundle, encode_bundle
from f2fbuild.limits import HIDDEN_GRACE_SECONDS, HIDDEN_SPAN_BYTES
from f2fbuild.model.envelope import unseal
from f2fbuild.model.tree import Frontier, leaf_hash
from f2fbuild.model.vkey import VerifierKey

KIND = "hidden-result"
PARTS = ("log", "certificate", "certificate-proof", "acceptance-proof", "entries")


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenFinding:
    """Proved: what the log accepted at `index` was due at `due` and not closed in its head of `size` entries.

    `cosigners` saw that head as its newest, all of them a week after `due` or later; `node` is the author.
    """

    origin: str
    owner: str
    job: str
    index: int
    due: int
    size: int
    node: OwnedNode
    cosigners: tuple[Cosigner, ...]


def due(acceptance: Acceptance) -> int:
    """Return the unix second after which an acceptance that nothing closed is a broken promise."""
    return max(acceptance.deadline, acceptance.reveal_by) + HIDDEN_GRACE_SECONDS


def format_hidden(
    log: str,
    certificate: tuple[bytes, bytes],
    acceptance_proof: bytes,
    entries: Sequence[bytes],
    witnesses: Sequence[bytes],
) -> bytes:
    """Return the evidence that a result is hidden.

    Args:
        log: the log's vkey.
        certificate: its entry 0 and the tlog-proof of that.
        acceptance_proof: the tlog-proof of the acceptance, as `cosigned_proof` gives it.
        entries: all entries from the acceptance to the end of the tree that the proof names.
        witnesses: the certificate files of those whose cosignatures the proof's checkpoint has.

    Raises:
        FormatError: a part is malformed, or the entries have more than 8 MiB.
    """
    entry, proof = certificate
    span = encode_bundle(entries)
    if len(span) > HIDDEN_SPAN_BYTES:
        raise FormatError(f"more than {HIDDEN_SPAN_BYTES} bytes of entries", where="evidence")
    parts = {
        "log": log.encode(),
        "certificate": entry,
        "certificate-proof": bare(proof, parse_log_vkey(log)),
        "acceptance-proof": acceptance_proof,
        "entries": span,
    }
    return format_parts(KIND, {**parts, **witness_parts(witnesses)})


def check_hidden(parts: Mapping[str, bytes], vouch: Vouch, where: str) -> HiddenFinding:
    """Return what the parts prove.

    Raises:
        FormatError: malformed, or a signature is bad.
        LedgerError: the promise is kept, or not yet due as far as anybody cosigned.
    """
    # 1. Entry 0 names the statement key and, through its owner's signature, the owner.
    log = bound_log(parts["log"], parts["certificate"], parts["certificate-proof"], where=where)
    node = vouched_node(log.certificate, vouch, where=where)
    # 2. The entries from the acceptance on are those of the signed tree.
    lines = 1 + len(parts) - len(PARTS)
    proof = bare_proof(parts["acceptance-proof"], log.key, lines=lines, where=where)
    head, entries = _span(proof, parts["entries"], log.key, where)
    acceptance = read(entries[0], log.statements, where=where).payload
    if not isinstance(acceptance, Acceptance):
        raise LedgerError("not an acceptance", where=where)
    # 3. None of them closes it.
    for number, entry in enumerate(entries[1:], proof.index + 1):
        if _closes(entry, log.statements, proof.index, f"{where}: entry {number}"):
            raise LedgerError(f"entry {number} closes the acceptance", where=where)
    # 4. Two other owners saw this head as the newest when it was due for a week.
    seen = cosigners(
        proof.checkpoint, parts, node.owner, lambda time: time > due(acceptance), vouch, where=where
    )
    return HiddenFinding(
        origin=log.key.name,
        owner=node.owner,
        job=acceptance.job,
        index=proof.index,
        due=due(acceptance) - HIDDEN_GRACE_SECONDS,
        size=head.size,
        node=node,
        cosigners=seen,
    )


def _span(proof: Proof, data: bytes, key: VerifierKey, where: str) -> tuple[Checkpoint, tuple[bytes, ...]]:
    """Return the head and the entries from the proof's index on, their hashes computed up to the root."""
    if len(data) > HIDDEN_SPAN_BYTES:
        raise FormatError(f"more than {HIDDEN_SPAN_BYTES} bytes of entries", where=where)
    head = open_checkpoint(proof.checkpoint, key, where=where)
    entries = decode_bundle(data, max(0, head.size - proof.index), where=where)
    if not entries:
        raise LedgerError("no entries from the acceptance on", where=where)
    verify_proof(proof, entries[0], key, where=where)
    frontier = Frontier(size=proof.index, hashes=_left(proof, head.size))
    for entry in entries:
        frontier, _ = frontier.push(leaf_hash(entry))
    if frontier.root != head.root:
        raise LedgerError("the entries do not make the signed root", where=where)
    return head, entries


def _left(proof: Proof, size: int) -> tuple[bytes, ...]:
    """Return the hashes of a verified audit path that cover what is left of its leaf, largest first."""
    index, found = proof.index, []
    for value in reversed(proof.hashes):
        half = 1 << (size - 1).bit_length() - 1
        if index >= half:
            found.append(value)
            index, size = index - half, size - half
        else:
            size = half
    return tuple(found)


def _closes(entry: bytes, statements: bytes, index: int, where: str) -> bool:
    """Return whether an entry closes the acceptance at `index`.

    Raises:
        FormatError: its node signed it, and this version cannot read it: it might be the closing.
    """
    try:
        envelope = unseal(entry, public=statements, where=where)
    except FormatError:
        # Not by this node: it can close nothing.
        return False
    match decode(envelope.payload_type, envelope.payload, where=where).payload:
        case Closing(acceptance=closed):
            return closed == index
        case Outcome() as outcome:
            return opening_of(outcome, where=where).acceptance == index
        case _:
            return False
