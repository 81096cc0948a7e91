"""Small words for ballots, and a judge that counts in the most naive way."""

from collections import Counter
from collections.abc import Callable, Mapping

from f2fbuild.model.job import DEFAULT_QUORUM, JobClass, Quorum
from f2fbuild.model.outcome import ExitClass, Failed, Product, Result, Stage, Succeeded
from f2fbuild.model.vote import Ballot, Seat, Vote


def made(canonical: str, content: str = "") -> Succeeded:
    """A result with one package whose canonical digest consists of two hexadecimal digits."""
    product = Product(
        kind="rpm",
        name="a.rpm",
        size=1,
        sha256=canonical * 32,
        canonical=canonical * 32,
        content=content * 32,
    )
    return Succeeded(products=(product,))


GOOD = made("11", "aa")
OTHER_METADATA = made("22", "aa")
BAD = made("33", "bb")
WORSE = made("44", "cc")
FAILED = Failed(stage=Stage.BUILD, exit_class=ExitClass.NONZERO)
FAILED_TESTS = Failed(stage=Stage.TEST, exit_class=ExitClass.NONZERO)


def vote(
    owner: str,
    result: Result,
    *,
    node: str = "one",
    committed: bool = True,
    withheld: bool = False,
    verified: bool = True,
    facts: Mapping[str, str] | None = None,
) -> Vote:
    return Vote(
        owner=owner,
        node=f"{owner}-{node}",
        origin=f"log of {owner}-{node}",
        index=7,
        result=result,
        committed=committed,
        withheld=withheld,
        verified=verified,
        facts=facts or {},
    )


def ballot(
    *votes: Vote,
    job_class: JobClass = JobClass.TESTING,
    quorum: Quorum | None = None,
    waiting: tuple[str, ...] = (),
    closed: tuple[str, ...] = (),
    tie_breakers: tuple[str, ...] = (),
) -> Ballot:
    """A ballot in which every voter has a seat, in the order of the votes."""
    owners = [*dict.fromkeys([*(one.owner for one in votes), *waiting, *closed])]
    seats = (Seat(owner=one, closed=one in closed, tie_break=one in tie_breakers) for one in owners)
    return Ballot(
        job_class=job_class, quorum=quorum or DEFAULT_QUORUM[job_class], seats=tuple(seats), votes=votes
    )


def everybody(owners: tuple[str, ...]) -> int:
    """All owners are friends with a path of their own."""
    return len(set(owners))


def behind(*sybils: str) -> Callable[[tuple[str, ...]], int]:
    """These owners stand behind one introducer, the others have paths of their own."""
    return lambda owners: len(set(owners) - set(sybils)) + bool(set(owners) & set(sybils))


def without_path(*strangers: str) -> Callable[[tuple[str, ...]], int]:
    """No path leads to these owners."""
    return lambda owners: len(set(owners) - set(strangers))


def naive_counts(votes: tuple[Vote, ...], seated: set[str]) -> Counter[str]:
    """Count owners for each result, one by one: those with one story, told in time and in the open."""
    counts: Counter[str] = Counter()
    for owner in seated:
        stories = {repr(one.result) for one in votes if one.owner == owner}
        if len(stories) == 1 and any(
            one.owner == owner and one.committed and not one.withheld for one in votes
        ):
            counts[stories.pop()] += 1
    return counts
