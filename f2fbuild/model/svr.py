"""An auditor's signed word about what it has verified: an in-toto Simple Verification Result (SVR) v0.2.

Source: in-toto attestation `spec/predicates/svr.md`, version 0.2: required are `verifier.id`,
`verifier.policies` (which 0.2 adds to 0.1; an empty list when there are none to point to), `timeCreated` and
`properties`, which lists what was verified: an absent property says nothing. The subject is what was looked
at, by its digest alone: no log, owner or friend is named here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from f2fbuild.errors import FormatError
from f2fbuild.model import canonical
from f2fbuild.model.statement import STATEMENT_TYPE
from f2fbuild.model.subject import Subject, format_subjects, parse_subjects
from f2fbuild.model.times import format_time, parse_time, rounded

VERIFICATION_RESULT = "https://in-toto.io/attestation/svr/v0.2"
EVIDENCE_POLICY = "https://f2fbuild.invalid/policies/evidence/v1"
"""The rules of the section "Evidence" of the ledger's format."""

_PROPERTY = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)
_URI = re.compile(r"https://[!-~]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationResult:
    """What `verifier` (an origin) found true of `subjects` under `policies` (URIs, sorted).

    `properties` are sorted, at least one; `at` is in unix seconds, rounded.
    """

    verifier: str
    subjects: tuple[Subject, ...]
    policies: tuple[str, ...]
    properties: tuple[str, ...]
    at: int


def evidence_result(verifier: str, kind: str, digest: str, at: int) -> VerificationResult:
    """Return the result of an evidence file of this kind and SHA-256 that proves what it says."""
    return VerificationResult(
        verifier=verifier,
        subjects=(Subject(name=f"{kind}.evidence", sha256=digest),),
        policies=(EVIDENCE_POLICY,),
        properties=(f"F2FBUILD_{kind.upper().replace('-', '_')}_PROVED",),
        at=rounded(at),
    )


def encode_result(result: VerificationResult) -> bytes:
    """Return the canonical payload of a verification result."""
    policies = [{"uri": uri} for uri in result.policies]
    predicate: dict[str, canonical.Value] = {
        "properties": result.properties,
        "timeCreated": format_time(result.at),
        "verifier": {"id": result.verifier, "policies": policies},
    }
    return canonical.encode(
        {
            "_type": STATEMENT_TYPE,
            "predicate": predicate,
            "predicateType": VERIFICATION_RESULT,
            "subject": format_subjects(result.subjects),
        }
    )


def decode_result(payload: bytes, *, where: str = "verification result") -> VerificationResult:
    """Return the result whose encoding is `payload`.

    Raises:
        FormatError: not a verification result of ours in its one spelling.
    """
    value = canonical.decode(payload, where=where)
    try:
        result = _read(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError("not a verification result", where=where) from error
    if encode_result(result) != payload:
        raise FormatError("not the one spelling of a verification result", where=where)
    return result


def _read(value: Mapping[str, Any]) -> VerificationResult:
    predicate = value["predicate"]
    verifier = predicate["verifier"]
    at = parse_time(predicate["timeCreated"])
    if not isinstance(verifier["id"], str) or not verifier["id"] or rounded(at) != at or at < 0:
        raise ValueError("names no verifier, or a time that is not rounded")
    return VerificationResult(
        verifier=verifier["id"],
        subjects=parse_subjects(value["subject"]),
        policies=_sorted(_URI, [one["uri"] for one in verifier["policies"]]),
        properties=_sorted(_PROPERTY, predicate["properties"], at_least=1),
        at=at,
    )


def _sorted(pattern: re.Pattern[str], texts: list[str], *, at_least: int = 0) -> tuple[str, ...]:
    if texts != sorted(set(texts)) or len(texts) < at_least:
        raise ValueError("not sorted, or nothing at all")
    if not all(pattern.fullmatch(text) for text in texts):
        raise ValueError("not of the documented form")
    return tuple(texts)
