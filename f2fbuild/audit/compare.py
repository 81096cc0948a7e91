"""The only judge: what all outcomes of one build key amount to.

Rules, in the order of the verdicts (the first that applies is given):

* `disputed`: enough owners agree, and an owner with a trust path of his own contradicts them.
* `agree`: enough owners agree, and nobody contradicts.
* `failed`: the same failure from one owner more than a success needs, and no success among the votes.
* `equivalent`: all results hold the same contents, only metadata differs. Given without tie-breakers: one
  more build would turn metadata into an accusation.
* `diverged`: at least two results, none with enough owners, and nobody is left to ask.
* `infra`: everybody who accepted gave up for reasons outside the package, and nobody is left to ask.
* `inconclusive`: too little yet; the job's end if nobody is left to ask.

An owner has one vote, whatever the number of machines. Statements of one owner that differ count for nobody.
An outcome without an earlier commitment (it may be copied), one whose products are withheld (it cannot be
checked) and one of an owner who is proved to tell two stories are no votes. Enough is `max(agree,
⌊denominator / 2⌋ + 1)` owners, so two results cannot both have it; the denominator is who accepted. Where
several owners must agree, two of them must be independent: any number of owners behind a single introducer
are one voice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from f2fbuild.audit.groups import Group, groups
from f2fbuild.model.job import JobClass
from f2fbuild.model.outcome import Result, Succeeded, result_digest
from f2fbuild.model.verdict import Verdict, VerdictKind
from f2fbuild.model.vote import Ballot, Seat, Vote

INDEPENDENT_OWNERS = 2
"""Independent owners that an agreement of several needs, thus the fewest that contradict who is accused."""

HOST_FACTS = ("kernel", "cpu_vendor", "distribution")
"""Facts of which a release wants two values in at least one: one tainted platform must not be everybody's."""

Independence: TypeAlias = Callable[[tuple[str, ...]], int]
"""Owners (fingerprints, sorted) → the most of them that vertex-disjoint trust paths reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Statements sorted out: `counted` has for each voting owner the statements that carry his one vote.

    `self_contradicting` and `struck` owners have no vote (sorted fingerprints).
    """

    counted: tuple[Vote, ...]
    self_contradicting: tuple[str, ...]
    struck: tuple[str, ...]


def tally(ballot: Ballot) -> Tally:
    """Return which statements count. Statements of owners without a seat are not looked at."""
    counted: list[Vote] = []
    contradicting, struck = [], []
    for owner in sorted({seat.owner for seat in ballot.seats}):
        said = [vote for vote in ballot.votes if vote.owner == owner]
        standing = [vote for vote in said if vote.committed and not vote.withheld and not vote.forked]
        if len({result_digest(vote.result) for vote in said}) > 1:
            contradicting.append(owner)
        elif said and not standing:
            struck.append(owner)
        counted.extend(standing if owner not in contradicting else ())
    return Tally(counted=tuple(counted), self_contradicting=tuple(contradicting), struck=tuple(struck))


def judge(ballot: Ballot, independent: Independence, *, ended: bool) -> Verdict:
    """Return the verdict.

    Args:
        ballot: who accepted and what was said, over all jobs with this build key.
        independent: how many of some owners are independent voices for this node.
        ended: nobody else will be asked and nothing more is waited for: the deadline is over, the
            tie-breakers are used up, or no further owner can be had.
    """
    return _Count(ballot, independent).verdict(ended=ended)


