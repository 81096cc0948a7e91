"""The submitter's signed word that a job reached a verdict: a SLSA Verification Summary (VSA) v1.

It opens the order that the submitter had logged as a salted hash, so everybody can check that the quorum was
fixed before the results were known. Source: SLSA v1.2 "Verification Summary Attestation" and "Verified
Properties" (slsa-framework/slsa 34e26a0e `spec/verification_summary.md`, b0b3704b
`spec/verified-properties.md`): `verifier.id`, `resourceUri`, `policy.uri`, `verificationResult` and
`verifiedLevels` are required; levels are `FAILED` when the policy was not met. The policy is the order.

`SLSA_BUILD_REPRODUCED` needs two independently operated platforms with the same digest, so a job for one
builder passes with `SLSA_BUILD_LEVEL_UNEVALUATED`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from f2fbuild.errors import FormatError
from f2fbuild.limits import STATEMENT_BYTES, TREE_SIZE_BOUND
from f2fbuild.model import canonical
from f2fbuild.model.digest import parse_digest
from f2fbuild.model.job import Order
from f2fbuild.model.statement import STATEMENT_TYPE, EncodedStatement
from f2fbuild.model.subject import Subject, folded, format_subjects, parse_subjects
from f2fbuild.model.times import format_time, parse_time, rounded
from f2fbuild.model.verdict import VerdictKind

VERIFICATION_SUMMARY = "https://slsa.dev/verification_summary/v1"
AGREEMENTS = (VerdictKind.AGREE, VerdictKind.DISPUTED)
"""Verdicts under which as many builders agreed as were ordered."""

_REPRODUCED_BY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The verdict as it is made public: the numbers of owners that it stands on, and no names."""

    kind: VerdictKind
    agree: int
    denominator: int
    needed: int
    verified: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A verdict summed up.

    `verifier` is the submitter's origin; `order_index` the index of the order's entry in that log and `salt`
    the 32 bytes that open it. `outcomes` are the SHA-256 of the outcome envelopes looked at, sorted;
    `subjects` what was agreed on, or the sources when nothing was; `at` is in unix seconds, rounded.
    """

    verifier: str
    order_index: int
    order: Order
    salt: bytes
    figures: Figures
    subjects: tuple[Subject, ...]
    outcomes: tuple[str, ...]
    at: int

    @property
    def passed(self) -> bool:
        """Whether as many builders agreed as were ordered."""
        return self.figures.kind in AGREEMENTS

    @property
    def levels(self) -> tuple[str, ...]:
        """The `verifiedLevels`."""
        if not self.passed:
            return ("FAILED",)
        reproduced = self.figures.agree >= _REPRODUCED_BY
        return ("SLSA_BUILD_REPRODUCED" if reproduced else "SLSA_BUILD_LEVEL_UNEVALUATED",)


def encode_summary(summary: Summary) -> EncodedStatement:
    """Return the canonical payload of a summary; many subjects move into a blob named by its digest."""
    payload = _encode(summary, summary.subjects)
    if len(payload) <= STATEMENT_BYTES:
        return EncodedStatement(payload=payload)
    subject, blob = folded(summary.subjects)
    return EncodedStatement(payload=_encode(summary, (subject,)), products=blob)


def decode_summary(payload: bytes, *, where: str = "verdict summary") -> Summary:
    """Return the summary whose encoding is `payload`; a list that is a blob stays the subject that names it.

    Raises:
        FormatError: not a summary of ours in its one spelling, or one that says passed although fewer agree
            than its order asks for.
    """
    value = canonical.decode(payload, where=where)
    try:
        summary = _read(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError("not a verdict summary", where=where) from error
    if encode_summary(summary).payload != payload:
        raise FormatError("not the one spelling of a verdict summary", where=where)
    if summary.passed and summary.figures.agree < summary.order.quorum.agree:
        raise FormatError("passes a job that fewer agree on than were ordered", where=where)
    return summary


def _encode(summary: Summary, subjects: tuple[Subject, ...]) -> bytes:
    figures, job = summary.figures, summary.order.job_id
    order: dict[str, canonical.Value] = {
        "entry": summary.order_index,
        "payload": summary.order.encode().decode(),
        "salt": summary.salt.hex(),
    }
    predicate: dict[str, canonical.Value] = {
        "f2fbuild_order": order,
        "f2fbuild_verdict": {
            "agree": figures.agree,
            "denominator": figures.denominator,
            "kind": str(figures.kind),
            "needed": figures.needed,
            "verified": figures.verified,
        },
        "inputAttestations": [{"digest": {"sha256": digest}} for digest in summary.outcomes],
        "policy": {"digest": {"sha256": job}, "uri": f"f2fbuild:order/{job}"},
        "resourceUri": f"f2fbuild:build/{summary.order.build_key}",
        "slsaVersion": "1.2",
        "timeVerified": format_time(summary.at),
        "verificationResult": "PASSED" if summary.passed else "FAILED",
        "verifiedLevels": summary.levels,
        "verifier": {"id": summary.verifier},
    }
    return canonical.encode(
        {
            "_type": STATEMENT_TYPE,
            "predicate": predicate,
            "predicateType": VERIFICATION_SUMMARY,
            "subject": format_subjects(subjects),
        }
    )


def _read(value: Mapping[str, Any]) -> Summary:
    predicate = value["predicate"]
    order = predicate["f2fbuild_order"]
    outcomes = tuple(parse_digest(one["digest"]["sha256"]) for one in predicate["inputAttestations"])
    at = parse_time(predicate["timeVerified"])
    if outcomes != tuple(sorted(set(outcomes))) or rounded(at) != at or at < 0:
        raise ValueError("outcomes not sorted, or a time that is not rounded")
    return Summary(
        verifier=_text(predicate["verifier"]["id"]),
        order_index=_number(order["entry"]),
        order=Order.decode(order["payload"].encode()),
        salt=bytes.fromhex(parse_digest(order["salt"])),
        figures=_figures(predicate["f2fbuild_verdict"]),
        subjects=parse_subjects(value["subject"]),
        outcomes=outcomes,
        at=at,
    )


def _figures(value: Mapping[str, Any]) -> Figures:
    return Figures(
        kind=VerdictKind(value["kind"]),
        agree=_number(value["agree"]),
        denominator=_number(value["denominator"]),
        needed=_number(value["needed"]),
        verified=_number(value["verified"]),
    )


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < TREE_SIZE_BOUND:
        raise ValueError("not an index or a number of owners")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("names nobody")
    return value
