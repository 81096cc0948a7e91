"""The submitter's summary of a verdict."""

import json

import pytest

from f2fbuild.model import canonical
from f2fbuild.model.friend import Friend
from f2fbuild.model.job import JobClass, Order, Quorum
from f2fbuild.model.summary import Judged, encode_summary
from f2fbuild.model.verdict import Verdict, VerdictKind
from tests.model.model_facts import plain

ORDER = Order(
    build_key="b1" * 32,
    job_class=JobClass.TESTING,
    quorum=Quorum(builders=2, agree=2),
    created=1_790_000_000,
    deadline=1_790_086_400,
    nonce="0f" * 16,
)


def judged(kind: VerdictKind, *, agreed: bool) -> Judged:
    return Judged(
        verifier="f2fbuild.invalid/log/" + "0f" * 32,
        order=ORDER,
        salt=bytes(32),
        verdict=Verdict(
            kind=kind, agree=2, denominator=3, needed=2, verified=1, result="c1" * 32, accuses=()
        ),
        products=(plain("b"), plain("a", digest="e3" * 32)) if agreed else (),
        sources=(("hello.spec", "a2" * 32),),
        outcomes=("f2" * 32, "f1" * 32),
        at=1_790_000_001,
    )


@pytest.mark.parametrize("kind", VerdictKind)
def test_only_agreement_is_said_to_be_reproduced(kind: VerdictKind) -> None:
    predicate = json.loads(encode_summary(judged(kind, agreed=True)))["predicate"]
    reproduced = kind in (VerdictKind.AGREE, VerdictKind.DISPUTED)
    assert predicate["verificationResult"] == ("PASSED" if reproduced else "FAILED")
    assert predicate["verifiedLevels"] == (["SLSA_BUILD_REPRODUCED"] if reproduced else [])
    assert predicate["f2fbuild_verdict"]["kind"] == str(kind)


def test_a_summary_is_canonical_and_opens_the_order() -> None:
    payload = encode_summary(judged(VerdictKind.AGREE, agreed=True))
    value = canonical.decode(payload)
    assert value["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert [subject["name"] for subject in value["subject"]] == ["a", "b"]
    predicate = value["predicate"]
    assert Order.decode(predicate["f2fbuild_order"]["payload"].encode()) == ORDER
    assert predicate["policy"] == {"digest": {"sha256": ORDER.job_id}}
    assert [one["digest"]["sha256"] for one in predicate["inputAttestations"]] == ["f1" * 32, "f2" * 32]
    assert predicate["timeVerified"].endswith(":00Z")


def test_without_agreed_products_the_sources_are_the_subject() -> None:
    value = json.loads(encode_summary(judged(VerdictKind.DIVERGED, agreed=False)))
    assert value["subject"] == [{"digest": {"sha256": "a2" * 32}, "name": "hello.spec"}]


def test_a_machine_is_shown_as_alias_at_node() -> None:
    friend = Friend(node_id="", owner="", alias="dave", node="vps", vkey="", statement_key=b"")
    assert friend.name == "dave@vps"
