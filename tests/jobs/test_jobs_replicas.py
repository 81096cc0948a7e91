"""How many builders a job still needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.jobs.lifecycle import OPEN
from f2fbuild.jobs.replicas import Asked, AskMore, Enough, GiveUp, GiveUpReason, Need, Wait, need
from f2fbuild.model.job import AssignmentState, Quorum
from f2fbuild.model.verdict import Verdict, VerdictKind

QUORUM = Quorum(builders=2, agree=2, tie_breakers=2)
S = AssignmentState


def verdict(
    kind: VerdictKind = VerdictKind.INCONCLUSIVE,
    *,
    accuses: tuple[str, ...] = (),
    struck: tuple[str, ...] = (),
    contradicting: tuple[str, ...] = (),
) -> Verdict:
    return Verdict(
        kind=kind,
        agree=0,
        denominator=0,
        needed=2,
        verified=0,
        result="",
        accuses=accuses,
        struck=struck,
        self_contradicting=contradicting,
    )


def asked(**states: AssignmentState) -> list[Asked]:
    """Builders by owner; those whose names begin with `tie` break ties."""
    return [
        Asked(node=f"node of {owner}", owner=owner, state=state, tie_break=owner.startswith("tie"))
        for owner, state in states.items()
    ]


def ask(
    of: list[Asked],
    said: Verdict | None = None,
    *,
    now: int = 0,
    obtainable: bool = True,
    at_once: bool = True,
    quorum: Quorum = QUORUM,
) -> Need:
    return need(of, quorum, said or verdict(), now=now, deadline=100, obtainable=obtainable, at_once=at_once)


def more(number: int, *excluding: str, tie_break: bool = False, replacing: tuple[str, ...] = ()) -> AskMore:
    return AskMore(number=number, tie_break=tie_break, excluding=frozenset(excluding), replacing=replacing)


def test_first_as_many_as_were_ordered() -> None:
    assert ask([]) == more(2)
    assert ask(asked(bob=S.OFFERED)) == more(1, "bob")
    assert ask(asked(bob=S.OFFERED, dave=S.BUILDING)) == Wait(open=2)
    assert ask(asked(bob=S.DONE, dave=S.COMMITTED)) == Wait(open=1)


def test_who_refused_is_not_counted_and_may_be_looked_at_again() -> None:
    assert ask(asked(bob=S.REFUSED, dave=S.ACCEPTED)) == more(1, "dave")


@pytest.mark.parametrize("state", [S.LOST, S.CANCELLED])
def test_who_is_lost_is_replaced_by_another_owner(state: AssignmentState) -> None:
    of = asked(bob=state, dave=S.BUILDING)
    assert ask(of) == more(1, "bob", "dave", replacing=("bob",))
    taken_over = Asked(node="n", owner="erin", state=S.BUILDING, replaces="bob")
    assert ask([*of, taken_over]) == Wait(open=2)
    lost_again = Asked(node="n", owner="erin", state=S.LOST, replaces="bob")
    assert ask([*of, lost_again]) == more(1, "bob", "dave", "erin", replacing=("erin",))


def test_a_replacement_that_refuses_takes_over_nothing() -> None:
    refused = Asked(node="n", owner="erin", state=S.REFUSED, replaces="bob")
    of = [*asked(bob=S.LOST, dave=S.BUILDING), refused]
    assert ask(of) == more(1, "bob", "dave", replacing=("bob",))


@pytest.mark.parametrize("said", [verdict(struck=("bob",)), verdict(contradicting=("bob",))])
def test_a_statement_that_does_not_count_is_replaced(said: Verdict) -> None:
    assert ask(asked(bob=S.DONE, dave=S.DONE), said) == more(1, "bob", "dave", replacing=("bob",))


def test_ties_are_broken_one_after_the_other_as_often_as_ordered() -> None:
    pair = {"bob": S.DONE, "dave": S.DONE}
    assert ask(asked(**pair)) == more(1, "bob", "dave", tie_break=True)
    assert ask(asked(**pair, tie1=S.BUILDING)) == Wait(open=1)
    assert ask(asked(**pair, tie1=S.DONE)) == more(1, "bob", "dave", "tie1", tie_break=True)
    both = asked(**pair, tie1=S.DONE, tie2=S.DONE)
    assert ask(both) == GiveUp(reason=GiveUpReason.TIE_BREAKERS)
    none = Quorum(builders=2, agree=2, tie_breakers=0)
    assert ask(asked(**pair), quorum=none) == GiveUp(reason=GiveUpReason.TIE_BREAKERS)


def test_a_lost_tie_breaker_is_replaced_and_not_used_up() -> None:
    of = asked(bob=S.DONE, dave=S.DONE, tie1=S.LOST)
    assert ask(of) == more(1, "bob", "dave", "tie1", tie_break=True, replacing=("tie1",))


def test_a_seat_is_replaced_by_one_of_its_kind() -> None:
    of = asked(tie1=S.LOST, bob=S.LOST, dave=S.DONE)
    assert ask(of) == more(1, "tie1", "bob", "dave", replacing=("bob",))
    taken_over = Asked(node="n", owner="erin", state=S.DONE, replaces="bob")
    expected = more(1, "tie1", "bob", "dave", "erin", tie_break=True, replacing=("tie1",))
    assert ask([*of, taken_over]) == expected


def test_nobody_left_ends_the_wait_once_all_have_answered() -> None:
    assert ask([], obtainable=False) == GiveUp(reason=GiveUpReason.NOBODY)
    assert ask(asked(bob=S.BUILDING), obtainable=False) == Wait(open=1)
    assert ask(asked(bob=S.DONE, dave=S.DONE), obtainable=False) == GiveUp(reason=GiveUpReason.NOBODY)


@pytest.mark.parametrize("of", [[], asked(bob=S.BUILDING), asked(bob=S.DONE, dave=S.DONE)])
def test_the_deadline_ends_everything(of: list[Asked]) -> None:
    assert ask(of, now=99) != GiveUp(reason=GiveUpReason.DEADLINE)
    assert ask(of, now=100) == GiveUp(reason=GiveUpReason.DEADLINE)


@pytest.mark.parametrize("kind", [VerdictKind.AGREE, VerdictKind.FAILED, VerdictKind.EQUIVALENT])
@pytest.mark.parametrize("now", [0, 100])
def test_a_decided_job_needs_nobody(kind: VerdictKind, now: int) -> None:
    assert ask(asked(bob=S.DONE, dave=S.BUILDING), verdict(kind), now=now) == Enough()


THREE = {"bob": S.DONE, "dave": S.DONE, "mallory": S.DONE}
WIDE = Quorum(builders=3, agree=2, tie_breakers=2)
DISPUTED = verdict(VerdictKind.DISPUTED)


def test_a_disputed_majority_asks_one_tie_breaker_more_before_it_accuses() -> None:
    expected = more(1, *THREE, tie_break=True)
    assert ask(asked(**THREE), DISPUTED, quorum=WIDE) == expected
    assert ask(asked(**THREE, tie1=S.BUILDING), DISPUTED, quorum=WIDE) == Wait(open=1)
    accused = verdict(VerdictKind.DISPUTED, accuses=("mallory",))
    assert ask(asked(**THREE, tie1=S.DONE), accused, quorum=WIDE) == Enough()


def test_a_disputed_majority_does_not_wait_for_ever() -> None:
    assert ask(asked(**THREE), DISPUTED, quorum=WIDE, obtainable=False) == Enough()
    assert ask(asked(**THREE), DISPUTED, quorum=WIDE, at_once=False) == Enough()
    assert ask(asked(**THREE), DISPUTED, quorum=WIDE, now=100) == Enough()
    used = asked(**THREE, tie1=S.DONE, tie2=S.DONE)
    assert ask(used, DISPUTED, quorum=WIDE) == Enough()


def test_a_disputed_majority_needs_no_slow_builder() -> None:
    slow = asked(**THREE, erin=S.BUILDING)
    of_four = Quorum(builders=4, agree=2, tie_breakers=1)
    assert isinstance(ask(slow, DISPUTED, quorum=of_four), AskMore)
    assert ask(slow, DISPUTED, quorum=of_four, at_once=False) == Enough()


OWNERS = ("ann", "bob", "cat", "dan", "eve")
EVERYBODY = st.lists(
    st.builds(
        Asked,
        node=st.just("node"),
        owner=st.sampled_from(OWNERS),
        state=st.sampled_from(AssignmentState),
        tie_break=st.booleans(),
        replaces=st.sampled_from(("", *OWNERS)),
    ),
    max_size=6,
    unique_by=lambda one: one.owner,
)
QUORUMS = st.builds(
    Quorum,
    builders=st.integers(min_value=1, max_value=4),
    agree=st.just(1),
    tie_breakers=st.integers(min_value=0, max_value=2),
)


@given(EVERYBODY, QUORUMS, st.sampled_from(VerdictKind), st.booleans(), st.booleans())
def test_what_holds_for_every_answer(
    of: list[Asked], quorum: Quorum, kind: VerdictKind, obtainable: bool, at_once: bool
) -> None:
    answer = ask(of, verdict(kind), quorum=quorum, obtainable=obtainable, at_once=at_once)
    held = [one for one in of if one.state in OPEN or one.state is S.DONE]
    match answer:
        case AskMore(number=number, tie_break=tie_break, excluding=excluding, replacing=replacing):
            assert obtainable
            assert len(replacing) <= number
            assert {one.owner for one in held} <= excluding
            assert set(replacing) <= excluding - {one.owner for one in held}
            alike = sum(one.tie_break is tie_break for one in held)
            assert alike + number <= (quorum.tie_breakers if tie_break else quorum.builders)
        case Wait(open=waiting):
            assert 0 < waiting <= sum(one.state in OPEN for one in of)
        case GiveUp():
            assert not any(one.state in OPEN for one in of)
            assert kind is not VerdictKind.DISPUTED
        case Enough():
            assert kind in (
                VerdictKind.AGREE,
                VerdictKind.FAILED,
                VerdictKind.EQUIVALENT,
                VerdictKind.DISPUTED,
            )
