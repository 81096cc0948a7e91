"""Orders, build keys, and the tables that verdicts lead to."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.model import canonical
from f2fbuild.model.job import DEFAULT_QUORUM, BuildDefinition, Dependency, JobClass, JobState, Order, Quorum
from f2fbuild.model.verdict import EXIT_CODE, FINAL_STATE, VerdictKind
from tests.model.model_facts import DEFINITION

ORDER = Order(
    build_key=DEFINITION.build_key,
    job_class=JobClass.TESTING,
    quorum=Quorum(builders=2, agree=2),
    created=1_790_000_000,
    deadline=1_790_086_400,
    nonce="0f" * 16,
)


EMBARGOED = replace(ORDER, deadline=1_790_300_000, reveal_by=1_790_200_200)


def test_an_embargo_is_part_of_the_order_and_no_embargo_is_absent() -> None:
    assert b"revealBy" not in ORDER.encode()
    assert canonical.decode(EMBARGOED.encode())["revealBy"] == 1_790_200_200
    assert Order.decode(EMBARGOED.encode()) == EMBARGOED
    assert EMBARGOED.job_id != replace(EMBARGOED, reveal_by=0).job_id


@pytest.mark.parametrize("value", [0, -1, True, "1790200200", {}])
def test_an_embargo_that_is_none_is_refused(value: Any) -> None:
    payload = canonical.encode({**canonical.decode(ORDER.encode()), "revealBy": value})
    with pytest.raises(FormatError):
        Order.decode(payload)


def test_a_build_key_by_hand() -> None:
    # The bytes of a build key, written out.
    text = (
        '{"buildType":"https://f2fbuild.invalid/buildtypes/rpm/v1",'
        '"externalParameters":{"arch":"x86_64","cpus":2,"format":"rpm","macros":{"dist":".fc45"}},'
        '"resolvedDependencies":['
        '{"digest":{"sha256":"' + "a1" * 32 + '"},"name":"hello-2.12.tar.gz"},'
        '{"digest":{"sha256":"' + "a2" * 32 + '"},"name":"hello.spec"},'
        '{"digest":{"sha256":"' + "b0" * 32 + '"},"name":"environment.lock"}]}'
    )
    expected = hashlib.sha256(b"f2fbuild build key v1\n" + text.encode()).hexdigest()
    assert DEFINITION.build_key == expected


@pytest.mark.parametrize(
    "other",
    [
        replace(DEFINITION, lock="b1" * 32),
        replace(DEFINITION, sources=DEFINITION.sources[:1]),
        replace(DEFINITION, parameters={**DEFINITION.parameters, "cpus": 3}),
    ],
)
def test_whatever_decides_the_bits_changes_the_key(other: BuildDefinition) -> None:
    assert other.build_key != DEFINITION.build_key


def test_a_definition_comes_back() -> None:
    value = DEFINITION.to_json()
    assert BuildDefinition.from_json(value) == DEFINITION
    assert BuildDefinition.from_json(value).to_json() == value
    assert DEFINITION.format == "rpm"


def _definition(**changes: Any) -> Any:
    return {**json.loads(canonical.encode(DEFINITION.to_json())), **changes}


def _dependency(name: Any, sha256: Any = "a1" * 32) -> dict[str, Any]:
    return {"digest": {"sha256": sha256}, "name": name}


_LOCK = _dependency("environment.lock")


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "text",
        [],
        {},
        _definition(extra=1),
        _definition(buildType="https://f2fbuild.invalid/buildtypes/deb/v1"),
        _definition(externalParameters=[]),
        _definition(externalParameters={"arch": "x86_64"}),
        _definition(externalParameters={"format": "rpm", "hostfile": "/etc/passwd"}),
        _definition(resolvedDependencies=[]),
        _definition(resolvedDependencies=[_LOCK]),
        _definition(resolvedDependencies=[_dependency("a"), _dependency("b")]),
        _definition(resolvedDependencies=[_dependency("b"), _dependency("a"), _LOCK]),
        _definition(resolvedDependencies=[_dependency("a"), _dependency("a"), _LOCK]),
        _definition(resolvedDependencies=[_dependency(5), _dependency("a"), _LOCK]),
        _definition(resolvedDependencies=[_dependency(["a"]), _LOCK]),
        _definition(resolvedDependencies=[_dependency("a", "A1" * 32), _LOCK]),
        _definition(resolvedDependencies=[_dependency("a", 5), _LOCK]),
        _definition(resolvedDependencies=[{**_dependency("a"), "uri": "https://example.org"}, _LOCK]),
    ],
)
def test_definitions_in_another_spelling_are_refused(value: Any) -> None:
    with pytest.raises(FormatError):
        BuildDefinition.from_json(value)


@given(
    st.builds(
        Order,
        build_key=st.binary(min_size=32, max_size=32).map(bytes.hex),
        job_class=st.sampled_from(JobClass),
        quorum=st.builds(
            Quorum,
            builders=st.integers(min_value=1, max_value=9),
            agree=st.integers(min_value=1, max_value=9),
            tie_breakers=st.integers(min_value=0, max_value=5),
        ),
        created=st.integers(min_value=0, max_value=2**40),
        deadline=st.integers(min_value=0, max_value=2**40),
        nonce=st.binary(min_size=16, max_size=16).map(bytes.hex),
    )
)
def test_an_order_comes_back_and_so_do_its_bytes(order: Order) -> None:
    payload = order.encode()
    assert Order.decode(payload) == order
    assert Order.decode(payload).encode() == payload
    assert order.job_id == hashlib.sha256(payload).hexdigest()


def test_two_orders_of_one_build_are_two_jobs() -> None:
    again = replace(ORDER, nonce="1f" * 16)
    assert again.build_key == ORDER.build_key
    assert again.job_id != ORDER.job_id


def _order(**changes: Any) -> bytes:
    return canonical.encode({**json.loads(ORDER.encode()), **changes})


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{}",
        _order(extra=1),
        _order(builders="2"),
        _order(builders=True),
        _order(agree=-1),
        _order(created=[]),
        _order(**{"class": "royal"}),
        _order(nonce="0F" * 16),
        _order(nonce="0f" * 15),
        _order(nonce=5),
        _order(buildKey="00"),
    ],
)
def test_orders_in_another_spelling_are_refused(payload: bytes) -> None:
    with pytest.raises(FormatError):
        Order.decode(payload)


def test_every_class_has_a_quorum_that_can_be_reached() -> None:
    assert set(DEFAULT_QUORUM) == set(JobClass)
    assert all(1 <= quorum.agree <= quorum.builders for quorum in DEFAULT_QUORUM.values())


def test_every_verdict_ends_a_job() -> None:
    expected = {
        VerdictKind.DISPUTED: (JobState.SUCCEEDED, 0),
        VerdictKind.AGREE: (JobState.SUCCEEDED, 0),
        VerdictKind.FAILED: (JobState.FAILED, 4),
        VerdictKind.EQUIVALENT: (JobState.FAILED, 10),
        VerdictKind.DIVERGED: (JobState.FAILED, 10),
        VerdictKind.INFRA: (JobState.GAVEBACK, 9),
        VerdictKind.INCONCLUSIVE: (JobState.EXPIRED, 10),
    }
    assert {kind: (FINAL_STATE[kind], EXIT_CODE[kind]) for kind in VerdictKind} == expected


def test_dependencies_are_values() -> None:
    assert Dependency(name="a", sha256="a1" * 32) in {Dependency(name="a", sha256="a1" * 32)}
