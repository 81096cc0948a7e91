"""Cosignatures (C2SP tlog-cosignature v1.0.1): a witness or mirror says when it saw a head as the newest.

A cosignature is one more signature line under a checkpoint, by a key of type 0x04. After the key id its blob
holds the time as uint64be and an Ed25519 signature over

    cosignature/v1
    time <unix seconds in decimal>
    <the text of the note, its final newline included>

A witness's line says that no smaller and no contradicting head will be signed after it; a mirror's, under
another key, that the entries are held durably besides. As in every note, lines of unknown keys say nothing,
and a known key's bad line refuses the whole note.
"""

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.ledger.note import Note, Signature, format_line, format_note, parse_line, parse_note
from f2fbuild.limits import COSIGNATURE_TIME_BOUND, NOTE_BYTES, NOTE_SIGNATURES
from f2fbuild.model.signing import SIGNATURE_BYTES, SigningKey, verify
from f2fbuild.model.vkey import KeyKind, VerifierKey, key_id, own_name

_TIME = struct.Struct(">Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """What one cosigner said of one head: its key, unix seconds, and the 64-byte signature over both."""

    key: VerifierKey
    time: int
    signature: bytes


def witness_vkey(public: bytes) -> VerifierKey:
    """Return the verifier key of the node whose witness key has these 32 public bytes."""
    return VerifierKey(name=own_name("witness", public), kind=KeyKind.COSIGNATURE, public=public)


def mirror_vkey(public: bytes) -> VerifierKey:
    """Return the verifier key of the node whose mirror key has these 32 public bytes."""
    return VerifierKey(name=own_name("mirror", public), kind=KeyKind.COSIGNATURE, public=public)


def cosign(text: str, name: str, key: SigningKey, time: int) -> Cosignature:
    """Return the cosignature by `key`, called `name`, of the note's `text` at `time` (unix seconds)."""
    verifier = VerifierKey(name=name, kind=KeyKind.COSIGNATURE, public=key.public)
    return Cosignature(key=verifier, time=time, signature=key.sign(_message(text, time)))


def format_cosignature(cosignature: Cosignature) -> str:
    """Return the signature line, its newline included."""
    return format_line(_to_line(cosignature))


def parse_cosignature(line: str, key: VerifierKey, *, where: str = "cosignature") -> Cosignature:
    """Return the cosignature of `key` in one signature line with its newline; it is not verified yet.

    Raises:
        FormatError: no signature line, of another key, or not a time and a signature.
    """
    if not line.endswith("\n"):
        raise FormatError("not a signature line", where=where)
    signature = parse_line(line[:-1], where=where)
    if not _is_by(key, signature):
        raise FormatError(f"not by {key.name}", where=where)
    return _from_line(signature, key, where)


def verify_cosignature(note: bytes, key: VerifierKey, *, where: str = "checkpoint") -> int:
    """Return the time at which `key` cosigned the head in `note`, the latest if it did so several times.

    Raises:
        FormatError: the note is malformed, or has no good cosignature by this key.
    """
    found = cosignatures(note, [key], where=where)
    if not found:
        raise FormatError(f"not cosigned by {key.name}", where=where)
    return found[0].time


def cosignatures(
    note: bytes, keys: Collection[VerifierKey], *, where: str = "checkpoint"
) -> tuple[Cosignature, ...]:
    """Return the verified cosignatures by `keys` under `note`, each key's latest, in the order of its lines.

    Keys of other kinds are not looked at: `open_note` is for them.

    Raises:
        FormatError: the note is malformed, or a line of one of the keys does not verify.
    """
    known = {(key.name, key_id(key)): key for key in keys if key.kind is KeyKind.COSIGNATURE}
    opened = parse_note(note, where=where)
    found: dict[VerifierKey, Cosignature] = {}
    for line in opened.signatures:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        one = _from_line(line, key, where)
        if not verify(key.public, _message(opened.text, one.time), one.signature):
            raise FormatError(f"the cosignature of {key.name} does not verify", where=where)
        if key not in found or found[key].time < one.time:
            found[key] = one
    return tuple(found.values())


def attach(note: bytes, added: Sequence[Cosignature], *, where: str = "checkpoint") -> bytes:
    """Return `note` with the lines of `added` below its own; an older line of the same key gives way.

    What would make the note longer than a note may be is left off from the end.

    Raises:
        FormatError: the note is malformed.
    """
    opened = parse_note(note, where=where)
    fresh = {(one.key.name, key_id(one.key)): _to_line(one) for one in added}
    kept = [line for line in opened.signatures if (line.name, line.key_id) not in fresh]
    lines = [*kept, *fresh.values()][:NOTE_SIGNATURES]
    while len(data := format_note(Note(text=opened.text, signatures=tuple(lines)))) > NOTE_BYTES:
        lines.pop()
    return data


def over(text: str, said: Sequence[Cosignature]) -> bytes:
    """Return a note of `text` with nothing but the lines of `said`: what is brought to the text's signer."""
    return format_note(Note(text=text, signatures=tuple(map(_to_line, said))))


def strip(note: bytes, keep: Collection[VerifierKey], *, where: str = "checkpoint") -> bytes:
    """Return `note` with the lines of the keys in `keep` only: other lines show who knows whom.

    Raises:
        FormatError: the note is malformed, or nothing would be left.
    """
    opened = parse_note(note, where=where)
    lines = tuple(line for line in opened.signatures if any(_is_by(key, line) for key in keep))
    if not lines:
        raise FormatError("no signature by a known key", where=where)
    return format_note(Note(text=opened.text, signatures=lines))


def _is_by(key: VerifierKey, line: Signature) -> bool:
    return (line.name, line.key_id) == (key.name, key_id(key))


def _to_line(cosignature: Cosignature) -> Signature:
    blob = _TIME.pack(cosignature.time) + cosignature.signature
    return Signature(name=cosignature.key.name, key_id=key_id(cosignature.key), signature=blob)


def _from_line(line: Signature, key: VerifierKey, where: str) -> Cosignature:
    if len(line.signature) != _TIME.size + SIGNATURE_BYTES:
        raise FormatError(f"the cosignature of {key.name} is not a time and a signature", where=where)
    (time,) = _TIME.unpack(line.signature[: _TIME.size])
    if time >= COSIGNATURE_TIME_BOUND:
        raise FormatError(f"the time of {key.name} is beyond all times", where=where)
    return Cosignature(key=key, time=time, signature=line.signature[_TIME.size :])


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
