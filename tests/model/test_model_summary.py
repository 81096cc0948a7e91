"""The submitter's summary of a verdict."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.limits import ENVELOPE_BYTES
from f2fbuild.model import canonical
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.envelope import seal
from f2fbuild.model.friend import Friend
from f2fbuild.model.job import JobClass, Order, Quorum
from f2fbuild.model.outcome import Product, Succeeded
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.subject import Subject, agreed_subjects
from f2fbuild.model.summary import Figures, Summary, decode_summary, encode_summary
from f2fbuild.model.verdict import VerdictKind
from tests.model.model_facts import plain

ORDER = Order(
    build_key="b1" * 32,
    job_class=JobClass.TESTING,
    quorum=Quorum(builders=2, agree=2),
    created=1_790_000_000,
    deadline=1_790_086_400,
    nonce="0f" * 16,
)
AGREED = (Subject(name="a", sha256="e3" * 32), Subject(name="b", sha256="e4" * 32))


def summary(kind: VerdictKind = VerdictKind.AGREE, *, agree: int = 2, asked: int = 2) -> Summary:
    return Summary(
        verifier="f2fbuild.invalid/log/" + "0f" * 32,
        order_index=7,
        order=replace(ORDER, quorum=Quorum(builders=asked, agree=asked)),
        salt=bytes(range(32)),
        figures=Figures(kind=kind, agree=agree, denominator=3, needed=2, verified=1),
        subjects=AGREED,
        outcomes=("f1" * 32, "f2" * 32),
        at=1_790_000_400,
    )


def predicate(one: Summary) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(encode_summary(one).payload)["predicate"]
    return value


@pytest.mark.parametrize("kind", VerdictKind)
def test_only_agreement_is_said_to_be_reproduced(kind: VerdictKind) -> None:
    said = predicate(summary(kind))
    passed = kind in (VerdictKind.AGREE, VerdictKind.DISPUTED)
    assert said["verificationResult"] == ("PASSED" if passed else "FAILED")
    assert said["verifiedLevels"] == (["SLSA_BUILD_REPRODUCED"] if passed else ["FAILED"])
    assert said["f2fbuild_verdict"]["kind"] == str(kind)
    assert decode_summary(encode_summary(summary(kind)).payload) == summary(kind)


def test_what_one_builder_made_is_not_said_to_be_reproduced() -> None:
    said = predicate(summary(agree=1, asked=1))
    assert said["verificationResult"] == "PASSED"
    assert said["verifiedLevels"] == ["SLSA_BUILD_LEVEL_UNEVALUATED"]


def test_a_summary_has_the_fields_that_slsa_requires_and_opens_the_order() -> None:
    value = canonical.decode(encode_summary(summary()).payload)
    assert value["_type"] == "https://in-toto.io/Statement/v1"
    assert value["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert value["subject"][0] == {"digest": {"sha256": "e3" * 32}, "name": "a"}
    said = value["predicate"]
    opened = said["f2fbuild_order"]
    assert Order.decode(opened["payload"].encode()) == ORDER
    assert (opened["entry"], opened["salt"]) == (7, bytes(range(32)).hex())
    job = ORDER.job_id
    assert said["policy"] == {"digest": {"sha256": job}, "uri": f"f2fbuild:order/{job}"}
    assert said["resourceUri"] == f"f2fbuild:build/{ORDER.build_key}"
    assert said["verifier"] == {"id": "f2fbuild.invalid/log/" + "0f" * 32}
    assert [one["digest"]["sha256"] for one in said["inputAttestations"]] == ["f1" * 32, "f2" * 32]
    assert said["timeVerified"] == "2026-09-21T14:20:00Z"
    assert said["slsaVersion"] == "1.2"


def test_fewer_than_ordered_do_not_pass() -> None:
    with pytest.raises(FormatError, match="fewer agree"):
        decode_summary(encode_summary(summary(agree=2, asked=3)).payload)
    failed = summary(VerdictKind.DIVERGED, agree=2, asked=3)
    assert decode_summary(encode_summary(failed).payload) == failed


def test_many_subjects_become_a_blob() -> None:
    many = tuple(Subject(name=f"{n:05}", sha256=f"{n:064x}") for n in range(40_000))
    encoded = encode_summary(replace(summary(), subjects=many))
    key = SigningKey.from_seed(bytes(32))
    assert len(seal("application/vnd.in-toto+json", encoded.payload, key)) <= ENVELOPE_BYTES
    blob = canonical.decode(encoded.products)
    assert [(one["name"], one["digest"]["sha256"]) for one in blob] == [(s.name, s.sha256) for s in many]
    read = decode_summary(encoded.payload)
    assert read.subjects == (Subject(name="products.json", sha256=sha256_hex(encoded.products)),)
    assert encode_summary(read).payload == encoded.payload


digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
numbers = st.integers(0, 2**53 - 1)
subjects = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=9),
    st.tuples(digests | st.just(""), digests | st.just("")).filter(any),
    min_size=1,
    max_size=4,
).map(lambda d: tuple(Subject(name=n, sha256=d[n][0], canonical=d[n][1]) for n in sorted(d)))


@given(
    st.builds(
        Summary,
        verifier=st.text(st.characters(codec="utf-8"), min_size=1),
        order_index=numbers,
        order=st.just(replace(ORDER, quorum=Quorum(builders=0, agree=0))),
        salt=st.binary(min_size=32, max_size=32),
        figures=st.builds(
            Figures,
            kind=st.sampled_from(VerdictKind),
            agree=numbers,
            denominator=numbers,
            needed=numbers,
            verified=numbers,
        ),
        subjects=subjects,
        outcomes=st.sets(digests, max_size=4).map(lambda some: tuple(sorted(some))),
        at=st.integers(0, 2**28).map(lambda n: n * 600),
    )
)
def test_summaries_round_trip(one: Summary) -> None:
    encoded = encode_summary(one)
    assert decode_summary(encoded.payload) == one
    assert encode_summary(decode_summary(encoded.payload)) == encoded


def change(path: str, new: Any) -> bytes:
    """Return a summary with one field, named by its path, set to another value."""
    value = canonical.decode(encode_summary(summary()).payload)
    *way, last = path.split(".")
    holder = value
    for step in way:
        holder = holder[int(step) if step.isdigit() else step]
    holder[int(last) if last.isdigit() else last] = new
    return canonical.encode(value)


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("_type", "https://in-toto.io/Statement/v0.1"),
        ("more", 1),
        ("predicate", []),
        ("predicate.more", 1),
        ("predicate.verifier", {"id": ""}),
        ("predicate.verifier", {"id": 1}),
        ("predicate.verifier.version", {"f2fbuild": "1"}),
        ("predicate.policy.uri", "f2fbuild:order/x"),
        ("predicate.policy.digest.sha256", "00" * 32),
        ("predicate.resourceUri", "f2fbuild:build/x"),
        ("predicate.slsaVersion", "1.0"),
        ("predicate.timeVerified", "2026-09-21T14:20:01Z"),
        ("predicate.timeVerified", "2026-09-21T14:20:00.0Z"),
        ("predicate.timeVerified", "1950-01-01T00:00:00Z"),
        ("predicate.verificationResult", "FAILED"),
        ("predicate.verifiedLevels", []),
        ("predicate.verifiedLevels", ["SLSA_BUILD_LEVEL_3", "SLSA_BUILD_REPRODUCED"]),
        (
            "predicate.inputAttestations",
            [{"digest": {"sha256": "f2" * 32}}, {"digest": {"sha256": "f1" * 32}}],
        ),
        ("predicate.inputAttestations", [{"digest": {"sha256": "F1" * 32}}]),
        ("predicate.inputAttestations", [{"digest": {"sha256": "f1" * 32}, "uri": "x"}]),
        ("predicate.f2fbuild_verdict.kind", "perhaps"),
        ("predicate.f2fbuild_verdict.agree", 1),
        ("predicate.f2fbuild_verdict.agree", True),
        ("predicate.f2fbuild_verdict.agree", -1),
        ("predicate.f2fbuild_order.entry", "7"),
        ("predicate.f2fbuild_order.salt", "00" * 31),
        ("predicate.f2fbuild_order.salt", "0F" * 32),
        ("predicate.f2fbuild_order.payload", "{}"),
        ("predicate.f2fbuild_order.payload", " " + ORDER.encode().decode()),
        ("subject", []),
        ("subject", [{"digest": {}, "name": "a"}]),
        ("subject", [{"digest": {"sha512": "00" * 64}, "name": "a"}]),
        ("subject.0.name", ""),
        ("subject.0.name", "c"),
        ("subject.0.name", "b"),
        ("subject.0.annotations", {}),
    ],
)
def test_second_spellings_and_lies_are_refused(path: str, new: Any) -> None:
    with pytest.raises(FormatError):
        decode_summary(change(path, new))


def rpm(name: str, sha256: str, digest: str) -> Product:
    return Product(kind="rpm", name=name, size=1, sha256=sha256 * 32, canonical=digest * 32)


def test_only_bytes_that_all_made_are_named() -> None:
    one = Succeeded(products=(rpm("b.rpm", "01", "0b"), rpm("a.rpm", "02", "0a"), plain("c.deb")))
    two = Succeeded(products=(rpm("b.rpm", "01", "0b"), rpm("a.rpm", "03", "0a"), plain("c.deb")))
    same = Subject(name="c.deb", sha256=plain("c.deb").sha256)
    assert agreed_subjects([one, two]) == (
        Subject(name="a.rpm", canonical="0a" * 32),
        Subject(name="b.rpm", sha256="01" * 32, canonical="0b" * 32),
        same,
    )
    assert agreed_subjects([one])[0] == Subject(name="a.rpm", sha256="02" * 32, canonical="0a" * 32)
    assert agreed_subjects([]) == ()


def test_a_machine_is_shown_as_alias_at_node() -> None:
    friend = Friend(node_id="", owner="", alias="dave", node="vps", vkey="", statement_key=b"")
    assert friend.name == "dave@vps"
