"""The one spelling of each kind of payload.

The payload type names the kind: `text/vnd.f2fbuild.node-certificate` (text and OpenPGP signature verbatim),
`application/vnd.in-toto+json` (an outcome, a verdict summary or an audit result, by its predicate type), else
`application/vnd.f2fbuild.<kind>+json`: canonical JSON with exactly the fields below. Kinds and predicates
that this version does not know are read as `Unknown`: their signatures count, their content does not.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, assert_never

from f2fbuild.errors import FormatError
from f2fbuild.ledger.certificate import NODE_CERTIFICATE, certificate_keys
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
from f2fbuild.limits import TREE_SIZE_BOUND
from f2fbuild.model import canonical
from f2fbuild.model.digest import parse_digest
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.statement import PAYLOAD_TYPE as IN_TOTO
from f2fbuild.model.statement import PROVENANCE, TEST_RESULT
from f2fbuild.model.summary import VERIFICATION_SUMMARY, decode_summary
from f2fbuild.model.svr import VERIFICATION_RESULT, decode_result
from f2fbuild.model.times import rounded

_OURS = "application/vnd.f2fbuild.{kind}+json"


def encode(payload: Payload) -> tuple[str, bytes]:
    """Return the payload type and the bytes of a payload."""
    match payload:
        case NodeCertificate(text=text):
            return NODE_CERTIFICATE, text
        case Outcome(statement=statement) | VerdictSummary(statement=statement):
            return IN_TOTO, statement
        case AuditResult(statement=statement):
            return IN_TOTO, statement
        case Unknown(payload_type=payload_type, payload=data):
            return payload_type, data
        case _:
            kind, fields = _fields(payload)
            return _OURS.format(kind=kind), canonical.encode(fields)


def decode(payload_type: str, data: bytes, *, where: str = "entry") -> tuple[Kind, Payload]:
    """Return kind and payload that a verified envelope's type and payload make.

    Raises:
        FormatError: a payload of a known kind that is malformed or in a second spelling.
    """
    try:
        kind, payload = _decode(payload_type, data, where)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"not a payload of type {payload_type}", where=where) from error
    if encode(payload) != (payload_type, data):
        raise FormatError(f"fields missing or unknown in a payload of type {payload_type}", where=where)
    return kind, payload


def _fields(payload: Fields) -> tuple[Kind, Mapping[str, int | str]]:
    kind: Kind
    fields: Mapping[str, int | str]
    match payload:
        case Order(commit=commit):
            kind, fields = Kind.ORDER, {"commit": commit}
        case Acceptance() as a:
            times = {"deadline": a.deadline, "revealBy": a.reveal_by}
            who = {"job": a.job, "submitter": a.submitter, "buildKey": a.build_key}
            kind, fields = Kind.ACCEPTANCE, {**times, **who}
        case Commitment(acceptance=index, digest=digest):
            kind, fields = Kind.COMMITMENT, {"acceptance": index, "commitment": digest}
        case Closing(acceptance=index, reason=reason):
            kind, fields = Kind.CLOSING, {"acceptance": index, "reason": str(reason)}
        case SeenHeads(heads=heads):
            kind, fields = Kind.SEEN_HEADS, {"heads": heads}
        case ModeChange() as change:
            modes = {"from": str(change.old), "to": str(change.new)}
            kind, fields = Kind.MODE_CHANGE, {**modes, "forced": change.forced, "reason": change.reason}
        case Revocation(certificate=index, reason=why):
            kind, fields = Kind.REVOCATION, {"certificate": index, "reason": str(why)}
        case _:
            assert_never(payload)
    return kind, fields


def _decode(payload_type: str, data: bytes, where: str) -> tuple[Kind, Payload]:
    if payload_type == NODE_CERTIFICATE:
        certificate = NodeCertificate(text=data)
        certificate_keys(certificate, where=where)
        return Kind.NODE_CERTIFICATE, certificate
    if payload_type == IN_TOTO:
        return _decode_statement(data, where)
    known = _READERS.get(payload_type)
    if known is None:
        return Kind.UNKNOWN, Unknown(payload_type=payload_type, payload=data)
    kind, reader = known
    return kind, reader(canonical.decode(data, where=where))


def _decode_statement(data: bytes, where: str) -> tuple[Kind, Payload]:
    predicate_type = canonical.decode_shared(data, where=where)["predicateType"]
    if predicate_type in (PROVENANCE, TEST_RESULT):
        return Kind.OUTCOME, Outcome(statement=data)
    if predicate_type == VERIFICATION_SUMMARY:
        decode_summary(data, where=where)
        return Kind.VSA, VerdictSummary(statement=data)
    if predicate_type == VERIFICATION_RESULT:
        decode_result(data, where=where)
        return Kind.SVR, AuditResult(statement=data)
    return Kind.UNKNOWN, Unknown(payload_type=IN_TOTO, payload=data)


def _order(fields: Mapping[str, Any]) -> Order:
    return Order(commit=parse_digest(fields["commit"]))


def _acceptance(fields: Mapping[str, Any]) -> Acceptance:
    return Acceptance(
        job=parse_digest(fields["job"]),
        deadline=_time(fields["deadline"]),
        reveal_by=_time(fields["revealBy"]),
        submitter=parse_digest(fields["submitter"]),
        build_key=parse_digest(fields["buildKey"]),
    )


def _commitment(fields: Mapping[str, Any]) -> Commitment:
    return Commitment(acceptance=_index(fields["acceptance"]), digest=parse_digest(fields["commitment"]))


def _closing(fields: Mapping[str, Any]) -> Closing:
    return Closing(acceptance=_index(fields["acceptance"]), reason=ClosingReason(fields["reason"]))


def _seen_heads(fields: Mapping[str, Any]) -> SeenHeads:
    return SeenHeads(heads=parse_digest(fields["heads"]))


def _mode_change(fields: Mapping[str, Any]) -> ModeChange:
    old, new = Mode(fields["from"]), Mode(fields["to"])
    if old is new or type(fields["forced"]) is not bool:
        raise ValueError("not a change of mode")
    return ModeChange(old=old, new=new, forced=fields["forced"], reason=parse_digest(fields["reason"]))


def _revocation(fields: Mapping[str, Any]) -> Revocation:
    reason = RevocationReason(fields["reason"])
    return Revocation(certificate=_index(fields["certificate"]), reason=reason)


def _index(value: object) -> int:
    if type(value) is not int or not 0 <= value < TREE_SIZE_BOUND:
        raise ValueError("not the index of an entry")
    return value


def _time(value: object) -> int:
    if type(value) is not int or value < 0 or rounded(value) != value:
        raise ValueError("not a time in multiples of ten minutes")
    return value


_Reader: TypeAlias = Callable[[Mapping[str, Any]], Fields]

_BY_KIND: Mapping[Kind, _Reader] = {
    Kind.ORDER: _order,
    Kind.ACCEPTANCE: _acceptance,
    Kind.COMMITMENT: _commitment,
    Kind.CLOSING: _closing,
    Kind.SEEN_HEADS: _seen_heads,
    Kind.MODE_CHANGE: _mode_change,
    Kind.REVOCATION: _revocation,
}
_READERS = {_OURS.format(kind=kind): (kind, reader) for kind, reader in _BY_KIND.items()}
