"""From rows to a ballot: who has a seat, whose outcome is a vote, who may be asked again, who is shown."""

from dataclasses import replace
from pathlib import Path

import pytest

from f2fbuild import limits
from f2fbuild.errors import F2FError
from f2fbuild.jobs.ballots import asked, ballot, statement_of, to_show
from f2fbuild.jobs.lifecycle import OPEN
from f2fbuild.jobs.queue import Assignment
from f2fbuild.jobs.replicas import Asked
from f2fbuild.ledger import entry as entries
from f2fbuild.model import statement as statements
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.outcome import Succeeded
from f2fbuild.model.vote import Seat, Strike
from f2fbuild.store.blobs import BlobStore
from tests.jobs.jobs_builder import Builder
from tests.jobs.jobs_facts import OTHER, PEER, a_job
from tests.jobs.jobs_facts import asked as a_row
from tests.model.model_facts import plain
from tests.model.model_facts import statement as built_statement

HONEST = built_statement(Succeeded(products=(plain("a.deb"),)))
BIG = built_statement(Succeeded(products=tuple(plain(f"p{number:04}.deb") for number in range(1000))))


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    directory = tmp_path / "blobs"
    directory.mkdir(mode=0o700)
    return BlobStore.open(directory, reserve=0)


def done(peer: str, statement: statements.BuildStatement) -> Assignment:
    """A builder that revealed this statement."""
    builder = Builder(peer[:1].encode())
    entry = builder.write(entries.Outcome(statement=statements.encode(statement).payload))
    return replace(
        a_row(a_job(), peer, AssignmentState.DONE),
        acceptance=b"accepted",
        ending=entry,
        ending_proof=builder.prove(entry),
        owner=peer[:2] * 20,
    )


def test_who_accepted_has_a_seat_and_whose_outcome_came_has_a_vote(blobs: BlobStore) -> None:
    job = a_job()
    voted = replace(done(PEER, HONEST), verified=True, facts='{"kernel": "6.1"}', tie_break=True)
    late = replace(done(OTHER, HONEST), strikes=(Strike.LATE, Strike.WITHHELD))
    lost = replace(
        a_row(job, "0a" * 32, AssignmentState.LOST), acceptance=b"accepted", owner="0A" * 20, replaces="X"
    )
    building = replace(a_row(job, "0b" * 32, AssignmentState.BUILDING), acceptance=b"accepted")
    refused = a_row(job, "0c" * 32, AssignmentState.REFUSED)
    found = ballot(job, [voted, late, lost, building, refused], blobs)
    assert (found.job_class, found.quorum) == (job.order.job_class, job.order.quorum)
    assert found.seats == (
        Seat(owner=voted.owner, tie_break=True),
        Seat(owner=late.owner),
        Seat(owner="0A" * 20, closed=True, replaces="X"),
        Seat(owner=building.owner),
    )
    first, second = found.votes
    assert (first.owner, first.node, first.origin, first.index) == (voted.owner, PEER, HONEST.origin, 2)
    assert (first.committed, first.withheld, first.verified) == (True, False, True)
    assert first.result == HONEST.result
    assert first.facts == {"kernel": "6.1"}
    assert (second.committed, second.withheld, second.verified) == (False, True, False)


@pytest.mark.parametrize("state", [AssignmentState.LOST, AssignmentState.CANCELLED])
def test_a_seat_that_ended_without_an_outcome_is_closed(blobs: BlobStore, state: AssignmentState) -> None:
    row = replace(a_row(a_job(), state=state), acceptance=b"accepted")
    assert ballot(a_job(), [row], blobs).seats == (Seat(owner=row.owner, closed=True),)


def test_many_products_are_read_from_their_blob(blobs: BlobStore) -> None:
    encoded = statements.encode(BIG)
    assert encoded.products
    row = done(PEER, BIG)
    with pytest.raises(F2FError):
        statement_of(row, blobs)
    blobs.put_bytes(encoded.products)
    assert statement_of(row, blobs) == BIG


@pytest.mark.parametrize(
    ("detail", "again"),
    [("busy: all slots", True), ("disk-full: none left", True), ("class: not for you", False), ("", False)],
)
def test_only_a_refusal_that_passes_is_asked_again(detail: str, again: bool) -> None:
    row = replace(a_row(a_job(), state=AssignmentState.REFUSED), detail=detail, replaces="X", updated=1234)
    assert asked([row]) == [
        Asked(
            node=PEER,
            owner=row.owner,
            state=AssignmentState.REFUSED,
            tie_break=False,
            replaces="X",
            detail=detail,
            again=1234 + limits.REFUSED_AGAIN_SECONDS if again else None,
        )
    ]


@pytest.mark.parametrize("state", sorted(OPEN - {AssignmentState.COMMITTED}))
def test_nothing_is_shown_while_somebody_can_still_commit(state: AssignmentState) -> None:
    committed = a_row(a_job(), PEER, AssignmentState.COMMITTED)
    assert to_show([committed, a_row(a_job(), OTHER, state)]) == []


def test_the_committed_are_shown_unless_they_have_revealed() -> None:
    committed = a_row(a_job(), PEER, AssignmentState.COMMITTED)
    revealed = replace(a_row(a_job(), OTHER, AssignmentState.COMMITTED), ending=b"outcome")
    lost = a_row(a_job(), "0a" * 32, AssignmentState.LOST)
    assert to_show([committed, revealed, lost]) == [committed]
