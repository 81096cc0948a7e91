"""The auditor's verification result."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.model import canonical
from f2fbuild.model.subject import Subject
from f2fbuild.model.svr import (
    EVIDENCE_POLICY,
    VerificationResult,
    decode_result,
    encode_result,
    evidence_result,
)

ORIGIN = "f2fbuild.invalid/log/" + "0f" * 32
RESULT = evidence_result(ORIGIN, "divergent-results", "e1" * 32, 1_790_000_999)

digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
words = st.from_regex(r"[A-Z][A-Z0-9_]{0,63}", fullmatch=True)
uris = st.from_regex(r"https://[!-~]{1,20}", fullmatch=True)


def test_a_result_has_the_fields_that_svr_requires() -> None:
    assert canonical.decode(encode_result(RESULT)) == {
        "_type": "https://in-toto.io/Statement/v1",
        "predicate": {
            "properties": ["F2FBUILD_DIVERGENT_RESULTS_PROVED"],
            "timeCreated": "2026-09-21T14:20:00Z",
            "verifier": {"id": ORIGIN, "policies": [{"uri": EVIDENCE_POLICY}]},
        },
        "predicateType": "https://in-toto.io/attestation/svr/v0.2",
        "subject": [{"digest": {"sha256": "e1" * 32}, "name": "divergent-results.evidence"}],
    }


def test_a_result_may_point_to_no_policy() -> None:
    bare = replace(RESULT, policies=())
    assert canonical.decode(encode_result(bare))["predicate"]["verifier"]["policies"] == []
    assert decode_result(encode_result(bare)) == bare


@given(
    st.builds(
        VerificationResult,
        verifier=st.text(st.characters(codec="utf-8"), min_size=1),
        subjects=digests.map(lambda digest: (Subject(name="x", sha256=digest),)),
        policies=st.sets(uris, max_size=3).map(lambda some: tuple(sorted(some))),
        properties=st.sets(words, min_size=1, max_size=3).map(lambda some: tuple(sorted(some))),
        at=st.integers(0, 2**28).map(lambda n: n * 600),
    )
)
def test_results_round_trip(result: VerificationResult) -> None:
    payload = encode_result(result)
    assert decode_result(payload) == result
    assert encode_result(decode_result(payload)) == payload


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("predicate", "text"),
        ("predicate", {}),
        ("predicate.more", 1),
        ("predicate.properties", []),
        ("predicate.properties", ["B", "A"]),
        ("predicate.properties", ["A", "A"]),
        ("predicate.properties", ["a"]),
        ("predicate.properties", ["A" * 65]),
        ("predicate.properties", [1]),
        ("predicate.properties", "A"),
        ("predicate.timeCreated", "2026-09-21T14:20:01Z"),
        ("predicate.timeCreated", "1969-12-31T23:50:00Z"),
        ("predicate.verifier.id", ""),
        ("predicate.verifier.id", 5),
        ("predicate.verifier", {"id": ORIGIN}),
        ("predicate.verifier.policies", [{"uri": "http://x"}]),
        ("predicate.verifier.policies", [{"uri": "https://x", "name": "y"}]),
        ("predicate.verifier.policies", [{"uri": "https://y"}, {"uri": "https://x"}]),
        ("subject", []),
    ],
)
def test_other_spellings_are_refused(path: str, new: Any) -> None:
    value = canonical.decode(encode_result(RESULT))
    *way, last = path.split(".")
    holder = value
    for step in way:
        holder = holder[step]
    holder[last] = new
    with pytest.raises(FormatError):
        decode_result(canonical.encode(value))
