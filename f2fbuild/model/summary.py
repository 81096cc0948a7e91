"""The submitter's signed word that a job reached its verdict: a SLSA Verification Summary v1.

It opens the order that the submitter had logged as a salted hash, so everybody can check that the quorum was
fixed before the results were known. Source: SLSA v1.0 "Verification Summary Attestation".
"""

from collections.abc import Sequence
from dataclasses import dataclass

from f2fbuild.model import canonical
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.job import Order
from f2fbuild.model.outcome import Product
from f2fbuild.model.statement import STATEMENT_TYPE
from f2fbuild.model.times import format_time, rounded
from f2fbuild.model.verdict import Verdict, VerdictKind

VERIFICATION_SUMMARY = "https://slsa.dev/verification_summary/v1"
_REPRODUCED = (VerdictKind.AGREE, VerdictKind.DISPUTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is summed up: the order with its 32-byte salt, the verdict, and what it rests on.

    `outcomes` are the digests of the outcome envelopes that were counted; `products` those that were agreed
    on, none without an agreement; `at` is in unix seconds.
    """

    verifier: str
    order: Order
    salt: bytes
    verdict: Verdict
    products: Sequence[Product]
    sources: Sequence[tuple[str, str]]
    outcomes: Sequence[str]
    at: int


def encode_summary(judged: Judged) -> bytes:
    """Return the canonical payload of the summary statement."""
    verdict = judged.verdict
    reproduced = verdict.kind in _REPRODUCED
    named = [(product.name, product.sha256) for product in judged.products] or list(judged.sources)
    predicate: dict[str, canonical.Value] = {
        "f2fbuild_order": {"payload": judged.order.encode().decode(), "salt": judged.salt.hex()},
        "f2fbuild_verdict": {
            "agree": verdict.agree,
            "denominator": verdict.denominator,
            "kind": str(verdict.kind),
            "needed": verdict.needed,
            "verified": verdict.verified,
        },
        "inputAttestations": [{"digest": {"sha256": digest}} for digest in sorted(judged.outcomes)],
        "policy": {"digest": {"sha256": sha256_hex(judged.order.encode())}},
        "resourceUri": f"f2fbuild:{judged.order.build_key}",
        "slsaVersion": "1.0",
        "timeVerified": format_time(rounded(judged.at)),
        "verificationResult": "PASSED" if reproduced else "FAILED",
        "verifiedLevels": ["SLSA_BUILD_REPRODUCED"] if reproduced else [],
        "verifier": {"id": judged.verifier},
    }
    return canonical.encode(
        {
            "_type": STATEMENT_TYPE,
            "predicate": predicate,
            "predicateType": VERIFICATION_SUMMARY,
            "subject": [{"digest": {"sha256": digest}, "name": name} for name, digest in sorted(named)],
        }
    )
