"""Verifier keys as text: `<name>+<hex8 key id>+<base64(type ‖ public key)>` (C2SP signed-note v1.0.0).

A signature names its key by name and key id, so both are part of the text. Every key of a node that signs
notes is named after itself, so that a name cannot be claimed by another key:
`f2fbuild.invalid/log/<sha256 of the public key>`, and likewise `witness` and `mirror`.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from f2fbuild.errors import FormatError
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.encoding import decode_base64, encode_base64
from f2fbuild.model.signing import check_public_key


class KeyKind(IntEnum):
    """The signature type byte of a verifier key (C2SP signed-note, "Signature types")."""

    ED25519 = 0x01
    COSIGNATURE = 0x04


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A named public key: `public` is 32 bytes of Ed25519, `kind` what its signatures cover."""

    name: str
    kind: KeyKind
    public: bytes


def own_name(role: str, public: bytes) -> str:
    """Return the name that a node's `log`, `witness` or `mirror` key carries."""
    return f"f2fbuild.invalid/{role}/{sha256_hex(public)}"


def key_id(key: VerifierKey) -> bytes:
    """Return SHA-256(name ‖ LF ‖ type ‖ public key)[:4] (C2SP signed-note, "Verifier keys")."""
    return hashlib.sha256(key.name.encode() + b"\n" + bytes([key.kind]) + key.public).digest()[:4]


def format_vkey(key: VerifierKey) -> str:
    """Return the text of `key`."""
    blob = encode_base64(bytes([key.kind]) + key.public)
    return f"{key.name}+{key_id(key).hex()}+{blob}"


def parse_vkey(text: str, *, where: str = "vkey") -> VerifierKey:
    """Return the key in `text`, its id checked.

    Raises:
        FormatError: not a verifier key in its one spelling, or not a usable Ed25519 key.
    """
    name, _, rest = text.partition("+")
    blob = rest.partition("+")[2]
    try:
        data = decode_base64(blob, where=where)
        kind = KeyKind(data[0])
    except (ValueError, IndexError) as error:
        raise FormatError("not a verifier key", where=where) from error
    if not name or any(character.isspace() or not character.isprintable() for character in name):
        raise FormatError("the key has no usable name", where=where)
    key = VerifierKey(name=name, kind=kind, public=check_public_key(data[1:], where=where))
    if format_vkey(key) != text:
        raise FormatError("wrong key id, or a second spelling of a verifier key", where=where)
    return key
