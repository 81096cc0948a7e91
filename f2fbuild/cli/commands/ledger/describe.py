"""What an entry says, in half a line. Nothing of it is escaped yet: a builder wrote it."""

from typing import assert_never

from f2fbuild.ledger.entry import (
    Acceptance,
    Closing,
    Commitment,
    NodeCertificate,
    Order,
    Outcome,
    Payload,
    Unknown,
)
from f2fbuild.model import canonical
from f2fbuild.model.digest import short_id
from f2fbuild.model.statement import PROVENANCE
from f2fbuild.model.times import format_time

_SUBJECTS = 3
"""Products that the line of an outcome names; the rest is counted."""


def describe(payload: Payload) -> str:
    """Return what the payload of an entry says."""
    match payload:
        case NodeCertificate(text=text):
            lines = text.partition(b"\n\n")[0].decode("utf-8", "replace").split("\n")
            said = ", ".join(line for line in lines if line.startswith(("owner ", "node ", "epoch ")))
        case Order(commit=commit):
            said = f"sealed {commit[:16]}"
        case Acceptance(job=job, deadline=deadline):
            said = f"job {short_id(job)}, until {format_time(deadline)}"
        case Commitment(acceptance=acceptance, digest=digest):
            said = f"of acceptance {acceptance}, sealed {digest[:16]}"
        case Outcome(statement=statement):
            said = _outcome(statement)
        case Closing(acceptance=acceptance, reason=reason):
            said = f"of acceptance {acceptance}: {reason}"
        case Unknown(payload_type=payload_type):
            said = payload_type
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
