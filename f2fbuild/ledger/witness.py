"""What a witness answers: one decision from a request, what it cosigned before, and the time.

The rules of C2SP tlog-witness v1.0.0 and two of our own: a log that signed two heads of one size is refused
for ever, and both notes are kept; a clock behind one's own last cosignature signs nothing. A mirror's key
cosigns by the same decision, once what it cosigns is held durably.

    request + keys trusted for the origin + what was cosigned last + now → Cosign or Refused

Nothing is signed here. Whoever does it stores `Cosign.witnessed` durably first, in one step with the reading
of what was stored (`ledger.cosigner`).
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from f2fbuild.errors import FormatError
from f2fbuild.ledger.add_checkpoint import AddCheckpoint
from f2fbuild.ledger.checkpoint import Checkpoint, parse_checkpoint
from f2fbuild.ledger.note import format_note, open_note
from f2fbuild.model.tree import verify_consistency
from f2fbuild.model.vkey import VerifierKey


class Refusal(Enum):
    """Why a head is not cosigned."""

    UNKNOWN_ORIGIN = "unknown-origin"
    """No key is trusted here for this log."""
    MALFORMED = "malformed"
    """The note holds no checkpoint in its one spelling."""
    UNTRUSTED = "untrusted"
    """No signature by a trusted key, or a bad one."""
    OLD_IS_NEWER = "old-is-newer"
    """The request proves that a larger tree came before a smaller one."""
    CLOCK_BEHIND = "clock-behind"
    """Here it is earlier than when something was cosigned last: a cosignature's time would be untrue."""
    FORKED = "forked"
    """The log signed two heads of one size."""
    CONFLICT = "conflict"
    """Another size was cosigned last than the request starts from."""
    BAD_PROOF = "bad-proof"
    """The proof does not lead from the head that was cosigned last to this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """The newest head of one log that was cosigned, in a note with the log's own signatures only.

    `fork` is, once the log has signed another head of that size, the note of it; empty before.
    """

    head: Checkpoint
    note: bytes
    fork: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosign:
    """Store `witnessed`, then cosign `text` with the time `at` (unix seconds)."""

    witnessed: Witnessed
    text: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No. `size` is that of the head cosigned last, 0 before the first.

    `forked` is what must be stored in the place of what was: evidence that is never given up.
    """

    refusal: Refusal
    size: int = 0
    forked: Witnessed | None = None


Answer: TypeAlias = Cosign | Refused


def decide(
    request: AddCheckpoint,
    keys: Collection[VerifierKey],
    witnessed: Witnessed | None,
    *,
    last: int,
    now: int,
) -> Answer:
    """Return whether the head in `request` is cosigned.

    Args:
        request: what was asked.
        keys: the keys trusted for the request's origin.
        witnessed: what was cosigned last of this log, None before the first.
        last: the time of the last cosignature under this key, of any log; 0 before the first.
        now: unix seconds.
    """
    size = witnessed.head.size if witnessed else 0
    opened = _open(request.note, keys)
    if isinstance(opened, Refusal):
        return Refused(refusal=opened, size=size)
    # From here on the log itself has said it.
    text, new = opened
    if witnessed and not witnessed.fork and _contradict(witnessed.head, new.head):
        return Refused(refusal=Refusal.FORKED, size=size, forked=replace(witnessed, fork=new.note))
    checks = (
        (Refusal.FORKED, witnessed is not None and witnessed.fork != b""),
        (Refusal.OLD_IS_NEWER, request.old > new.head.size),
        (Refusal.CONFLICT, request.old != size),
        (Refusal.BAD_PROOF, not _continues(witnessed, new.head, request.proof)),
        (Refusal.CLOCK_BEHIND, now < last),
    )
    for refusal, holds in checks:
        if holds:
            return Refused(refusal=refusal, size=size)
    return Cosign(witnessed=new, text=text, at=now)


def _open(note: bytes, keys: Collection[VerifierKey]) -> Refusal | tuple[str, Witnessed]:
    """Return the text and the head that one of `keys` signed, or why there is none."""
    if not keys:
        return Refusal.UNKNOWN_ORIGIN
    try:
        text = note.rpartition(b"\n\n")[0].decode() + "\n"
        head = parse_checkpoint(text)
    except (FormatError, UnicodeDecodeError):
        return Refusal.MALFORMED
    try:
        signed = format_note(open_note(note, list(keys)))
    except FormatError:
        return Refusal.UNTRUSTED
    return text, Witnessed(head=head, note=signed)


def _contradict(one: Checkpoint, other: Checkpoint) -> bool:
    return one.size == other.size and one.root != other.root


def _continues(witnessed: Witnessed | None, head: Checkpoint, proof: tuple[bytes, ...]) -> bool:
    if witnessed is None or witnessed.head.size == 0:
        # Every tree continues the empty one, and there is nothing to prove it with.
        return not proof
    old = witnessed.head
    return verify_consistency(old.size, head.size, old.root, head.root, proof)
