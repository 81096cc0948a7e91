"""What builders sign, and the digest of a result."""

import hashlib
import json
from collections.abc import Callable
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
from f2fbuild.model.outcome import (
    Cancelled,
    ClosingReason,
    ExitClass,
    Failed,
    Infra,
    Product,
    Result,
    Stage,
    Succeeded,
    TimedOut,
    check_product,
    closing_reason,
    result_digest,
)
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.statement import PAYLOAD_TYPE, BuildStatement, decode, encode, products_blob
from tests.model.model_facts import DEFINITION, ORIGIN, plain, rpm, statement

SUCCESS = Succeeded(products=(rpm("hello-2.12-1.x86_64.rpm"), rpm("hello-debuginfo-2.12-1.x86_64.rpm")))
FAILURE = Failed(stage=Stage.BUILD, exit_class=ExitClass.NONZERO)
_DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
_NAMES = st.from_regex(r"[a-z0-9][a-z0-9.+~_-]{0,30}", fullmatch=True)
_SIZES = st.integers(min_value=0, max_value=2**50)
_RPMS = st.builds(
    Product,
    kind=st.just("rpm"),
    name=_NAMES,
    size=_SIZES,
    sha256=_DIGESTS,
    canonical=_DIGESTS,
    content=_DIGESTS | st.just(""),
)


@st.composite
def _whole_files(draw: st.DrawFn) -> Product:
    kind, digest = draw(st.sampled_from(["deb", "udeb", "file"])), draw(_DIGESTS)
    content = "" if kind == "file" else draw(_DIGESTS | st.just(""))
    return Product(
        kind=kind, name=draw(_NAMES), size=draw(_SIZES), sha256=digest, canonical=digest, content=content
    )


RESULTS: st.SearchStrategy[Result] = st.one_of(
    st.builds(Failed, stage=st.sampled_from(Stage), exit_class=st.sampled_from(ExitClass)),
    st.lists(_RPMS | _whole_files(), min_size=1, max_size=5, unique_by=lambda product: product.name).map(
        lambda products: Succeeded(products=tuple(sorted(products, key=lambda product: product.name)))
    ),
)


@given(RESULTS)
def test_a_statement_comes_back_and_so_do_its_bytes(result: Result) -> None:
    said = statement(result)
    encoded = encode(said)
    assert decode(encoded.payload, encoded.products) == said
    assert encode(decode(encoded.payload, encoded.products)) == encoded
    assert encoded.products == b""
    assert products_blob(encoded.payload) == ""


def test_success_is_slsa_provenance() -> None:
    value = json.loads(encode(statement(SUCCESS)).payload)
    assert value["_type"] == "https://in-toto.io/Statement/v1"
    assert value["predicateType"] == "https://slsa.dev/provenance/v1"
    definition = value["predicate"]["buildDefinition"]
    assert definition["buildType"] == "https://f2fbuild.invalid/buildtypes/rpm/v1"
    assert definition["internalParameters"] == {"f2fbuild_buildKey": DEFINITION.build_key}
    assert value["predicate"]["runDetails"]["builder"] == {"id": ORIGIN}
    assert value["subject"][0] == {
        "annotations": {"kind": "rpm", "size": 4711},
        "digest": {"f2fbuild_rpmCanonical": "c1" * 32, "f2fbuild_rpmContent": "d1" * 32, "sha256": "e1" * 32},
        "name": "hello-2.12-1.x86_64.rpm",
    }


