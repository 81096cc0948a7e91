"""The tlog-policy of a log, read by a parser written from the specification alone (c2sp.org/tlog-policy)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.audit.policy_text import format_policy
from f2fbuild.errors import NobodyError
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.vkey import KeyKind, VerifierKey, format_vkey, own_name, parse_vkey
from tests.ledger.ledger_helpers import ALICE

OWNERS = tuple(f"{number:X}" * 40 for number in range(1, 7))


@dataclass
class Policy:
    """What a policy file says."""

    logs: list[str] = field(default_factory=list)
    witnesses: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    quorum: str = ""

    def met(self, cosigned: set[str]) -> bool:
        """Whether cosignatures of these witnesses (by name) make a quorum."""
        return self.quorum == "none" or self._witnessed(self.quorum, cosigned)

    def _witnessed(self, name: str, cosigned: set[str]) -> bool:
        if name in self.witnesses:
            return name in cosigned
        threshold, members = self.groups[name]
        return sum(self._witnessed(member, cosigned) for member in members) >= threshold


def parse(text: str) -> Policy:
    """Line by line, with every MUST of the specification asserted."""
    assert text.endswith("\n")
    assert all(character in "\t\n" or 0x20 <= ord(character) < 0x7F for character in text)
    policy, members = Policy(), set[str]()
    for line in text.split("\n")[:-1]:
        match line.split():
            case ["log", vkey]:
                assert vkey not in policy.logs
                policy.logs.append(vkey)
            case ["witness", name, vkey]:
                assert name != "none"
                assert name not in policy.witnesses | policy.groups
                assert vkey.split("+")[2] not in {one.split("+")[2] for one in policy.witnesses.values()}
                policy.witnesses[name] = vkey
            case ["group", name, threshold, *listed]:
                assert name not in policy.witnesses | policy.groups
                assert listed
                for member in listed:
                    assert member in policy.witnesses | policy.groups
                    assert member not in members
                    members.add(member)
                number = {"any": 1, "all": len(listed)}.get(threshold) or int(threshold)
                assert 1 <= number <= len(listed)
                policy.groups[name] = (number, listed)
            case ["quorum", name]:
                assert not policy.quorum
                assert name == "none" or name in policy.witnesses | policy.groups
                policy.quorum = name
            case other:
                pytest.fail(f"not a line of a policy: {other}")
    assert policy.quorum
    return policy


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
    return parse(format_policy(ALICE.vkey, found, independent))  # type: ignore[arg-type]


def test_an_owner_without_a_node_is_left_out() -> None:
    assert "C" not in policy(witnesses(A=1, B=1, C=0)).groups


def test_two_owners_are_a_quorum_and_two_machines_of_one_are_none() -> None:
    found = policy(witnesses(A=2, B=1, C=1))
    assert found.logs == [format_vkey(ALICE.vkey)]
    assert set(found.witnesses) == {"A/node0", "A/node1", "B/node0", "C/node0"}
    assert all(parse_vkey(vkey).kind is KeyKind.COSIGNATURE for vkey in found.witnesses.values())
    assert found.met({"A/node0", "B/node0"})
    assert found.met({"A/node1", "C/node0"})
    assert not found.met({"A/node0", "A/node1"})
    assert not found.met(set())


def test_owners_known_through_one_introducer_have_one_voice() -> None:
    found = policy(witnesses(A=1, B=1, C=1), shared(("A", "C"), ("B",)))
    assert found.met({"A/node0", "B/node0"})
    assert found.met({"C/node0", "B/node0"})
    assert not found.met({"A/node0", "C/node0"})


def test_an_owner_without_any_path_has_no_voice() -> None:
    found = policy(witnesses(A=1, B=1, C=1), shared(("A",), ("B",)))
    assert found.met({"A/node0", "B/node0"})
    assert not found.met({"A/node0", "C/node0"})
    assert not found.met({"C/node0", "B/node0"})


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
        owners = tuple(name.split("/")[0] for name in some)
        assert found.met(set(some)) == (independent(owners) >= 2)  # type: ignore[operator]
