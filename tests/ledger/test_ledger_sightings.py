"""Which heads that others saw are kept, and who of those that saw one dates it."""

import random
from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.ledger.evidence import Cosigner, read_node
from f2fbuild.ledger.sightings import chosen, earliest_pair, is_wanted, superfluous
from f2fbuild.limits import EVIDENCE_WITNESSES, SIGHTING_SECONDS, SIGHTINGS_IN_FULL, SIGHTINGS_OLD
from tests.ledger.evidence_people import Node

DAY = SIGHTING_SECONDS
NODES = {owner: read_node(Node(owner, number).file()) for number, owner in enumerate("ABCDEF0123", 1)}
TWICE = read_node(Node("A", 20).file())


def seen(**times: int) -> list[Cosigner]:
    """Who saw a head, and when, by the letter of the owner (o0 is the owner of the digit 0)."""
    return [Cosigner(node=NODES[owner.removeprefix("o")], time=time) for owner, time in times.items()]


def letters(some: Sequence[Cosigner]) -> str:
    return "".join(one.node.owner[0] for one in some)


def voices(*groups: str) -> object:
    """Owners of one group have one voice; who stands in none has none."""
    return lambda owners: len({n for n, group in enumerate(groups) for one in owners if one[0] in group})


APART = voices(*"ABCDEF0123")


def pair(some: Sequence[Cosigner], independent: object = APART) -> str:
    return letters(earliest_pair(some, independent))  # type: ignore[arg-type]


def test_one_is_wanted_for_each_day() -> None:
    assert is_wanted([], 5 * DAY)
    assert is_wanted([5 * DAY - 1, 6 * DAY], 5 * DAY)
    assert not is_wanted([5 * DAY], 6 * DAY - 1)


def test_old_days_give_way_to_months_and_the_first_of_each_stays() -> None:
    now = 1_000 * DAY
    kept = [day * DAY + 7 for day in range(1_000)]
    going = superfluous(kept, now)
    left = sorted(set(kept) - set(going))
    recent = [one for one in left if one >= now - SIGHTINGS_IN_FULL * DAY]
    assert len(recent) == SIGHTINGS_IN_FULL
    old = left[: -len(recent)]
    assert [one // DAY for one in old] == list(range(0, 1_000 - SIGHTINGS_IN_FULL, SIGHTINGS_OLD))
    # Once more, nothing goes.
    assert superfluous(left, now) == ()


@given(st.lists(st.integers(0, 4_000), max_size=60, unique=True), st.integers(0, 4_000))
def test_day_by_day_as_much_is_kept_as_at_once_and_never_without_bound(days: list[int], end: int) -> None:
    kept: list[int] = []
    for day in sorted(one for one in days if one <= end):
        kept = [one for one in kept if one not in superfluous(kept, day * DAY)] + [day * DAY]
    whole = sorted(day * DAY for day in days if day <= end)
    kept = sorted(set(kept) - set(superfluous(kept, end * DAY)))
    assert kept == sorted(set(whole) - set(superfluous(whole, end * DAY)))
    assert len(kept) <= SIGHTINGS_IN_FULL + 1 + end // SIGHTINGS_OLD + 1


@pytest.mark.parametrize(
    ("some", "independent", "found"),
    [
        ([], APART, ""),
        (seen(A=5), APART, ""),
        (seen(A=5, B=3, C=9), APART, "BA"),
        (seen(A=1, B=2, C=3), voices("AB", "C"), "AC"),
        (seen(A=1, B=2, C=3), voices("A", "BC"), "AB"),
        (seen(A=1, B=2, C=3), voices("B", "C"), "BC"),
        (seen(A=1, B=2, C=3), voices("ABC"), ""),
        ([*seen(A=5), Cosigner(node=TWICE, time=6)], APART, ""),
        ([*seen(A=5, B=9), Cosigner(node=TWICE, time=3)], APART, "AB"),
    ],
)
def test_the_two_who_date_a_head_the_soonest(some: list[Cosigner], independent: object, found: str) -> None:
    assert pair(some, independent) == found


@given(
    st.lists(st.integers(0, 9), min_size=6, max_size=6),
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
    st.randoms(),
)
def test_no_other_pair_dates_it_sooner(times: list[int], groups: list[int], chance: random.Random) -> None:
    some = seen(**dict(zip("ABCDEF", times, strict=True)))
    chance.shuffle(some)
    named = ["".join(o for o, g in zip("ABCDEF", groups, strict=True) if g == number) for number in range(3)]
    independent = voices(*named)
    every = [
        max(one.time, other.time)
        for one, other in combinations(some, 2)
        if independent((one.node.owner, other.node.owner)) == 2  # type: ignore[operator]
    ]
    found = earliest_pair(some, independent)  # type: ignore[arg-type]
    assert [one.time for one in found][-1:] == ([min(every)] if every else [])


def test_as_many_are_named_as_evidence_holds_the_pair_first() -> None:
    some = seen(**{f"o{digit}": int(digit) for digit in "0123"}, **dict.fromkeys("ABCDEF", 50))
    named = chosen(some, voices("012ABCDE", "F"))  # type: ignore[arg-type]
    assert letters(named)[:2] == "0F"
    assert len(named) == EVIDENCE_WITNESSES
    assert letters(named)[2:5] == "123"
    assert chosen(some, voices("0123ABCDEF")) == ()  # type: ignore[arg-type]
