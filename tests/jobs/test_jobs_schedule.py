"""Whom to ask, and for everybody else the reason why not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.jobs.replicas import Asked, AskMore
from f2fbuild.jobs.schedule import Candidate, Choice, Plan, Waiting, WhyNot, obtainable, plan
from f2fbuild.model.job import AssignmentState, JobClass

SALT = b"a secret of this node"
ASK_ONE = AskMore(number=1, tie_break=False, excluding=frozenset())
ASK_TWO = AskMore(number=2, tie_break=False, excluding=frozenset())


def candidate(owner: str, node: str = "one", **changes: Any) -> Candidate:
    facts: dict[str, Any] = {"connected": True, "slots": 1, "busy": 0, **changes}
    return Candidate(node=f"{owner}-{node}", owner=owner, name=f"{owner}@{node}", **facts)


def waiting(job: str = "job", **changes: Any) -> Waiting:
    facts: dict[str, Any] = {
        "created": 1,
        "job_class": JobClass.TESTING,
        "format": "rpm",
        "arch": "x86_64",
        "ask": ASK_ONE,
        **changes,
    }
    return Waiting(job=job, **facts)


def was_asked(owner: str, state: AssignmentState, node: str = "one", **changes: Any) -> Asked:
    return Asked(node=f"{owner}-{node}", owner=owner, state=state, **changes)


def decide(
    jobs: Sequence[Waiting], candidates: Sequence[Candidate], now: int = 0, salt: bytes = SALT
) -> Plan:
    return plan(jobs, candidates, now=now, salt=salt)


def why(job: Waiting, one: Candidate, now: int = 0) -> tuple[WhyNot, str]:
    """The one reason against the one candidate."""
    decided = decide([job], [one], now)
    assert decided.choices == ()
    (reason,) = decided.explain(job.job)
    assert (reason.node, reason.name) == (one.node, one.name)
    return reason.why, reason.detail


def test_a_friend_that_can_is_asked() -> None:
    decided = decide([waiting()], [candidate("bob")])
    assert decided.choices == (Choice(job="job", node="bob-one", owner="bob", tie_break=False, replaces=""),)
    assert decided.explain("job") == ()
    assert decided.explain("no such job") == ()


@pytest.mark.parametrize(
    ("job", "one", "expected"),
    [
        (waiting(), candidate("me", own=True), (WhyNot.OWN_NODE, "")),
        (waiting(), candidate("bob", paused=True), (WhyNot.PAUSED, "")),
        (
            waiting(),
            candidate("bob", refusal="service 1: the owner was given this right"),
            (WhyNot.NO_RIGHT, "service 1: the owner was given this right"),
        ),
        (waiting(), candidate("bob", lacks=frozenset({("rpm", "x86_64")})), (WhyNot.NO_TARGET, "rpm x86_64")),
        (waiting(), candidate("bob", connected=False), (WhyNot.NOT_CONNECTED, "")),
        (waiting(), candidate("bob", slots=3, busy=3), (WhyNot.BUSY, "3 of 3 slots")),
        (waiting(), candidate("bob", slots=0), (WhyNot.BUSY, "0 of 0 slots")),
        (
            waiting(ask=replace(ASK_ONE, excluding=frozenset({"bob"}))),
            candidate("bob"),
            (WhyNot.EXCLUDED, ""),
        ),
        (waiting(ask=None), candidate("bob"), (WhyNot.NOT_NEEDED, "")),
    ],
)
def test_each_reason(job: Waiting, one: Candidate, expected: tuple[WhyNot, str]) -> None:
    assert why(job, one) == expected


HELD = {
    AssignmentState.OFFERED: WhyNot.BUILDING,
    AssignmentState.ACCEPTED: WhyNot.BUILDING,
    AssignmentState.PREPARING: WhyNot.BUILDING,
    AssignmentState.BUILDING: WhyNot.BUILDING,
    AssignmentState.VERIFYING: WhyNot.BUILDING,
    AssignmentState.COMMITTED: WhyNot.BUILDING,
    AssignmentState.DONE: WhyNot.VOTED,
    AssignmentState.LOST: WhyNot.LOST,
    AssignmentState.CANCELLED: WhyNot.LOST,
}


@pytest.mark.parametrize("state", HELD)
@pytest.mark.parametrize("node", ["one", "two"])
def test_an_owner_has_one_vote_whatever_the_machine(state: AssignmentState, node: str) -> None:
    job = waiting(asked=(was_asked("ann", AssignmentState.DONE), was_asked("bob", state)))
    assert why(job, candidate("bob", node)) == (HELD[state], str(state))


def test_a_machine_that_refused_is_left_alone_and_its_owners_other_one_is_not() -> None:
    job = waiting(asked=(was_asked("bob", AssignmentState.REFUSED, detail="no-target"),))
    assert why(job, candidate("bob")) == (WhyNot.REFUSED, "no-target")
    decided = decide([job], [candidate("bob"), candidate("bob", "two")])
    assert [choice.node for choice in decided.choices] == ["bob-two"]
    assert [reason.why for reason in decided.explain("job")] == [WhyNot.REFUSED]


def test_a_passing_refusal_passes() -> None:
    job = waiting(asked=(was_asked("bob", AssignmentState.REFUSED, detail="busy", again=50),))
    assert why(job, candidate("bob"), now=49) == (WhyNot.REFUSED_FOR_NOW, "busy")
    assert [choice.node for choice in decide([job], [candidate("bob")], now=50).choices] == ["bob-one"]


def test_reasons_read_as_sentences() -> None:
    (reason,) = decide([waiting()], [candidate("bob", slots=1, busy=1)]).explain("job")
    assert str(reason) == "busy: 1 of 1 slots"
    (reason,) = decide([waiting()], [candidate("bob", connected=False)]).explain("job")
    assert str(reason) == "not connected"
    assert len({reason.word for reason in WhyNot}) == len(WhyNot)


def test_two_machines_of_one_owner_are_not_asked_together() -> None:
    machines = [candidate("bob"), candidate("bob", "two"), candidate("dave", connected=False)]
    decided = decide([waiting(ask=ASK_TWO)], machines)
    assert [choice.owner for choice in decided.choices] == ["bob"]
    assert sorted(reason.why.word for reason in decided.explain("job")) == ["not-connected", "same-owner"]


def test_the_least_busy_are_asked() -> None:
    friends = [
        candidate("ann", slots=4, busy=2),
        candidate("bob", slots=2, busy=0),
        candidate("cat", slots=4, busy=1),
    ]
    decided = decide([waiting(ask=ASK_TWO)], friends)
    assert [choice.owner for choice in decided.choices] == ["bob", "cat"]
    (reason,) = decided.explain("job")
    assert (reason.node, reason.why) == ("ann-one", WhyNot.NOT_NEEDED)


def test_what_a_job_takes_is_gone_for_the_next() -> None:
    jobs = [waiting("early", created=1), waiting("late", created=2)]
    decided = decide(jobs, [candidate("bob")])
    assert [choice.job for choice in decided.choices] == ["early"]
    (reason,) = decided.explain("late")
    assert (reason.why, reason.detail) == (WhyNot.BUSY, "1 of 1 slots")


def test_this_node_builds_only_where_friends_do_not_suffice() -> None:
    everybody = [candidate("me", own=True), candidate("bob", slots=9, busy=8)]
    one = decide([waiting(own_allowed=True)], everybody)
    assert [choice.owner for choice in one.choices] == ["bob"]
    two = decide([waiting(own_allowed=True, ask=ASK_TWO)], everybody)
    assert [choice.owner for choice in two.choices] == ["bob", "me"]


def test_vacant_seats_are_taken_over_in_order() -> None:
    ask = AskMore(number=2, tie_break=False, excluding=frozenset({"x"}), replacing=("x",))
    decided = decide([waiting(ask=ask)], [candidate("bob"), candidate("dave")])
    assert [choice.replaces for choice in decided.choices] == ["x", ""]
    breaker = decide([waiting(ask=replace(ASK_ONE, tie_break=True))], [candidate("bob")])
    assert breaker.choices[0].tie_break


def test_jobs_go_in_the_order_of_their_urgency() -> None:
    started = (was_asked("ann", AssignmentState.BUILDING),)
    finished = (was_asked("ann", AssignmentState.DONE),)
    refused = (was_asked("ann", AssignmentState.REFUSED),)
    jobs = [
        waiting("f", created=1, job_class=JobClass.SCRATCH, asked=refused),
        waiting("e", created=5),
        waiting("d", created=4),
        waiting("c", created=9, job_class=JobClass.RELEASE),
        waiting("b", created=8, asked=started),
        waiting("a", created=7, asked=finished),
    ]
    decided = decide(jobs, [candidate("bob", slots=100)])
    assert [choice.job for choice in decided.choices] == ["a", "b", "c", "d", "e", "f"]


def test_not_always_the_same_friends_are_asked() -> None:
    friends = [candidate(owner, slots=1000) for owner in ("ann", "bob", "cat", "dan")]
    asked: Counter[str] = Counter()
    for number in range(400):
        asked.update(choice.owner for choice in decide([waiting(f"job {number}")], friends).choices)
    assert set(asked) == {"ann", "bob", "cat", "dan"}
    # Binomial with n = 400, p = 1/4: mean 100, deviation 8.7. The jobs are fixed, so is the outcome.
    assert all(60 <= count <= 140 for count in asked.values())


def test_another_secret_draws_other_lots() -> None:
    friends = [candidate(owner, slots=1000) for owner in ("ann", "bob", "cat", "dan")]
    jobs = [waiting(f"job {number}") for number in range(50)]
    first = [decide([job], friends).choices[0].owner for job in jobs]
    second = [decide([job], friends, salt=b"another").choices[0].owner for job in jobs]
    assert first != second


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (candidate("bob"), True),
        (candidate("bob", connected=False), True),
        (candidate("bob", slots=1, busy=1), True),
        (candidate("bob", paused=True), False),
        (candidate("bob", refusal="no"), False),
        (candidate("bob", lacks=frozenset({("rpm", "x86_64")})), False),
        (candidate("me", own=True), False),
    ],
)
def test_who_can_be_had_sooner_or_later(one: Candidate, expected: bool) -> None:
    assert obtainable(waiting(ask=None), [candidate("no", refusal="no"), one], now=0) is expected
    assert not obtainable(waiting(ask=None), [], now=0)


def test_waiting_helps_against_a_passing_refusal_only() -> None:
    passing = waiting(asked=(was_asked("bob", AssignmentState.REFUSED, again=50),))
    lasting = waiting(asked=(was_asked("bob", AssignmentState.REFUSED),))
    assert obtainable(passing, [candidate("bob")], now=0)
    assert not obtainable(lasting, [candidate("bob")], now=0)


# --- what holds for all snapshots ------------------------------------------------------------------

OWNERS = ("ann", "bob", "cat")
CANDIDATES = st.lists(
    st.builds(
        candidate,
        st.sampled_from(OWNERS),
        st.sampled_from(("one", "two")),
        connected=st.sampled_from((True, True, False)),
        slots=st.integers(min_value=0, max_value=3),
        busy=st.integers(min_value=0, max_value=3),
        paused=st.sampled_from((False, False, True)),
        refusal=st.sampled_from(("", "", "rule")),
        own=st.sampled_from((False, False, True)),
    ),
    max_size=6,
    unique_by=lambda one: one.node,
)
ASKED = st.lists(
    st.builds(
        was_asked,
        st.sampled_from(OWNERS),
        st.sampled_from(AssignmentState),
        st.sampled_from(("one", "two")),
        again=st.sampled_from((None, 0, 99)),
    ),
    max_size=2,
    unique_by=lambda one: one.node,
).map(tuple)
JOBS = st.lists(
    st.builds(
        waiting,
        st.sampled_from("abcde"),
        created=st.integers(min_value=0, max_value=3),
        job_class=st.sampled_from(JobClass),
        asked=ASKED,
        ask=st.sampled_from((None, ASK_ONE, ASK_TWO, replace(ASK_ONE, excluding=frozenset({"ann"})))),
        own_allowed=st.booleans(),
    ),
    max_size=4,
    unique_by=lambda job: job.job,
)


@given(JOBS, CANDIDATES)
def test_no_owner_is_asked_twice_and_everybody_else_has_one_reason(
    jobs: list[Waiting], candidates: list[Candidate]
) -> None:
    decided = decide(jobs, candidates, now=50)
    for job in jobs:
        chosen = [choice for choice in decided.choices if choice.job == job.job]
        owners = [choice.owner for choice in chosen]
        assert len(owners) == len(set(owners)) <= (job.ask.number if job.ask else 0)
        held = {one.owner for one in job.asked if one.state is not AssignmentState.REFUSED}
        assert held.isdisjoint(owners)
        explained = [reason.node for reason in decided.explain(job.job)]
        assert sorted([*explained, *(choice.node for choice in chosen)]) == sorted(
            one.node for one in candidates
        )
    taken = Counter(choice.node for choice in decided.choices)
    assert all(one.busy + taken[one.node] <= max(one.slots, one.busy) for one in candidates)


@given(JOBS, CANDIDATES, st.data())
def test_the_same_snapshot_gives_the_same_plan_in_any_order(
    jobs: list[Waiting], candidates: list[Candidate], data: st.DataObject
) -> None:
    first = decide(jobs, candidates, now=50)
    shuffled = decide(data.draw(st.permutations(jobs)), data.draw(st.permutations(candidates)), now=50)
    assert shuffled.choices == first.choices
    for job in jobs:
        assert set(shuffled.explain(job.job)) == set(first.explain(job.job))


@given(JOBS, CANDIDATES)
def test_nobody_idle_is_passed_over_while_a_seat_is_empty(
    jobs: list[Waiting], candidates: list[Candidate]
) -> None:
    decided = decide(jobs, candidates, now=50)
    for job in jobs:
        if any(reason.why is WhyNot.NOT_NEEDED for reason in decided.explain(job.job)):
            chosen = sum(choice.job == job.job for choice in decided.choices)
            assert chosen == (job.ask.number if job.ask else 0)
