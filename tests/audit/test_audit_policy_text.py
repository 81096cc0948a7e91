"""The tlog-policy of a log, as a reader written from the specification alone takes it (`policy_checker`)."""

from collections.abc import Mapping
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.audit.policy_text import format_policy
from f2fbuild.errors import NobodyError
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.vkey import KeyKind, VerifierKey, own_name
from tests.ledger.ledger_helpers import ALICE
from tests.policy_checker import Policy, parse

OWNERS = tuple(f"{number:X}" * 40 for number in range(1, 7))


def witness(number: int) -> VerifierKey:
    public = SigningKey.from_seed(bytes([number]) * 32).public
    return VerifierKey(name=own_name("witness", public), kind=KeyKind.COSIGNATURE, public=public)


def witnesses(**nodes: int) -> dict[str, dict[str, VerifierKey]]:
    """How many nodes each owner has, by owner."""
    found: dict[str, dict[str, VerifierKey]] = {}
    number = 10
    for owner, count in nodes.items():
        found[owner] = {}
        for node in range(count):
            number += 1
            found[owner][f"node{node}"] = witness(number)
    return found


def apart(owners: tuple[str, ...]) -> int:
    return len(owners)


def shared(*groups: tuple[str, ...]) -> object:
    """Owners of one group have one voice; who stands in no group has none."""

    def count(owners: tuple[str, ...]) -> int:
        return len({number for number, group in enumerate(groups) for owner in owners if owner in group})

    return count


def policy(found: Mapping[str, Mapping[str, VerifierKey]], independent: object = apart) -> Policy:
    return parse(format_policy(ALICE.vkey, found, independent).encode())  # type: ignore[arg-type]


def test_an_owner_without_a_node_is_left_out() -> None:
    assert b"C" not in policy(witnesses(A=1, B=1, C=0)).groups


def test_two_owners_are_a_quorum_and_two_machines_of_one_are_none() -> None:
    found = policy(witnesses(A=2, B=1, C=1))
    assert [one.public for one in found.logs] == [ALICE.vkey.public]
    assert set(found.witnesses) == {b"A/node0", b"A/node1", b"B/node0", b"C/node0"}
    assert found.met({b"A/node0", b"B/node0"})
    assert found.met({b"A/node1", b"C/node0"})
    assert not found.met({b"A/node0", b"A/node1"})
    assert not found.met(set())


def test_owners_known_through_one_introducer_have_one_voice() -> None:
    found = policy(witnesses(A=1, B=1, C=1), shared(("A", "C"), ("B",)))
    assert found.met({b"A/node0", b"B/node0"})
    assert found.met({b"C/node0", b"B/node0"})
    assert not found.met({b"A/node0", b"C/node0"})


def test_an_owner_without_any_path_has_no_voice() -> None:
    found = policy(witnesses(A=1, B=1, C=1), shared(("A",), ("B",)))
    assert found.met({b"A/node0", b"B/node0"})
    assert not found.met({b"A/node0", b"C/node0"})
    assert not found.met({b"C/node0", b"B/node0"})


@pytest.mark.parametrize(
    ("found", "independent"),
    [
        ({}, apart),
        (witnesses(A=3), apart),
        (witnesses(A=1, B=0), apart),
        (witnesses(A=1, B=1), shared(("A", "B"))),
        (witnesses(A=1, B=1), lambda _owners: 0),
    ],
    ids=["nobody", "one owner", "an owner without a node", "one voice", "no path"],
)
def test_too_few_witnesses_are_no_policy(
    found: dict[str, dict[str, VerifierKey]], independent: object
) -> None:
    with pytest.raises(NobodyError, match="a quorum needs 2") as refused:
        policy(found, independent)
    assert refused.value.exit_code == 8


def test_the_same_friends_make_the_same_text_in_any_order() -> None:
    found = witnesses(A=2, B=1, C=1)
    backwards = {owner: dict(reversed(nodes.items())) for owner, nodes in reversed(found.items())}
    assert format_policy(ALICE.vkey, found, apart) == format_policy(ALICE.vkey, backwards, apart)


@given(st.lists(st.integers(0, 3), min_size=len(OWNERS), max_size=len(OWNERS)))
def test_a_quorum_is_never_met_by_fewer_voices_than_asked_for(voice_of: list[int]) -> None:
    voices = [tuple(o for o, v in zip(OWNERS, voice_of, strict=True) if v == number) for number in range(4)]
    independent = shared(*(group for group in voices if group))
    try:
        found = policy(witnesses(**dict.fromkeys(OWNERS, 1)), independent)
    except NobodyError:
        assert sum(bool(group) for group in voices) < 2
        return
    names = list(found.witnesses)
    for some in chain.from_iterable(combinations(names, size) for size in range(len(names) + 1)):
        owners = tuple(name.decode().split("/")[0] for name in some)
        assert found.met(set(some)) == (independent(owners) >= 2)  # type: ignore[operator]