def test_failure_is_a_test_result_about_the_sources() -> None:
    value = json.loads(encode(statement(FAILURE)).payload)
    assert value["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert value["predicate"]["result"] == "FAILED"
    assert value["predicate"]["failedTests"] == ["build"]
    assert [subject["name"] for subject in value["subject"]] == ["hello-2.12.tar.gz", "hello.spec"]


def test_many_products_move_into_a_blob_and_the_envelope_stays_within_its_limit() -> None:
    few = Succeeded(products=tuple(plain(f"file-{number:04}") for number in range(100)))
    assert encode(statement(few)).products == b""
    many = statement(Succeeded(products=tuple(plain(f"file-{number:04}") for number in range(1000))))
    encoded = encode(many)
    assert products_blob(encoded.payload) == sha256_hex(encoded.products)
    assert decode(encoded.payload, encoded.products) == many
    for missing in (b"", canonical.encode(json.loads(encoded.products)[1:])):
        with pytest.raises(FormatError):
            decode(encoded.payload, missing)
    unneeded = encode(statement(SUCCESS))
    with pytest.raises(FormatError):
        decode(unneeded.payload, encoded.products)


@given(st.integers(min_value=150, max_value=300))
def test_no_envelope_exceeds_its_limit(number: int) -> None:
    products = tuple(plain(f"file-{index:04}") for index in range(number))
    payload = encode(statement(Succeeded(products=products))).payload
    envelope = seal(PAYLOAD_TYPE, payload, SigningKey.from_seed(bytes(32)))
    assert len(envelope) <= ENVELOPE_BYTES


def test_more_products_than_a_build_may_have_are_refused() -> None:
    products = tuple(plain(f"file-{number:06}") for number in range(50_001))
    encoded = encode(statement(Succeeded(products=products)))
    with pytest.raises(FormatError):
        decode(encoded.payload, encoded.products)


def _set(*path: str | int, to: Any) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = to

    return change


_METADATA = ("predicate", "runDetails", "metadata")
_PUBLIC = ("predicate", "buildDefinition")
_TWICE = json.loads(encode(statement(SUCCESS)).payload)["subject"][:1] * 2


@pytest.mark.parametrize(
    "change",
    [
        _set("_type", to="https://in-toto.io/Statement/v0.1"),
        _set("predicateType", to="https://slsa.dev/provenance/v0.2"),
        _set("extra", to=1),
        _set("subject", to=[]),
        _set("subject", to=_TWICE),
        _set("subject", to=5),
        _set("subject", 0, "name", to="zzz-unsorted.rpm"),
        _set("subject", 0, "name", to="a\nfile forged"),
        _set("subject", 0, "annotations", "size", to=True),
        _set("subject", 0, "annotations", "kind", to="exe"),
        _set("subject", 0, "annotations", "kind", to=["rpm"]),
        _set("subject", 0, "digest", "sha256", to="E1" * 32),
        _set("subject", 0, "digest", "md5", to="e1" * 16),
        _set("predicate", to="text"),
        _set("predicate", "runDetails", "byproducts", to=[]),
        _set("predicate", "runDetails", "builder", to={"id": ORIGIN, "version": "1"}),
        _set(*_METADATA, "f2fbuild_acceptance", to=True),
        _set(*_METADATA, "f2fbuild_acceptance", to=-1),
        _set(*_METADATA, "f2fbuild_acceptance", to="12"),
        _set(*_METADATA, "f2fbuild_nonce", to="00"),
        _set(*_METADATA, "startedOn", to="2026-09-21T13:00:00+00:00"),
        _set(*_METADATA, "startedOn", to=5),
        _set(*_METADATA, "invocationId", to="job"),
        _set(*_PUBLIC, "internalParameters", "f2fbuild_buildKey", to="00" * 32),
        _set(*_PUBLIC, "externalParameters", "surprise", to=1),
        _set(*_PUBLIC, "resolvedDependencies", 0, "name", to=5),
    ],
)
def test_statements_that_are_not_ours_are_refused(change: Callable[[Any], None]) -> None:
    value = json.loads(encode(statement(SUCCESS)).payload)
    change(value)
    with pytest.raises(FormatError):
        decode(canonical.encode(value))


@pytest.mark.parametrize(
    "change",
    [
        _set("predicate", "result", to="PASSED"),
        _set("predicate", "failedTests", to=["build", "test"]),
        _set("predicate", "failedTests", to=["coffee"]),
        _set("predicate", "f2fbuild_exitClass", to="tired"),
        _set("subject", to=[]),
    ],
)
def test_failures_that_are_not_ours_are_refused(change: Callable[[Any], None]) -> None:
    value = json.loads(encode(statement(FAILURE)).payload)
    change(value)
    with pytest.raises(FormatError):
        decode(canonical.encode(value))


@pytest.mark.parametrize("payload", [b"[]", b"5", b'"text"', b"{}", b'{"predicate":1,"predicateType":2}'])
def test_what_is_no_statement_is_refused_and_names_no_blob(payload: bytes) -> None:
    with pytest.raises(FormatError):
        decode(payload)
    assert products_blob(payload) == ""


def test_a_products_list_without_a_digest_is_refused() -> None:
    payload = b'{"subject":[{"digest":{"sha256":"../etc/passwd"},"name":"products.json"}]}'
    with pytest.raises(FormatError):
        products_blob(payload)


def test_the_digest_of_a_result_by_hand() -> None:
    # sha256sum of these lines, sorted, each with its LF.
    first = f"file {'e2' * 32} 7 zebra\n"
    second = f"rpm {'c1' * 32} 4711 alpha.rpm\n"
    expected = hashlib.sha256((first + second).encode()).hexdigest()
    assert result_digest(Succeeded(products=(rpm("alpha.rpm"), plain("zebra")))) == expected
    failed = hashlib.sha256(b"failed nonzero build\n").hexdigest()
    assert result_digest(FAILURE) == failed
    assert result_digest(Succeeded(products=())) == hashlib.sha256(b"").hexdigest()


@given(RESULTS, st.randoms(use_true_random=False))
def test_the_order_of_products_is_of_no_account(result: Result, random: Any) -> None:
    if isinstance(result, Succeeded):
        shuffled = list(result.products)
        random.shuffle(shuffled)
        assert result_digest(Succeeded(products=tuple(shuffled))) == result_digest(result)


def test_only_what_is_voted_on_enters_the_digest() -> None:
    product = rpm("a.rpm")
    digest = result_digest(Succeeded(products=(product,)))
    for same in (replace(product, sha256="00" * 32), replace(product, content="00" * 32)):
        assert result_digest(Succeeded(products=(same,))) == digest
    for other in (
        replace(product, kind="file"),
        replace(product, canonical="00" * 32),
        replace(product, size=1),
        replace(product, name="b.rpm"),
    ):
        assert result_digest(Succeeded(products=(other,))) != digest
    assert result_digest(Succeeded(products=(product, plain("extra")))) != digest


@pytest.mark.parametrize("product", [rpm("a.rpm"), rpm("a.rpm", content=""), plain("ü b")])
def test_good_products_pass(product: Product) -> None:
    assert check_product(product) is product


@pytest.mark.parametrize(
    "product",
    [
        replace(rpm("a.rpm"), kind="rpm x"),
        replace(rpm("a.rpm"), size=-1),
        replace(rpm("a.rpm"), size=True),
        rpm(""),
        rpm("."),
        rpm(".."),
        rpm("../a.rpm"),
        rpm("a\nb"),
        rpm("a\x1b[2J"),
        rpm("a\udc80"),
        rpm("ü" * 128),
        replace(rpm("a.rpm"), sha256="e1"),
        rpm("a.rpm", canonical="C1" * 32),
        rpm("a.rpm", content="d"),
    ],
)
def test_products_that_could_be_misread_are_refused(product: Product) -> None:
    with pytest.raises(FormatError):
        check_product(product)


def test_what_is_no_result_has_its_closing_reason() -> None:
    assert closing_reason(Infra(stage=Stage.CHROOT, reason="disk full")) is ClosingReason.INFRA
    assert closing_reason(TimedOut(stage=Stage.BUILD)) is ClosingReason.TIMED_OUT
    assert closing_reason(Cancelled()) is ClosingReason.CANCELLED


def test_no_two_fields_of_a_statement_are_mixed_up() -> None:
    said = statement(SUCCESS)
    for name in BuildStatement.__dataclass_fields__:
        if name not in ("definition", "result", "acceptance", "started", "finished", "origin"):
            other: dict[str, Any] = {name: "99" * 32}
            changed = replace(said, **other)
            assert decode(encode(changed).payload) == changed != said
