"""Checkpoints (C2SP tlog-checkpoint v1.0.0): the signed head of a log.

Three lines: origin, size in decimal, base64 of the root. Extension lines are refused: implementations differ
on them, and a head must have one reading.
"""

import re
from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.ledger.note import format_note, open_note, sign
from f2fbuild.limits import TREE_SIZE_BOUND
from f2fbuild.model.encoding import decode_base64, encode_base64
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.tree import EMPTY_ROOT, HASH_BYTES
from f2fbuild.model.vkey import KeyKind, VerifierKey, own_name, parse_vkey

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The head of the log `origin`: a tree of `size` leaves with the 32-byte `root`."""

    origin: str
    size: int
    root: bytes


def origin_of(log_public: bytes) -> str:
    """Return the origin of the log whose Ed25519 key has these 32 public bytes."""
    return own_name("log", log_public)


def log_vkey(log_public: bytes) -> VerifierKey:
    """Return the verifier key of a log: its name is its origin."""
    return VerifierKey(name=origin_of(log_public), kind=KeyKind.ED25519, public=log_public)


def parse_log_vkey(text: str, *, where: str = "log vkey") -> VerifierKey:
    """Return the key of a log of this network.

    Raises:
        FormatError: no vkey, or its name is not the origin that belongs to the key.
    """
    key = parse_vkey(text, where=where)
    if key != log_vkey(key.public):
        raise FormatError("the origin does not belong to this log key", where=where)
    return key


def parse_size(text: str, *, where: str = "size") -> int:
    """Return the number spelled by `text`: decimal, no sign, no leading zeros, below 2^53.

    Raises:
        FormatError: anything else.
    """
    if not _DECIMAL.fullmatch(text) or int(text) >= TREE_SIZE_BOUND:
        raise FormatError("not a decimal number in its one spelling", where=where)
    return int(text)


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """Return the text that is signed."""
    return f"{checkpoint.origin}\n{checkpoint.size}\n{encode_base64(checkpoint.root)}\n"


def parse_checkpoint(text: str, *, where: str = "checkpoint") -> Checkpoint:
    """Return the checkpoint that `text` spells.

    Raises:
        FormatError: not exactly the three lines, or an empty tree with a root that it cannot have.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:
        raise FormatError("not exactly origin, size and root", where=where)
    origin, size, root = lines[0], parse_size(lines[1], where=where), decode_base64(lines[2], where=where)
    if len(root) != HASH_BYTES or (size == 0 and root != EMPTY_ROOT):
        raise FormatError("not a root hash of such a tree", where=where)
    return Checkpoint(origin=origin, size=size, root=root)


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> bytes:
    """Return the note of a checkpoint, signed by the log's key under its origin."""
    return format_note(sign(format_checkpoint(checkpoint), checkpoint.origin, key))


def open_checkpoint(note: bytes, key: VerifierKey, *, where: str = "checkpoint") -> Checkpoint:
    """Return the checkpoint in `note`, which the log with this key must have signed.

    Raises:
        FormatError: malformed, not signed by the key, or of another origin than the key's name.
    """
    checkpoint = parse_checkpoint(open_note(note, [key], where=where).text, where=where)
    if checkpoint.origin != key.name:
        raise FormatError("of another origin than the key that signed it", where=where)
    return checkpoint


def strip_checkpoint(note: bytes, key: VerifierKey) -> bytes:
    """Return `note` with the log's own signature only: cosignatures show who knows whom.

    Raises:
        FormatError: as `open_checkpoint`.
    """
    open_checkpoint(note, key)
    return format_note(open_note(note, [key]))
