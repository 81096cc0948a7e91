"""What entries speak of, and finding them by it."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.ledger import entry
from f2fbuild.ledger.facts import (
    Facts,
    Query,
    certificate_fields,
    facts_of,
    matches,
    may_match,
    package_of,
)
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.payloads import Kind
from f2fbuild.ledger.search import payload_type_of, search
from f2fbuild.model.times import parse_time
from tests.ledger.ledger_helpers import ALICE, DEFINITION, SOME, acceptance, failure, outcome, product

OTHER = "f" * 64
JSON = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5) | st.just(SOME),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "x"]), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("file", "package"),
    [
        ("hello-2.12-3.fc45.x86_64.rpm", "hello"),
        ("hello-debuginfo-2.12-3.fc45.x86_64.rpm", "hello-debuginfo"),
        ("hello-2.12-3.fc45.src.rpm", "hello"),
        ("hello_2.10-3_amd64.deb", "hello"),
        ("hello_2.10-3.dsc", "hello"),
        ("libc6-udeb_2.36_amd64.udeb", "libc6-udeb"),
        ("odd.rpm", "odd.rpm"),
        ("environment.lock", "environment.lock"),
    ],
)
def test_the_package_of_a_file(file: str, package: str) -> None:
    assert package_of(file) == package


def test_what_an_outcome_speaks_of() -> None:
    built = outcome(ALICE.origin, product(b"one"))
    found = facts_of(built.statement)
    assert found.names[0] in ("hello.rpm", "hello.src.rpm")
    assert {"hello.rpm", "hello.src.rpm", "environment.lock", "build.log"} <= set(found.names)
    assert found.build_key == DEFINITION.build_key
    assert found.time == 1200
    assert {SOME, hashlib.sha256(b"one").hexdigest(), DEFINITION.build_key, "ab" * 32} <= found.digests


def test_what_a_certificate_speaks_of() -> None:
    text = ALICE.certificate().text.replace(b"epoch 0", b"not-before 2026-01-31T12:00:00Z\nepoch 0")
    found = facts_of(text)
    assert found.time == parse_time("2026-01-31T12:00:00Z")
    assert ALICE.statements.public.hex() in found.digests
    assert ALICE.origin.rpartition("/")[2] in found.digests
    assert (found.names, found.build_key) == ((), "")
    assert certificate_fields(text)["node"] == "büro"
    assert facts_of(b"\xff\x00 no text at all") == Facts(digests=frozenset(), names=(), build_key="", time=0)


@given(JSON)
def test_every_digest_in_a_payload_is_found(value: object) -> None:
    data = json.dumps(value).encode()
    assert (SOME in facts_of(data).digests) == (f'"{SOME}"' in json.dumps(_values(value)))


def _values(value: object) -> object:
    """The strings that stand as values, not as names of fields."""
    if isinstance(value, dict):
        return [_values(one) for one in value.values()]
    return [_values(one) for one in value] if isinstance(value, list) else value


def test_json_that_is_nested_without_end_is_no_trouble() -> None:
    assert facts_of(b"[" * 100_000).names == ()
    assert facts_of(b"[" * 500 + b'"' + SOME.encode() + b'"' + b"]" * 500).digests == {SOME}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), True),
        (Query(digest=SOME), True),
        (Query(digest=OTHER), False),
        (Query(package="hello"), True),
        (Query(package="hello.rpm"), True),
        (Query(package="hel*"), True),
        (Query(package="help*"), False),
        (Query(package="ello"), False),
        (Query(build_key=DEFINITION.build_key), True),
        (Query(build_key=SOME), False),
        (Query(digest=SOME, package="nothing"), False),
    ],
)
def test_a_query(query: Query, found: bool) -> None:
    payload = outcome(ALICE.origin, product(b"one")).statement.replace(b"hello.src.rpm", b"hello-1-1.src.rpm")
    assert matches(facts_of(payload), query) is found
    assert may_match(payload, query) or not found


def test_a_glance_never_loses_what_matches() -> None:
    payload = outcome(ALICE.origin, failure()).statement
    assert not may_match(payload, Query(digest=OTHER))
    assert not may_match(payload, Query(package="nothing"))
    assert may_match(payload, Query(package="[x]"))


@pytest.mark.parametrize("kind", Kind)
def test_the_payload_type_of_a_kind_is_what_is_written(kind: Kind) -> None:
    samples: dict[Kind, entry.Payload] = {
        Kind.NODE_CERTIFICATE: ALICE.certificate(),
        Kind.OUTCOME: outcome(ALICE.origin, failure()),
        Kind.ACCEPTANCE: acceptance(),
        Kind.ORDER: entry.Order(commit=SOME),
        Kind.SEEN_HEADS: entry.SeenHeads(heads=SOME),
    }
    expected = entry.encode(samples[kind])[0] if kind in samples else payload_type_of(kind)
    assert payload_type_of(kind) == expected


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with Log.create(tmp_path / "log", ALICE.log) as log:
        payloads: list[entry.Payload] = [
            ALICE.certificate(),
            acceptance(),
            entry.Commitment(acceptance=1, digest=SOME),
            outcome(ALICE.origin, product(b"one"), 1),
            entry.Order(commit=OTHER),
        ]
        log.append([*ALICE.write(*payloads), b"no envelope", b'{"payload":"!","payloadType":5}'])
    return tmp_path / "log"


@pytest.mark.parametrize(
    ("query", "start", "found"),
    [
        (Query(), 0, [0, 1, 2, 3, 4, 5, 6]),
        (Query(digest=SOME), 0, [1, 2, 3]),
        (Query(digest=SOME), 2, [2, 3]),
        (Query(package="hello.rpm"), 0, [3]),
        (Query(payload_type=payload_type_of(Kind.ORDER)), 0, [4]),
        (Query(since=1200), 0, [3, 4, 5, 6]),
        (Query(since=1200, digest=OTHER), 0, [4]),
        (Query(since=1200), 4, [4, 5, 6]),
        (Query(since=1201), 0, []),
    ],
)
def test_search(directory: Path, query: Query, start: int, found: list[int]) -> None:
    assert [index for index, _ in search(directory, ALICE.vkey, query, start)] == found
