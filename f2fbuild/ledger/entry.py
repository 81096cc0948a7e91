"""What stands in a log: typed payloads inside DSSE envelopes, each signed by the node's statement key.

The payloads' names and the node certificate's keys are given on from here, so that whoever writes or reads
entries says `entry.Order`.
"""

from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.ledger import payload_codec
from f2fbuild.ledger.certificate import NODE_CERTIFICATE, CertificateKeys, certificate_keys
from f2fbuild.ledger.payload_codec import encode
from f2fbuild.ledger.payloads import (
    Acceptance,
    AuditResult,
    Closing,
    Commitment,
    Fields,
    Kind,
    Mode,
    ModeChange,
    NodeCertificate,
    Order,
    Outcome,
    Payload,
    Revocation,
    RevocationReason,
    SeenHeads,
    Unknown,
    VerdictSummary,
)
from f2fbuild.limits import ENTRY_BYTES, ENVELOPE_BYTES
from f2fbuild.model.envelope import seal, unseal
from f2fbuild.model.signing import SigningKey

__all__ = [
    "NODE_CERTIFICATE",
    "Acceptance",
    "AuditResult",
    "CertificateKeys",
    "Closing",
    "Commitment",
    "Entry",
    "Fields",
    "Kind",
    "Mode",
    "ModeChange",
    "NodeCertificate",
    "Order",
    "Outcome",
    "Payload",
    "Revocation",
    "RevocationReason",
    "SeenHeads",
    "Unknown",
    "VerdictSummary",
    "certificate_keys",
    "decode",
    "encode",
    "read",
    "write",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry that its node signed."""

    kind: Kind
    payload: Payload


def write(payload: Payload, statement_key: SigningKey) -> bytes:
    """Return the entry of `payload`, signed by the node's statement key.

    Raises:
        FormatError: a field out of its range, or an envelope of more than 60,000 bytes.
    """
    payload_type, data = encode(payload)
    if decode(payload_type, data).payload != payload:
        raise FormatError("not a payload that can be read back", where="entry")
    envelope = seal(payload_type, data, statement_key)
    if len(envelope) > ENVELOPE_BYTES:
        raise FormatError(f"an envelope has at most {ENVELOPE_BYTES} bytes", where="entry")
    return envelope


def read(entry: bytes, statement_key: bytes, *, where: str = "entry") -> Entry:
    """Return the entry that the node with this 32-byte statement key signed.

    Raises:
        FormatError: more than 65,535 bytes, not an envelope in its one spelling, signed by another key, or a
            payload of a known kind that is malformed.
    """
    if len(entry) > ENTRY_BYTES:
        raise FormatError(f"an entry has at most {ENTRY_BYTES} bytes", where=where)
    envelope = unseal(entry, public=statement_key, where=where)
    return decode(envelope.payload_type, envelope.payload, where=where)


def decode(payload_type: str, data: bytes, *, where: str = "entry") -> Entry:
    """Return the entry that a verified envelope's type and payload make.

    Raises:
        FormatError: a payload of a known kind that is malformed or in a second spelling.
    """
    kind, payload = payload_codec.decode(payload_type, data, where=where)
    return Entry(kind=kind, payload=payload)
