"""What a new head of a followed log means: a fold over heads, without I/O.

    the head followed so far + a note + (if asked for) a consistency proof → a decision

Two heads of one log contradict when one is no prefix of the other. Only the log's own signatures can convict
it: whatever else is wrong with a note or with the data served for it accuses whoever served it, and is a
`Violation`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from f2fbuild.errors import FormatError
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint, strip_checkpoint
from f2fbuild.ledger.evidence import format_equivocation
from f2fbuild.model.tree import verify_consistency
from f2fbuild.model.vkey import VerifierKey, format_vkey


class Reason(StrEnum):
    """What was wrong with what a peer served."""

    NOT_A_HEAD = "not-a-head"
    """The note is malformed or not signed by the log."""
    BAD_PROOF = "bad-proof"
    """The consistency proof, or the tiles it was to come from, do not belong to the signed head."""
    BAD_ENTRIES = "bad-entries"
    """The entries do not make the tree that was signed."""
    TOO_LARGE = "too-large"
    """One advance of more bytes than a mirror takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """The root that the larger tree has at the smaller size, and the proof from there to its head."""

    prefix_root: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """The log has grown; this is the head to follow from now on."""

    head: Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """The head is the one followed already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Older:
    """The head is an earlier state of the log followed."""

    head: Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsConsistency:
    """Ask again with the consistency of these two sizes in the larger of the two trees."""

    old: int
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivocation:
    """The log signed two heads that cannot both be true; `evidence` is the file that proves it."""

    evidence: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """What was served cannot be used, and nothing is known of the log; `detail` is for people."""

    reason: Reason
    detail: str


Decision: TypeAlias = Advanced | Unchanged | Older | NeedsConsistency | Equivocation | Violation


Opened: TypeAlias = Callable[[bytes, VerifierKey], Checkpoint]
"""`open_checkpoint`, or what stands for it where the same notes are opened again and again."""


def judge(
    key: VerifierKey,
    followed: bytes,
    note: bytes,
    consistency: Consistency | None = None,
    opened: Opened = open_checkpoint,
) -> Decision:
    """Return what `note` means for who follows the log of `key`.

    Args:
        key: the log's key.
        followed: the note followed so far (verified when it was taken), empty before the first.
        note: the note that came.
        consistency: what an earlier `NeedsConsistency` asked for.
        opened: checks a note's signature and returns what it says.
    """
    try:
        head = opened(note, key)
    except FormatError as error:
        return Violation(reason=Reason.NOT_A_HEAD, detail=str(error))
    if not followed:
        return Advanced(head=head)
    known = opened(followed, key)
    if head == known:
        return Unchanged()
    if head.size == known.size:
        return _equivocation(key, followed, note)
    if head.size > known.size:
        return _compare(key, (known, followed), (head, note), consistency, Advanced(head=head))
    return _compare(key, (head, note), (known, followed), consistency, Older(head=head))


def _compare(
    key: VerifierKey,
    smaller: tuple[Checkpoint, bytes],
    larger: tuple[Checkpoint, bytes],
    consistency: Consistency | None,
    agreed: Advanced | Older,
) -> Decision:
    (old, old_note), (new, new_note) = smaller, larger
    if old.size == 0:
        return agreed
    if consistency is None:
        return NeedsConsistency(old=old.size, new=new.size)
    prefix_root, hashes = consistency.prefix_root, consistency.hashes
    if not verify_consistency(old.size, new.size, prefix_root, new.root, hashes):
        return Violation(reason=Reason.BAD_PROOF, detail=f"from size {old.size} to {new.size}")
    if prefix_root == old.root:
        return agreed
    return _equivocation(key, old_note, new_note, consistency)


def _equivocation(
    key: VerifierKey, old: bytes, new: bytes, consistency: Consistency | None = None
) -> Equivocation:
    notes = strip_checkpoint(old, key), strip_checkpoint(new, key)
    if consistency is None:
        return Equivocation(evidence=format_equivocation(format_vkey(key), *notes))
    evidence = format_equivocation(format_vkey(key), *notes, consistency.prefix_root, consistency.hashes)
    return Equivocation(evidence=evidence)
