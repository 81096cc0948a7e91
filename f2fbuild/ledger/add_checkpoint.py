"""The question that a log asks a witness (C2SP tlog-witness v1.0.0, "add-checkpoint").

    old 20852014
    {base64 hash, 0 to 63 lines}

    checkpoint, verbatim

`old` is the size of the newest head of this log that the witness is thought to have cosigned; the hashes
prove that the new head continues it.
"""

from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.ledger.checkpoint import parse_size
from f2fbuild.limits import ADD_CHECKPOINT_BYTES, PROOF_HASHES
from f2fbuild.model.encoding import decode_base64, encode_base64
from f2fbuild.model.tree import HASH_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """Please cosign the head in `note`: it continues the one of size `old`, as `proof` shows."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes

    @property
    def origin(self) -> str:
        """The log that the note says it is of; empty when its first line is no text."""
        try:
            return self.note.partition(b"\n")[0].decode()
        except UnicodeDecodeError:
            return ""


def format_request(request: AddCheckpoint) -> bytes:
    """Return the body of the request."""
    lines = [f"old {request.old}", *(encode_base64(value) for value in request.proof)]
    return "\n".join(lines).encode() + b"\n\n" + request.note


def parse_request(data: bytes, *, where: str = "add-checkpoint") -> AddCheckpoint:
    """Return the request in `data`; neither proof nor note is verified.

    Raises:
        FormatError: malformed, too large, more than 63 hashes, or a second spelling.
    """
    if len(data) > ADD_CHECKPOINT_BYTES:
        raise FormatError(f"larger than {ADD_CHECKPOINT_BYTES} bytes", where=where)
    head, separator, note = data.partition(b"\n\n")
    if not separator or not head.isascii() or not head.startswith(b"old "):
        raise FormatError("not an old size, a proof, an empty line and a checkpoint", where=where)
    first, *lines = head.decode().split("\n")
    if len(lines) > PROOF_HASHES:
        raise FormatError(f"more than {PROOF_HASHES} hashes", where=where)
    proof = tuple(decode_base64(line, where=where) for line in lines)
    if any(len(value) != HASH_BYTES for value in proof):
        raise FormatError("not a proof of hashes", where=where)
    return AddCheckpoint(old=parse_size(first.removeprefix("old "), where=where), proof=proof, note=note)
