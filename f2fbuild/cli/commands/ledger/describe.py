"""What an entry says, in half a line. Nothing of it is escaped yet: a builder wrote it."""

from typing import assert_never

from f2fbuild.ledger.entry import (
    Acceptance,
    AuditResult,
    Closing,
    Commitment,
    Fields,
    ModeChange,
    NodeCertificate,
    Order,
    Outcome,
    Payload,
    Revocation,
    SeenHeads,
    Unknown,
    VerdictSummary,
)
from f2fbuild.model import canonical
from f2fbuild.model.digest import short_id
from f2fbuild.model.statement import PROVENANCE
from f2fbuild.model.summary import decode_summary
from f2fbuild.model.svr import decode_result
from f2fbuild.model.times import format_time

_SUBJECTS = 3
"""Products that the line of an outcome names; the rest is counted."""


def describe(payload: Payload) -> str:
    """Return what the payload of an entry says."""
    match payload:
        case NodeCertificate(text=text):
            lines = text.partition(b"\n\n")[0].decode("utf-8", "replace").split("\n")
            said = ", ".join(line for line in lines if line.startswith(("owner ", "node ", "epoch ")))
        case Outcome(statement=statement):
            said = _outcome(statement)
        case VerdictSummary(statement=statement):
            said = _verdict(statement)
        case AuditResult(statement=statement):
            said = ", ".join(decode_result(statement).properties)
        case Unknown(payload_type=payload_type):
            said = payload_type
        case _:
            said = _describe_fields(payload)
    return said


def _describe_fields(payload: Fields) -> str:
    match payload:
        case Order(commit=sealed) | SeenHeads(heads=sealed):
            said = f"sealed {sealed[:16]}"
        case Acceptance(job=job, deadline=deadline):
            said = f"job {short_id(job)}, until {format_time(deadline)}"
        case Commitment(acceptance=acceptance, digest=digest):
            said = f"of acceptance {acceptance}, sealed {digest[:16]}"
        case Closing(acceptance=acceptance, reason=reason):
            said = f"of acceptance {acceptance}: {reason}"
        case ModeChange(old=old, new=new, forced=forced):
            said = f"from {old} to {new}{', forced' if forced else ''}"
        case Revocation(certificate=index, reason=why):
            said = f"of the certificate in entry {index}: {why}"
        case _:
            assert_never(payload)
    return said


def _outcome(statement: bytes) -> str:
    """Return the result and its first subjects; a signed statement may hold anything in their place."""
    fields = canonical.decode(statement)
    word = "succeeded" if fields["predicateType"] == PROVENANCE else "failed"
    subjects = fields.get("subject")
    names = (
        [one.get("name") for one in subjects if isinstance(one, dict)] if isinstance(subjects, list) else []
    )
    words = [name for name in names if isinstance(name, str)]
    more = f", +{len(words) - _SUBJECTS}" if len(words) > _SUBJECTS else ""
    return f"{word}: {', '.join(words[:_SUBJECTS])}{more}"


def _verdict(statement: bytes) -> str:
    summary = decode_summary(statement)
    figures = summary.figures
    numbers = f"{figures.kind} {figures.agree} of {figures.denominator}"
    return f"job {short_id(summary.order.job_id)}: {numbers}, opens the order in entry {summary.order_index}"