class _Count:
    """The numbers of one judgement."""

    def __init__(self, ballot: Ballot, independent: Independence) -> None:
        self._ballot = ballot
        self._independent = independent
        self._tally = tally(ballot)
        self._groups = groups(self._tally.counted)
        self._denominator = len(_denominator(ballot.seats, self._tally))
        self._needed = max(ballot.quorum.agree, self._denominator // 2 + 1)

    def verdict(self, *, ended: bool) -> Verdict:
        """Go through the table of verdicts from its top."""
        winner = next((group for group in self._groups if self._enough(group)), None)
        if winner is not None and winner.success:
            dissenters = self._dissenters(winner)
            kind = VerdictKind.DISPUTED if dissenters else VerdictKind.AGREE
            return self._numbers(kind, accuses=dissenters if self._confirmed(winner) else ())
        if winner is not None:
            return self._numbers(VerdictKind.FAILED)
        if (ended or not self._waiting) and self._equivalent():
            return self._numbers(VerdictKind.EQUIVALENT)
        if ended and len(self._groups) > 1:
            return self._numbers(VerdictKind.DIVERGED)
        if ended and self._nothing_but_faults():
            return self._numbers(VerdictKind.INFRA)
        return self._numbers(VerdictKind.INCONCLUSIVE)

    @property
    def _waiting(self) -> bool:
        """Whether somebody who accepted may still answer."""
        answered = {vote.owner for vote in self._ballot.votes}
        return any(not seat.closed and seat.owner not in answered for seat in self._ballot.seats)

    def _enough(self, group: Group) -> bool:
        if len(group.owners) < self._wanted(group):
            return False
        if self._independent(group.owners) < min(INDEPENDENT_OWNERS, self._wanted(group)):
            return False
        if not group.success:
            return not any(other.success for other in self._groups)
        return self._ballot.job_class is not JobClass.RELEASE or _releasable(group)

    def _wanted(self, group: Group) -> int:
        return self._needed if group.success else self._needed + 1

    def _dissenters(self, winner: Group) -> tuple[str, ...]:
        others = (owner for group in self._groups if group is not winner for owner in group.owners)
        return tuple(sorted(owner for owner in others if self._independent((owner,)) > 0))

    def _confirmed(self, winner: Group) -> bool:
        """Whether a tie-breaker agrees. Where somebody dissents, `_enough` took two independent owners."""
        return any(seat.tie_break and seat.owner in winner.owners for seat in self._ballot.seats)

    def _equivalent(self) -> bool:
        owners = tuple(sorted({vote.owner for vote in self._tally.counted}))
        contents = {_contents(group.result) for group in self._groups}
        if len(self._groups) < 2 or len(contents) != 1 or None in contents:
            return False
        return len(owners) >= self._needed and self._independent(owners) >= INDEPENDENT_OWNERS

    def _nothing_but_faults(self) -> bool:
        seats, tallied = self._ballot.seats, self._tally
        anything = tallied.counted or tallied.self_contradicting or tallied.struck
        return bool(seats) and all(seat.closed for seat in seats) and not anything

    def _numbers(self, kind: VerdictKind, *, accuses: tuple[str, ...] = ()) -> Verdict:
        lead = self._groups[0] if self._groups else None
        return Verdict(
            kind=kind,
            agree=len(lead.owners) if lead else 0,
            denominator=self._denominator,
            needed=self._wanted(lead) if lead else self._needed,
            verified=len(_verified(lead)) if lead else 0,
            result=lead.digest if lead else "",
            accuses=accuses,
            self_contradicting=self._tally.self_contradicting,
            struck=self._tally.struck,
        )


def _denominator(seats: Sequence[Seat], counted: Tally) -> set[str]:
    """Who accepted, less those whose seat a newcomer took over; who comes back or votes after all is in."""
    owners: set[str] = set()
    newcomers = {seat.owner for seat in seats}
    for seat in seats:
        if seat.owner in newcomers:
            newcomers.remove(seat.owner)
            owners.discard(seat.replaces)
        owners.add(seat.owner)
    return owners | {vote.owner for vote in counted.counted}


def _verified(group: Group) -> set[str]:
    return {vote.owner for vote in group.votes if vote.verified}


def _releasable(group: Group) -> bool:
    """Whether every agreeing owner's bytes were recomputed, on at least two kinds of host."""
    values = [{vote.facts.get(fact, "") for vote in group.votes} - {""} for fact in HOST_FACTS]
    return len(_verified(group)) == len(group.owners) and any(len(of_fact) > 1 for of_fact in values)


def _contents(result: Result) -> frozenset[tuple[str, str, str]] | None:
    """What is inside the products. A kind without a content digest has only its canonical one."""
    if not isinstance(result, Succeeded):
        return None
    return frozenset((p.kind, p.name, p.content or p.canonical) for p in result.products)
