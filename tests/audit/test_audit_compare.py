"""The judge: every row of the table of verdicts, and what must hold for all ballots."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.audit.compare import judge, tally
from f2fbuild.model.job import JobClass, Quorum
from f2fbuild.model.outcome import result_digest
from f2fbuild.model.verdict import VerdictKind
from f2fbuild.model.vote import Ballot, Seat, Vote
from tests.audit.audit_ballots import (
    BAD,
    FAILED,
    FAILED_TESTS,
    GOOD,
    OTHER_METADATA,
    WORSE,
    ballot,
    behind,
    everybody,
    made,
    naive_counts,
    vote,
    without_path,
)

HOSTS = ({"kernel": "6.1"}, {"kernel": "6.12"}, {"kernel": "6.1"})
WIDE = Quorum(builders=3, agree=2)


def kind(
    of: Ballot, independent: Callable[[tuple[str, ...]], int] = everybody, *, ended: bool
) -> VerdictKind:
    return judge(of, independent, ended=ended).kind


# --- agree -----------------------------------------------------------------------------------------


def test_two_of_two_agree() -> None:
    verdict = judge(ballot(vote("bob", GOOD), vote("dave", GOOD, verified=False)), everybody, ended=False)
    assert verdict.kind is VerdictKind.AGREE
    assert (verdict.agree, verdict.denominator, verdict.needed, verdict.verified) == (2, 2, 2, 1)
    assert verdict.result == result_digest(GOOD)
    assert verdict.accuses == ()


def test_agreement_does_not_wait_for_the_last() -> None:
    of = ballot(vote("bob", GOOD), vote("dave", GOOD), quorum=WIDE, waiting=("erin",))
    assert kind(of, ended=False) is VerdictKind.AGREE


def test_scratch_takes_one() -> None:
    assert kind(ballot(vote("bob", GOOD), job_class=JobClass.SCRATCH), ended=False) is VerdictKind.AGREE


def test_two_machines_of_one_owner_are_one_vote() -> None:
    of = ballot(vote("bob", GOOD), vote("bob", GOOD, node="two"), vote("dave", BAD))
    verdict = judge(of, everybody, ended=True)
    assert verdict.kind is VerdictKind.DIVERGED
    assert (verdict.agree, verdict.denominator) == (1, 2)


def test_two_behind_one_introducer_are_one_voice() -> None:
    of = ballot(vote("bob", GOOD), vote("dave", GOOD))
    assert kind(of, behind("bob", "dave"), ended=False) is VerdictKind.INCONCLUSIVE
    assert kind(of, behind("bob", "dave"), ended=True) is VerdictKind.INCONCLUSIVE


def test_more_than_half_of_those_who_accepted_is_needed() -> None:
    of = ballot(vote("bob", GOOD), vote("dave", GOOD), vote("erin", BAD), vote("frank", WORSE))
    verdict = judge(of, everybody, ended=True)
    assert (verdict.kind, verdict.needed, verdict.denominator) == (VerdictKind.DIVERGED, 3, 4)


def test_silence_stays_in_the_denominator_until_it_is_replaced() -> None:
    votes = (vote("bob", GOOD), vote("dave", GOOD))
    seats = tuple(Seat(owner=owner, closed=owner in "xy") for owner in ("bob", "x", "y", "dave"))
    of = Ballot(job_class=JobClass.TESTING, quorum=WIDE, seats=seats, votes=votes)
    verdict = judge(of, everybody, ended=True)
    assert (verdict.kind, verdict.denominator, verdict.needed) == (VerdictKind.INCONCLUSIVE, 4, 3)
    replaced = replace(of, seats=(*seats[:3], Seat(owner="dave", replaces="x")))
    verdict = judge(replaced, everybody, ended=True)
    assert (verdict.kind, verdict.denominator, verdict.needed) == (VerdictKind.AGREE, 3, 2)


def test_who_was_replaced_and_answers_after_all_is_back() -> None:
    seats = (Seat(owner="bob", closed=True), Seat(owner="dave", replaces="bob"), Seat(owner="erin"))
    votes = (vote("dave", GOOD), vote("erin", GOOD))
    of = Ballot(job_class=JobClass.TESTING, quorum=Quorum(builders=2, agree=2), seats=seats, votes=votes)
    assert judge(of, everybody, ended=False).denominator == 2
    late = judge(replace(of, votes=(*votes, vote("bob", BAD))), everybody, ended=False)
    assert (late.kind, late.denominator) == (VerdictKind.DISPUTED, 3)


def test_who_was_replaced_and_accepts_again_takes_over_nobodys_seat() -> None:
    seats = (Seat(owner="bob"), Seat(owner="dave", replaces="bob"), Seat(owner="bob", replaces="dave"))
    of = Ballot(job_class=JobClass.TESTING, quorum=WIDE, seats=seats, votes=())
    assert [judge(replace(of, seats=seats[:n]), everybody, ended=True).denominator for n in (1, 2, 3)] == [
        1,
        1,
        2,
    ]


def test_an_owner_without_a_seat_is_not_looked_at() -> None:
    of = ballot(vote("bob", GOOD), vote("dave", GOOD))
    stranger = replace(of, votes=(*of.votes, vote("mallory", BAD)))
    assert judge(stranger, everybody, ended=False) == judge(of, everybody, ended=False)


# --- statements that are no votes ------------------------------------------------------------------


def test_an_outcome_without_an_earlier_commitment_is_no_vote() -> None:
    verdict = judge(ballot(vote("bob", GOOD), vote("dave", GOOD, committed=False)), everybody, ended=True)
    assert verdict.kind is VerdictKind.INCONCLUSIVE
    assert (verdict.agree, verdict.denominator, verdict.struck) == (1, 2, ("dave",))


def test_withheld_products_strike_the_vote() -> None:
    verdict = judge(ballot(vote("bob", GOOD), vote("dave", BAD, withheld=True)), everybody, ended=True)
    assert verdict.kind is VerdictKind.INCONCLUSIVE
    assert verdict.struck == ("dave",)


def test_one_machine_that_hands_over_is_enough_for_its_owner() -> None:
    of = ballot(vote("bob", GOOD, withheld=True), vote("bob", GOOD, node="two"), vote("dave", GOOD))
    assert judge(of, everybody, ended=False).struck == ()
    assert kind(of, ended=False) is VerdictKind.AGREE


@pytest.mark.parametrize(
    "second", [vote("bob", BAD, node="two"), vote("bob", BAD, node="two", committed=False)]
)
def test_who_contradicts_himself_is_counted_for_nobody_and_shown(second: Vote) -> None:
    of = ballot(vote("bob", GOOD), second, vote("dave", GOOD))
    verdict = judge(of, everybody, ended=True)
    assert verdict.kind is VerdictKind.INCONCLUSIVE
    assert (verdict.agree, verdict.denominator) == (1, 2)
    assert verdict.self_contradicting == ("bob",)
    assert verdict.struck == ()


# --- release ---------------------------------------------------------------------------------------


def release(*votes: Vote) -> Ballot:
    return ballot(*votes, job_class=JobClass.RELEASE)


def three() -> list[Vote]:
    owners = ("bob", "dave", "erin")
    return [vote(owner, GOOD, facts=host) for owner, host in zip(owners, HOSTS, strict=True)]


def test_a_release_takes_three_verified_votes_from_two_kinds_of_host() -> None:
    assert kind(release(*three()), ended=False) is VerdictKind.AGREE


def test_a_release_is_not_made_of_claims() -> None:
    first, *others = three()
    of = release(replace(first, verified=False), *others)
    verdict = judge(of, everybody, ended=True)
    assert (verdict.kind, verdict.agree, verdict.verified) == (VerdictKind.INCONCLUSIVE, 3, 2)


@pytest.mark.parametrize("fact", ["kernel", "cpu_vendor", "distribution"])
def test_one_fact_with_two_values_is_diversity(fact: str) -> None:
    votes = [replace(one, facts={fact: value}) for one, value in zip(three(), "aab", strict=True)]
    assert kind(release(*votes), ended=False) is VerdictKind.AGREE


@pytest.mark.parametrize("facts", [{}, {"kernel": "6.1"}, {"kernel": ""}, {"host name": "differs"}])
def test_hosts_that_are_alike_make_no_release(facts: dict[str, str]) -> None:
    votes = [replace(one, facts=facts) for one in three()]
    votes[0] = replace(votes[0], facts={**facts, "ram": "64"})
    assert kind(release(*votes), ended=True) is VerdictKind.INCONCLUSIVE


def test_a_host_that_says_nothing_is_not_another_host() -> None:
    said: tuple[dict[str, str], ...] = ({"kernel": "6.1"}, {"kernel": ""}, {})
    votes = [replace(one, facts=facts) for one, facts in zip(three(), said, strict=True)]
    assert kind(release(*votes), ended=True) is VerdictKind.INCONCLUSIVE


def test_a_release_needs_two_independent_owners() -> None:
    assert kind(release(*three()), behind("bob", "dave", "erin"), ended=True) is VerdictKind.INCONCLUSIVE
    assert kind(release(*three()), behind("bob", "dave"), ended=False) is VerdictKind.AGREE


# --- disputed --------------------------------------------------------------------------------------


def test_a_contradicted_majority_is_disputed_and_accuses_nobody_before_a_tie_breaker() -> None:
    votes = (vote("bob", GOOD), vote("dave", GOOD), vote("mallory", BAD))
    verdict = judge(ballot(*votes, quorum=WIDE), everybody, ended=True)
    assert (verdict.kind, verdict.accuses) == (VerdictKind.DISPUTED, ())
    assert verdict.result == result_digest(GOOD)
    confirmed = ballot(*votes, vote("erin", GOOD), quorum=WIDE, tie_breakers=("erin",))
    verdict = judge(confirmed, everybody, ended=False)
    assert (verdict.kind, verdict.accuses, verdict.agree) == (VerdictKind.DISPUTED, ("mallory",), 3)


def test_a_tie_breaker_that_decides_also_confirms() -> None:
    of = ballot(vote("bob", GOOD), vote("mallory", BAD), vote("erin", GOOD), tie_breakers=("erin",))
    verdict = judge(of, everybody, ended=False)
    assert (verdict.kind, verdict.accuses) == (VerdictKind.DISPUTED, ("mallory",))


def test_a_failure_among_successes_is_a_contradiction() -> None:
    of = ballot(vote("bob", GOOD), vote("mallory", FAILED), vote("erin", GOOD), tie_breakers=("erin",))
    assert judge(of, everybody, ended=False).accuses == ("mallory",)


def test_a_tie_breaker_on_the_other_side_confirms_nothing() -> None:
    quorum = Quorum(builders=3, agree=3)
    votes = [vote(owner, GOOD) for owner in ("bob", "dave", "erin")]
    of = ballot(*votes, vote("mallory", BAD), quorum=quorum, tie_breakers=("mallory",))
    verdict = judge(of, everybody, ended=True)
    assert (verdict.kind, verdict.accuses) == (VerdictKind.DISPUTED, ())


def test_one_voice_accuses_nobody() -> None:
    quorum = Quorum(builders=2, agree=1)
    of = ballot(
        vote("bob", GOOD), vote("dave", GOOD), vote("erin", BAD), quorum=quorum, tie_breakers=("dave",)
    )
    verdict = judge(of, behind("bob", "dave"), ended=True)
    assert (verdict.kind, verdict.accuses) == (VerdictKind.DIVERGED, ())


def test_who_has_no_trust_path_disputes_nothing() -> None:
    of = ballot(vote("bob", GOOD), vote("dave", GOOD), vote("mallory", BAD), quorum=WIDE)
    assert kind(of, without_path("mallory"), ended=False) is VerdictKind.AGREE


# --- failed ----------------------------------------------------------------------------------------


def test_a_failure_takes_one_owner_more_than_a_success() -> None:
    two = ballot(vote("bob", FAILED), vote("dave", FAILED))
    verdict = judge(two, everybody, ended=True)
    assert (verdict.kind, verdict.agree, verdict.needed) == (VerdictKind.INCONCLUSIVE, 2, 3)
    third = ballot(*two.votes, vote("erin", FAILED), tie_breakers=("erin",))
    verdict = judge(third, everybody, ended=False)
    assert (verdict.kind, verdict.agree, verdict.denominator) == (VerdictKind.FAILED, 3, 3)
    assert verdict.accuses == ()


def test_failures_in_different_stages_do_not_agree() -> None:
    of = ballot(vote("bob", FAILED), vote("dave", FAILED), vote("erin", FAILED_TESTS))
    assert kind(of, ended=True) is VerdictKind.DIVERGED


def test_a_single_success_keeps_a_package_from_failing() -> None:
    failures = [vote(owner, FAILED) for owner in ("bob", "dave", "erin", "frank")]
    assert kind(ballot(*failures), ended=False) is VerdictKind.FAILED
    of = ballot(*failures, vote("gina", GOOD))
    assert kind(of, ended=True) is VerdictKind.DIVERGED


def test_a_claimed_failure_needs_no_bytes_even_for_a_release() -> None:
    failures = [vote(owner, FAILED, verified=False) for owner in ("a", "b", "c", "d")]
    assert kind(release(*failures), ended=False) is VerdictKind.FAILED


# --- equivalent, diverged --------------------------------------------------------------------------


def test_results_that_differ_in_metadata_only_are_equivalent_without_a_tie_breaker() -> None:
    verdict = judge(ballot(vote("bob", GOOD), vote("dave", OTHER_METADATA)), everybody, ended=False)
    assert (verdict.kind, verdict.accuses) == (VerdictKind.EQUIVALENT, ())


def test_metadata_is_not_judged_while_somebody_may_answer() -> None:
    votes = (vote("bob", GOOD), vote("dave", OTHER_METADATA))
    waiting = ballot(*votes, quorum=WIDE, waiting=("erin",))
    assert kind(waiting, ended=False) is VerdictKind.INCONCLUSIVE
    assert kind(waiting, ended=True) is VerdictKind.EQUIVALENT
    assert kind(ballot(*votes, vote("erin", GOOD), quorum=WIDE), ended=False) is VerdictKind.DISPUTED


def test_files_without_a_content_digest_are_not_equivalent() -> None:
    of = ballot(vote("bob", made("11")), vote("dave", made("22")))
    assert kind(of, ended=True) is VerdictKind.DIVERGED


def test_failures_are_never_equivalent() -> None:
    assert kind(ballot(vote("bob", FAILED), vote("dave", FAILED_TESTS)), ended=True) is VerdictKind.DIVERGED
    assert kind(ballot(vote("bob", FAILED), vote("dave", GOOD)), ended=True) is VerdictKind.DIVERGED


def test_equivalence_takes_as_many_independent_owners_as_agreement() -> None:
    of = ballot(vote("bob", GOOD), vote("dave", OTHER_METADATA))
    assert kind(of, behind("bob", "dave"), ended=True) is VerdictKind.DIVERGED
    silent = ballot(vote("bob", GOOD), vote("dave", OTHER_METADATA), closed=("x", "y"))
    assert kind(silent, ended=True) is VerdictKind.DIVERGED


def test_results_diverge_only_after_the_tie_breakers() -> None:
    of = ballot(vote("bob", GOOD), vote("dave", BAD))
    assert kind(of, ended=False) is VerdictKind.INCONCLUSIVE
    verdict = judge(of, everybody, ended=True)
    assert (verdict.kind, verdict.accuses) == (VerdictKind.DIVERGED, ())


# --- infra, inconclusive ---------------------------------------------------------------------------


def test_nothing_but_faults_outside_the_package() -> None:
    of = ballot(closed=("bob", "dave"))
    assert kind(of, ended=False) is VerdictKind.INCONCLUSIVE
    verdict = judge(of, everybody, ended=True)
    assert (verdict.kind, verdict.denominator, verdict.result) == (VerdictKind.INFRA, 2, "")


@pytest.mark.parametrize(
    "of",
    [
        ballot(),
        ballot(waiting=("bob",)),
        ballot(closed=("bob",), waiting=("dave",)),
        ballot(vote("bob", GOOD), closed=("dave",)),
        ballot(vote("bob", GOOD, committed=False), closed=("bob", "dave")),
        ballot(vote("bob", GOOD), vote("bob", BAD), closed=("bob", "dave")),
    ],
)
def test_too_little_is_inconclusive(of: Ballot) -> None:
    assert kind(of, ended=True) is VerdictKind.INCONCLUSIVE


# --- what holds for all ballots --------------------------------------------------------------------

OWNERS = ("ann", "bob", "cat", "dan", "eve", "fay")
RESULTS = (GOOD, OTHER_METADATA, BAD, FAILED, FAILED_TESTS)
VOTES = st.builds(
    vote,
    st.sampled_from(OWNERS),
    st.sampled_from(RESULTS),
    node=st.sampled_from(("one", "two")),
    committed=st.sampled_from((True, True, True, False)),
    withheld=st.sampled_from((False, False, False, True)),
    verified=st.booleans(),
    facts=st.sampled_from(HOSTS),
)
SEATS = st.builds(
    Seat,
    owner=st.sampled_from(OWNERS),
    closed=st.booleans(),
    replaces=st.sampled_from(("", *OWNERS)),
    tie_break=st.booleans(),
)
QUORUMS = st.integers(min_value=1, max_value=4).flatmap(
    lambda agree: st.builds(Quorum, builders=st.integers(min_value=agree, max_value=5), agree=st.just(agree))
)
BALLOTS = st.builds(
    Ballot,
    job_class=st.sampled_from(JobClass),
    quorum=QUORUMS,
    seats=st.lists(SEATS, max_size=8).map(tuple),
    votes=st.lists(VOTES, max_size=10).map(tuple),
)
TRUST = st.lists(st.sampled_from(OWNERS), max_size=4).map(lambda names: behind(*names))
AGREED = (VerdictKind.AGREE, VerdictKind.DISPUTED)


@given(BALLOTS, TRUST, st.booleans(), st.data())
def test_the_order_of_votes_is_of_no_account(
    of: Ballot, trust: Callable[[tuple[str, ...]], int], ended: bool, data: st.DataObject
) -> None:
    votes = tuple(data.draw(st.permutations(of.votes)))
    assert judge(replace(of, votes=votes), trust, ended=ended) == judge(of, trust, ended=ended)


@given(BALLOTS, TRUST, st.booleans())
def test_the_numbers_are_those_of_a_naive_count(
    of: Ballot, trust: Callable[[tuple[str, ...]], int], ended: bool
) -> None:
    verdict = judge(of, trust, ended=ended)
    seated = {seat.owner for seat in of.seats}
    counts = naive_counts(of.votes, seated)
    assert verdict.agree == max(counts.values(), default=0)
    assert counts.total() <= verdict.denominator <= len(seated)
    assert verdict.agree <= verdict.denominator
    assert verdict.verified <= verdict.agree
    if verdict.kind in AGREED:
        assert 2 * verdict.agree > verdict.denominator
        assert verdict.agree >= of.quorum.agree


@given(BALLOTS, TRUST, VOTES, st.booleans())
def test_a_second_machine_never_adds_a_vote(
    of: Ballot, trust: Callable[[tuple[str, ...]], int], more: Vote, ended: bool
) -> None:
    counted = {one.owner for one in tally(of).counted}
    again = replace(of, votes=(*of.votes, replace(more, node="three", origin="a third log")))
    recounted = {one.owner for one in tally(again).counted}
    assert recounted - counted <= {more.owner}
    if more.owner in counted:
        assert judge(again, trust, ended=ended).agree <= judge(of, trust, ended=ended).agree


@given(BALLOTS, TRUST, st.booleans())
def test_nobody_is_accused_by_fewer_than_two_independent_owners_and_a_tie_breaker(
    of: Ballot, trust: Callable[[tuple[str, ...]], int], ended: bool
) -> None:
    verdict = judge(of, trust, ended=ended)
    winners = {one.owner for one in tally(of).counted if result_digest(one.result) == verdict.result}
    if verdict.accuses:
        assert verdict.kind is VerdictKind.DISPUTED
        assert trust(tuple(winners)) >= 2
        assert any(seat.tie_break and seat.owner in winners for seat in of.seats)
        assert winners.isdisjoint(verdict.accuses)
        assert all(trust((owner,)) for owner in verdict.accuses)


@given(BALLOTS, SEATS)
def test_the_denominator_never_shrinks(of: Ballot, more: Seat) -> None:
    before = judge(of, everybody, ended=False).denominator
    after = judge(replace(of, seats=(*of.seats, more)), everybody, ended=False).denominator
    assert before <= after <= before + 2


@given(BALLOTS, TRUST)
def test_the_end_changes_only_what_was_inconclusive(
    of: Ballot, trust: Callable[[tuple[str, ...]], int]
) -> None:
    running = judge(of, trust, ended=False)
    over = judge(of, trust, ended=True)
    assert running.kind not in (VerdictKind.DIVERGED, VerdictKind.INFRA)
    if running.kind is not VerdictKind.INCONCLUSIVE:
        assert running == over


@given(BALLOTS, TRUST)
def test_a_failure_is_never_given_beside_a_success(
    of: Ballot, trust: Callable[[tuple[str, ...]], int]
) -> None:
    if judge(of, trust, ended=True).kind is VerdictKind.FAILED:
        assert not any(one.result in (GOOD, OTHER_METADATA, BAD) for one in tally(of).counted)
