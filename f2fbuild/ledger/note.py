"""Signed notes (C2SP signed-note v1.0.0): a text and the signatures under it.

    This is the text, which ends in a newline.

    — name base64(uint32be key id, signature)

A signature names its key by name and key id. Signatures of unknown keys are ignored, since anybody may add
one; a known key's bad signature refuses the whole note. Only Ed25519 signatures over the text (type 0x01)
are made and verified here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.limits import NOTE_BYTES, NOTE_SIGNATURES
from f2fbuild.model.encoding import decode_base64, encode_base64
from f2fbuild.model.signing import SigningKey, verify
from f2fbuild.model.vkey import KeyKind, VerifierKey, key_id

_LINE_START = "— "
_SPACE = re.compile(r"\s")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line: who is said to have signed, and the bytes after the key id, not yet verified."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text, its final newline included, and at least one signature line."""

    text: str
    signatures: tuple[Signature, ...]


def sign(text: str, name: str, key: SigningKey) -> Note:
    """Return the note of `text` with one signature by `key` under `name`.

    Raises:
        FormatError: the text or the name cannot stand in a note.
    """
    verifier = VerifierKey(name=name, kind=KeyKind.ED25519, public=key.public)
    line = Signature(name=name, key_id=key_id(verifier), signature=key.sign(text.encode()))
    note = Note(text=text, signatures=(line,))
    if parse_note(format_note(note)) != note:
        raise FormatError("this text or name cannot stand in a signed note", where="signed note")
    return note


def format_note(note: Note) -> bytes:
    """Return the bytes of a note."""
    return (note.text + "\n" + "".join(format_line(line) for line in note.signatures)).encode()


def format_line(line: Signature) -> str:
    """Return one signature line, its newline included."""
    return f"{_LINE_START}{line.name} {encode_base64(line.key_id + line.signature)}\n"


def parse_note(data: bytes, *, where: str = "signed note") -> Note:
    """Return the note in `data`; its signatures are not verified yet.

    Raises:
        FormatError: malformed, too large, or too many signatures.
    """
    if len(data) > NOTE_BYTES:
        raise FormatError(f"larger than {NOTE_BYTES} bytes", where=where)
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise FormatError("not UTF-8", where=where) from error
    body, separator, lines = whole.rpartition("\n\n")
    if not separator or not lines.endswith("\n") or _CONTROL.search(whole):
        raise FormatError("not a text, an empty line and signature lines", where=where)
    signed = lines[:-1].split("\n")
    if len(signed) > NOTE_SIGNATURES:
        raise FormatError(f"more than {NOTE_SIGNATURES} signatures", where=where)
    return Note(text=body + "\n", signatures=tuple(parse_line(line, where=where) for line in signed))


def open_note(data: bytes, keys: Sequence[VerifierKey], *, where: str = "signed note") -> Note:
    """Return the note in `data` with only the signatures by `keys`, all of them verified.

    Keys of another kind than Ed25519 cover other bytes than the text: their signatures are not verified here.

    Raises:
        FormatError: malformed, a bad signature of a known key, or no signature of any.
    """
    note = parse_note(data, where=where)
    known = {(key.name, key_id(key)): key for key in keys if key.kind is KeyKind.ED25519}
    verified: dict[VerifierKey, Signature] = {}
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        if not verify(key.public, note.text.encode(), line.signature):
            raise FormatError(f"the signature of {key.name} does not verify", where=where)
        verified.setdefault(key, line)
    if not verified:
        raise FormatError("no signature by a known key", where=where)
    return Note(text=note.text, signatures=tuple(verified.values()))


def parse_line(line: str, *, where: str = "signature line") -> Signature:
    """Return the signature in one line, its newline taken off; it is not verified yet.

    Raises:
        FormatError: not a signature line.
    """
    name, _, encoded = line.removeprefix(_LINE_START).partition(" ")
    if not line.startswith(_LINE_START) or not _is_name(name):
        raise FormatError("not a signature line", where=where)
    blob = decode_base64(encoded, where=where)
    if len(blob) < 5:
        raise FormatError("a signature line without signature", where=where)
    return Signature(name=name, key_id=blob[:4], signature=blob[4:])


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not _SPACE.search(name)
