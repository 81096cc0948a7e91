"""What stands in a log: typed payloads, each in one spelling, inside DSSE envelopes.

Every entry is an envelope signed by the node's statement key. Its payload type names the kind:
`text/vnd.f2fbuild.node-certificate` (text and OpenPGP signature verbatim), `application/vnd.in-toto+json`
(an outcome), else `application/vnd.f2fbuild.<kind>+json`: canonical JSON with exactly the fields below.
Kinds that this version does not know are read as `Unknown`: their signatures count, their content does not.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias, assert_never

from f2fbuild.errors import FormatError
from f2fbuild.limits import ENVELOPE_BYTES, TREE_SIZE_BOUND
from f2fbuild.model import canonical
from f2fbuild.model.digest import parse_digest
from f2fbuild.model.envelope import seal, unseal
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.statement import PAYLOAD_TYPE as IN_TOTO
from f2fbuild.model.statement import PROVENANCE, TEST_RESULT
from f2fbuild.model.times import rounded

NODE_CERTIFICATE = "text/vnd.f2fbuild.node-certificate"
_OURS = "application/vnd.f2fbuild.{kind}+json"


class Kind(StrEnum):
    """The kinds of entries."""

    NODE_CERTIFICATE = "node-certificate"
    ORDER = "order"
    ACCEPTANCE = "acceptance"
    COMMITMENT = "commitment"
    OUTCOME = "outcome"
    CLOSING = "closing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCertificate:
    """The certificate file, verbatim."""

    text: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`commit` is `salted(salt, order payload)`: nobody reads the order before its submitter opens it."""

    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A builder's promise of one outcome or closing before `deadline`.

    `job` is the job id; `deadline` and `reveal_by` are unix seconds in multiples of 600; `submitter` and
    `build_key` are salted hashes, so that the log does not tell who asked for what.
    """

    job: str
    deadline: int
    reveal_by: int
    submitter: str
    build_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """The result of the acceptance at index `acceptance`, sealed in `digest` (see `commitment`)."""

    acceptance: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The in-toto Statement of a build that succeeded or failed, verbatim."""

    statement: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The acceptance at index `acceptance` ended without an outcome."""

    acceptance: int
    reason: ClosingReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A payload of a kind that this version does not know."""

    payload_type: str
    payload: bytes


Payload: TypeAlias = NodeCertificate | Order | Acceptance | Commitment | Outcome | Closing | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry that its node signed."""

    kind: Kind
    payload: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateKeys:
    """The keys that a node certificate names: the vkey of its log, its statement key (32 bytes)."""

    log: str
    statements: bytes


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
        FormatError: not an envelope in its one spelling, signed by another key, or a payload of a known
            kind that is malformed.
    """
    envelope = unseal(entry, public=statement_key, where=where)
    return decode(envelope.payload_type, envelope.payload, where=where)


def encode(payload: Payload) -> tuple[str, bytes]:
    """Return the payload type and the bytes of a payload."""
    match payload:
        case NodeCertificate(text=text):
            return NODE_CERTIFICATE, text
        case Outcome(statement=statement):
            return IN_TOTO, statement
        case Unknown(payload_type=payload_type, payload=data):
            return payload_type, data
        case _:
            kind, fields = _fields(payload)
            return _OURS.format(kind=kind), canonical.encode(fields)


def decode(payload_type: str, data: bytes, *, where: str = "entry") -> Entry:
    """Return the entry that a verified envelope's type and payload make.

    Raises:
        FormatError: a payload of a known kind that is malformed or in a second spelling.
    """
    try:
        kind, payload = _decode(payload_type, data, where)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"not a payload of type {payload_type}", where=where) from error
    if encode(payload) != (payload_type, data):
        raise FormatError(f"fields missing or unknown in a payload of type {payload_type}", where=where)
    return Entry(kind=kind, payload=payload)


def certificate_keys(certificate: NodeCertificate, *, where: str = "node certificate") -> CertificateKeys:
    """Return the keys that bind a log to a statement key; whether its owner signed is for `trust` to say.

    Raises:
        FormatError: not the text of a node certificate.
    """
    text = certificate.text.partition(b"\n\n")[0].decode("ascii", "replace")
    pattern = r"f2fbuild node certificate v1\n(?:.*\n)*?statements ([0-9a-f]{64})\nlog (\S+)\n"
    match = re.match(pattern, text)
    if match is None:
        raise FormatError("not the text of a node certificate", where=where)
    return CertificateKeys(log=match[2], statements=bytes.fromhex(match[1]))


def _fields(payload: Order | Acceptance | Commitment | Closing) -> tuple[Kind, dict[str, int | str]]:
    match payload:
        case Order(commit=commit):
            return Kind.ORDER, {"commit": commit}
        case Commitment(acceptance=index, digest=digest):
            return Kind.COMMITMENT, {"acceptance": index, "commitment": digest}
        case Closing(acceptance=index, reason=reason):
            return Kind.CLOSING, {"acceptance": index, "reason": str(reason)}
        case Acceptance() as a:
            times = {"deadline": a.deadline, "revealBy": a.reveal_by}
            who = {"job": a.job, "submitter": a.submitter, "buildKey": a.build_key}
            return Kind.ACCEPTANCE, {**times, **who}
    assert_never(payload)


def _decode(payload_type: str, data: bytes, where: str) -> tuple[Kind, Payload]:
    if payload_type == NODE_CERTIFICATE:
        certificate = NodeCertificate(text=data)
        certificate_keys(certificate, where=where)
        return Kind.NODE_CERTIFICATE, certificate
    if payload_type == IN_TOTO:
        predicate_type = canonical.decode(data, where=where)["predicateType"]
        if predicate_type in (PROVENANCE, TEST_RESULT):
            return Kind.OUTCOME, Outcome(statement=data)
        return Kind.UNKNOWN, Unknown(payload_type=payload_type, payload=data)
    for kind in (Kind.ORDER, Kind.ACCEPTANCE, Kind.COMMITMENT, Kind.CLOSING):
        if payload_type == _OURS.format(kind=kind):
            return kind, _from_fields(kind, canonical.decode(data, where=where))
    return Kind.UNKNOWN, Unknown(payload_type=payload_type, payload=data)


def _from_fields(kind: Kind, fields: dict[str, Any]) -> Payload:
    match kind:
        case Kind.ORDER:
            return Order(commit=parse_digest(fields["commit"]))
        case Kind.COMMITMENT:
            return Commitment(
                acceptance=_index(fields["acceptance"]), digest=parse_digest(fields["commitment"])
            )
        case Kind.CLOSING:
            return Closing(acceptance=_index(fields["acceptance"]), reason=ClosingReason(fields["reason"]))
        case _:
            return Acceptance(
                job=parse_digest(fields["job"]),
                deadline=_time(fields["deadline"]),
                reveal_by=_time(fields["revealBy"]),
                submitter=parse_digest(fields["submitter"]),
                build_key=parse_digest(fields["buildKey"]),
            )


def _index(value: object) -> int:
    if type(value) is not int or not 0 <= value < TREE_SIZE_BOUND:
        raise ValueError("not the index of an entry")
    return value


def _time(value: object) -> int:
    if type(value) is not int or value < 0 or rounded(value) != value:
        raise ValueError("not a time in multiples of ten minutes")
    return value
