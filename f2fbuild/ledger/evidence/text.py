"""The form of an evidence file: a kind and named parts, as text that survives mail.

    f2fbuild evidence v1 <kind>

    -----BEGIN <PART NAME>-----
    {base64 of the part, 64 characters a line}*
    -----END <PART NAME>-----
    …

Blocks look like those of RFC 7468, so a part comes out with `sed` and `base64 -d`. A file has one spelling:
`format_parts(*parse_parts(data)) == data`, whatever `data` is taken.
"""

import re
from collections.abc import Mapping

from f2fbuild.errors import FormatError
from f2fbuild.ledger.checkpoint import open_checkpoint
from f2fbuild.ledger.note import parse_note
from f2fbuild.ledger.proof import Proof, parse_proof
from f2fbuild.limits import EVIDENCE_BYTES, EVIDENCE_PARTS
from f2fbuild.model.encoding import decode_base64, encode_base64
from f2fbuild.model.vkey import VerifierKey

_MAGIC = "f2fbuild evidence v1 "
_COLUMNS = 64
_KIND = re.compile(r"[a-z]+(?:-[a-z]+)*", re.ASCII)
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9-]+)-----\n((?:[A-Za-z0-9+/=]+\n)*)-----END \1-----\n", re.ASCII)


def format_parts(kind: str, parts: Mapping[str, bytes]) -> bytes:
    """Return the file of the evidence `kind` with these parts, in this order."""
    return f"{_MAGIC}{kind}\n\n{''.join(_block(name, data) for name, data in parts.items())}".encode()


def parse_parts(data: bytes, *, where: str = "evidence") -> tuple[str, Mapping[str, bytes]]:
    """Return the kind and the parts of an evidence file; nothing in them is verified yet.

    Raises:
        FormatError: another form or a second spelling, too large, or too many parts.
    """
    if len(data) > EVIDENCE_BYTES:
        raise FormatError(f"larger than {EVIDENCE_BYTES} bytes", where=where)
    text = ascii_text(data, where=where)
    head, _, body = text.partition("\n\n")
    kind = head.removeprefix(_MAGIC)
    if not head.startswith(_MAGIC) or not _KIND.fullmatch(kind):
        raise FormatError("not f2fbuild evidence", where=where)
    parts: dict[str, bytes] = {}
    for block in _BLOCK.finditer(body):
        if len(parts) == EVIDENCE_PARTS:
            raise FormatError(f"more than {EVIDENCE_PARTS} parts", where=where)
        parts[block[1].lower()] = decode_base64(block[2].replace("\n", ""), where=where)
    if format_parts(kind, parts) != data:
        raise FormatError("not the one spelling of evidence", where=where)
    return kind, parts


def ascii_text(data: bytes, *, where: str) -> str:
    """Return `data` as text.

    Raises:
        FormatError: it is not ASCII.
    """
    if not data.isascii():
        raise FormatError("not ASCII text", where=where)
    return data.decode()


def bare_proof(data: bytes, key: VerifierKey, *, lines: int = 1, where: str) -> Proof:
    """Return the tlog-proof in `data`, which must say nothing that this evidence does not need.

    Args:
        data: the proof's text.
        key: the key of the log.
        lines: how many signatures its checkpoint has, the log's own one included.
        where: what to name in errors.

    Raises:
        FormatError: malformed, not signed by the log, or with an `extra` or other signatures.
    """
    proof = parse_proof(data, where=where)
    bare_note(proof.checkpoint, key, lines=lines, where=where)
    if proof.extra:
        raise FormatError("a tlog-proof with an extra line", where=where)
    return proof


def bare_note(note: bytes, key: VerifierKey, *, lines: int = 1, where: str) -> None:
    """Refuse a checkpoint with any signature that nobody would look at: it could hold anything.

    Raises:
        FormatError: malformed, not signed by the log, or with another number of signatures.
    """
    open_checkpoint(note, key, where=where)
    if len(parse_note(note, where=where).signatures) != lines:
        raise FormatError(f"a checkpoint with other signatures than the {lines} needed", where=where)


def _block(name: str, data: bytes) -> str:
    encoded, label = encode_base64(data), name.upper()
    rows = (encoded[at : at + _COLUMNS] + "\n" for at in range(0, len(encoded), _COLUMNS))
    return f"-----BEGIN {label}-----\n{''.join(rows)}-----END {label}-----\n"
