"""The heads that a node had seen, sealed: dated by its own log, and yet telling nobody whose logs it follows.

The list is a blob, canonical JSON `{"heads": [{"origin", "root", "size"}, …], "salt", "schema", "time"}` with
the heads sorted by origin; the entry holds SHA-256(salt ‖ blob). Whoever is given the blob checks it against
the entry; once the blob is deleted, nobody can even test a guess.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from f2fbuild.errors import FormatError, LedgerError
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.commitment import SALT_BYTES, salted
from f2fbuild.ledger.entry import SeenHeads
from f2fbuild.limits import SEEN_HEADS, SEEN_HEADS_BYTES, TREE_SIZE_BOUND
from f2fbuild.model import canonical
from f2fbuild.model.digest import parse_digest
from f2fbuild.model.times import rounded

SCHEMA = "f2fbuild.seen-heads/1"
_ORIGIN = re.compile(r"f2fbuild\.invalid/log/[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The heads that were followed at `time` (unix seconds, rounded), sorted by origin, one of each log."""

    heads: tuple[Checkpoint, ...]
    time: int


def seen(heads: Iterable[Checkpoint], now: int) -> Seen:
    """Return the list of these heads."""
    return Seen(heads=tuple(sorted(heads, key=lambda head: head.origin)), time=rounded(now))


def seal_heads(those: Seen, salt: bytes) -> tuple[SeenHeads, bytes]:
    """Return the payload of the entry, and the blob that opens it; `salt` is 32 random bytes.

    Raises:
        FormatError: heads that cannot stand in such a list, or another salt.
    """
    blob = _encode(those, salt)
    _decode(blob, "seen heads")
    return SeenHeads(heads=salted(salt, blob)), blob


def open_heads(entry: SeenHeads, blob: bytes, *, where: str = "seen heads") -> Seen:
    """Return the list that an entry seals.

    Raises:
        FormatError: the blob is not such a list in its one spelling, or too long.
        LedgerError: it is another list than the entry's.
    """
    those, salt = _decode(blob, where)
    if salted(salt, blob) != entry.heads:
        raise LedgerError("another list than the one that was sealed", where=where)
    return those


def _encode(those: Seen, salt: bytes) -> bytes:
    heads: list[canonical.Value] = [
        {"origin": h.origin, "root": h.root.hex(), "size": h.size} for h in those.heads
    ]
    return canonical.encode({"heads": heads, "salt": salt.hex(), "schema": SCHEMA, "time": those.time})


def _decode(blob: bytes, where: str) -> tuple[Seen, bytes]:
    if len(blob) > SEEN_HEADS_BYTES:
        raise FormatError(f"has more than {SEEN_HEADS_BYTES} bytes", where=where)
    value = canonical.decode(blob, where=where)
    try:
        those = Seen(heads=tuple(_head(one) for one in value["heads"]), time=_number(value["time"]))
        salt = bytes.fromhex(value["salt"])
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError("not a list of heads", where=where) from error
    origins = [head.origin for head in those.heads]
    if _encode(those, salt) != blob or origins != sorted(set(origins)) or len(salt) != SALT_BYTES:
        raise FormatError("not the one spelling of a list of heads", where=where)
    if not 0 < len(origins) <= SEEN_HEADS or rounded(those.time) != those.time:
        raise FormatError(f"not up to {SEEN_HEADS} heads at a rounded time", where=where)
    return those, salt


def _head(value: Mapping[str, Any]) -> Checkpoint:
    if not _ORIGIN.fullmatch(value["origin"]):
        raise ValueError("not the origin of a log")
    root = bytes.fromhex(parse_digest(value["root"]))
    return Checkpoint(origin=value["origin"], size=_number(value["size"]), root=root)


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < TREE_SIZE_BOUND:
        raise ValueError("not a size or time")
    return value
