"""DSSE v1.0.2 envelopes in one spelling: canonical JSON, padded base64, exactly one signature.

Source: the DSSE protocol and envelope documents, version 1.0.2. DSSE itself allows several signatures and
two base64 alphabets; an entry of a ledger must have one byte form, so both are fixed here.
"""

import re
from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.model import canonical
from f2fbuild.model.encoding import decode_base64, encode_base64
from f2fbuild.model.signing import SigningKey, check_public_key, verify

_USUAL = re.compile(
    rb'\{"payload":"([0-9A-Za-z+/=]*)","payloadType":"([0-9a-z.+/-]+)",'
    rb'"signatures":\[\{"keyid":"([0-9a-f]{64})","sig":"([0-9A-Za-z+/]{86}==)"\}\]\}'
)
"""An envelope of whose text it is plain that it is canonical JSON: nearly every one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A verified envelope. `payload` is verbatim what was signed; `public` the 32-byte key that signed."""

    payload_type: str
    payload: bytes
    public: bytes


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding, the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload_type: str, payload: bytes, key: SigningKey) -> bytes:
    """Return the envelope of `payload`, signed by `key`."""
    signature = key.sign(pae(payload_type, payload))
    return _format(payload_type, payload, key.public, signature)


def unseal(data: bytes, *, public: bytes | None = None, where: str = "envelope") -> Envelope:
    """Return the envelope in `data`, its signature verified.

    Args:
        data: the envelope's bytes.
        public: the 32-byte key that must have signed; None takes the one that `keyid` names, which says
            only that the envelope is whole, not who made it.
        where: what to call the envelope in an error.

    Raises:
        FormatError: not an envelope in its one spelling, or not signed by the key.
    """
    usual = _USUAL.fullmatch(data)
    members = tuple(one.decode() for one in usual.groups()) if usual else _members(data, where)
    encoded, payload_type, key, sig = members
    payload, signature = decode_base64(encoded, where=where), decode_base64(sig, where=where)
    try:
        keyid = bytes.fromhex(key)
    except ValueError as error:
        raise FormatError("not a DSSE envelope with one signature", where=where) from error
    if keyid.hex() != key:
        raise FormatError("not the one spelling of an envelope", where=where)
    if public is not None and keyid != public:
        raise FormatError("signed by another key than expected", where=where)
    check_public_key(keyid, where=where)
    if not verify(keyid, pae(payload_type, payload), signature):
        raise FormatError("the signature does not verify", where=where)
    return Envelope(payload_type=payload_type, payload=payload, public=keyid)


def _members(data: bytes, where: str) -> tuple[str, str, str, str]:
    """Return payload, its type, key id and signature as canonical JSON of any envelope has them."""
    match canonical.decode(data, where=where):
        case {
            "payload": str(encoded),
            "payloadType": str(payload_type),
            "signatures": [{"keyid": str(key), "sig": str(sig), **more_of_line}],
            **more,
        } if not more and not more_of_line:
            return encoded, payload_type, key, sig
        case _:
            raise FormatError("not a DSSE envelope with one signature", where=where)


def _format(payload_type: str, payload: bytes, public: bytes, signature: bytes) -> bytes:
    line = {"keyid": public.hex(), "sig": encode_base64(signature)}
    body = {"payload": encode_base64(payload), "payloadType": payload_type}
    return canonical.encode({**body, "signatures": [line]})
