"""The durable rows of submitter and builder, the grants of blobs, and the journal, over real files."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from f2fbuild.errors import FormatError, LocalProtocolError, UsageError
from f2fbuild.jobs.access import BlobAccess
from f2fbuild.jobs.changes import Changes
from f2fbuild.jobs.journal import Journal
from f2fbuild.jobs.queue import Queue
from f2fbuild.jobs.tasks import OPEN_STATES, Tasks
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.checkpoint import log_vkey
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.proof import parse_proof, verify_proof
from f2fbuild.model.digest import long_id, short_id
from f2fbuild.model.job import AssignmentState, JobState
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.vote import Strike
from f2fbuild.store.database import ConflictError, Database
from f2fbuild.store.schema import MIGRATIONS
from tests.jobs.jobs_facts import OTHER, PEER, a_job, a_task, asked


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    directory = tmp_path / "rows"
    directory.mkdir(mode=0o700)
    with Database.open(directory / "node.sqlite", MIGRATIONS) as opened:
        yield opened


def test_a_job_comes_back_as_it_was(database: Database) -> None:
    queue, job = Queue(database), a_job()
    queue.add(job)
    assert queue.get(job.id) == job
    assert queue.get("0e" * 32) is None
    with pytest.raises(ConflictError):
        queue.add(job)


@pytest.mark.parametrize("damaged", ["{ }", "[]", "{}"])
def test_a_damaged_offer_is_said_to_be_one(database: Database, damaged: str) -> None:
    queue, job = Queue(database), a_job()
    queue.add(job)
    with pytest.raises(FormatError, match="offer"):
        queue.change(job.id, 1001, offer=damaged)
    with pytest.raises(FormatError, match="offer"):
        queue.get(job.id)


def test_a_job_is_changed_and_says_when(database: Database) -> None:
    queue, job = Queue(database), a_job()
    queue.add(job)
    changed = queue.change(job.id, 1001, state=JobState.RUNNING, reason="because", verdict="{}")
    assert changed == replace(job, state=JobState.RUNNING, reason="because", verdict="{}", updated=1001)
    assert queue.get(job.id) == changed
    with pytest.raises(LocalProtocolError):
        queue.change("0e" * 32, 1001, reason="nobody")


def test_jobs_are_named_by_any_unique_beginning(database: Database) -> None:
    queue, job = Queue(database), a_job()
    queue.add(job)
    for name in (short_id(job.id), long_id(job.id), job.id, short_id(job.id).upper()):
        assert queue.resolve(name) == job
    with pytest.raises(UsageError, match="no job begins with this id"):
        queue.resolve("0" * 52)
    # Every id begins with nothing, and yet nothing names no job, not even the only one.
    with pytest.raises(UsageError, match="no job begins with this id"):
        queue.resolve("")
    letter = short_id(job.id)[0]
    others = (a_job(nonce=f"{number:032x}") for number in range(1000))
    queue.add(next(other for other in others if short_id(other.id)[0] == letter and other != job))
    with pytest.raises(UsageError, match="2 jobs begin with this id"):
        queue.resolve(letter)


def test_newest_jobs_come_first(database: Database) -> None:
    queue = Queue(database)
    jobs = [a_job(created=1000 + number, nonce=f"{number:032x}") for number in range(5)]
    for job in jobs:
        queue.add(job)
    assert [job.id for job in queue.newest(3)] == [job.id for job in reversed(jobs[2:])]


def test_what_has_not_ended_is_taken_up_again(database: Database) -> None:
    """A job that ended whose builder has not is among them; one of which all have ended is not."""
    queue = Queue(database)
    fresh, ended, late = (a_job(created=1000 + n, nonce=f"{n:032x}") for n in range(3))
    for job in (fresh, ended, late):
        queue.add(job)
    for job in (ended, late):
        queue.change(job.id, 1100, state=JobState.SUCCEEDED)
    queue.assign(asked(ended, state=AssignmentState.DONE))
    queue.assign(asked(late, state=AssignmentState.BUILDING))
    assert [job.id for job in queue.unfinished()] == [fresh.id, late.id]


def test_assignments_keep_what_builders_said_verbatim(database: Database) -> None:
    queue, job = Queue(database), a_job()
    queue.add(job)
    queue.assign(asked(job))
    queue.assign(asked(job, OTHER))
    said = queue.advance(
        job.id,
        PEER,
        1002,
        state=AssignmentState.DONE,
        acceptance=b"\x00acceptance",
        receipt=b"proof",
        ending=b"outcome",
        attachments=("0a" * 32, "0b" * 32),
        verified=True,
        strikes=(Strike.LATE,),
        out=True,
        facts='{"kernel": "6.1"}',
        result="0c" * 32,
    )
    assert said == queue.assignment(job.id, PEER)
    assert (said.acceptance, said.receipt, said.ending) == (b"\x00acceptance", b"proof", b"outcome")
    assert said.attachments == ("0a" * 32, "0b" * 32)
    assert (said.verified, said.strikes, said.out, said.tie_break) == (True, (Strike.LATE,), True, False)
    assert [one.peer for one in queue.assignments(job.id)] == [PEER, OTHER]
    assert queue.assignment(job.id, OTHER) == asked(job, OTHER)
    with pytest.raises(LocalProtocolError):
        queue.assignment(job.id, "0e" * 32)


def test_a_friend_has_as_many_jobs_as_are_open(database: Database) -> None:
    queue = Queue(database)
    states = [AssignmentState.OFFERED, AssignmentState.BUILDING, AssignmentState.DONE, AssignmentState.LOST]
    for number, state in enumerate(states):
        job = a_job(nonce=f"{number:032x}")
        queue.add(job)
        queue.assign(asked(job, state=state))
    assert queue.working_for([PEER, OTHER]) == {PEER: 2, OTHER: 0}


def test_a_task_comes_back_as_it_was_and_as_it_was_changed(database: Database) -> None:
    tasks, task = Tasks(database), a_task()
    tasks.add(task)
    assert tasks.get(task.job) == task
    assert not task.ended
    changed = tasks.change(
        task.job, 1001, acceptance_index=3, result=b"statement", attachments=("0a" * 32,), detail="said"
    )
    assert changed == replace(
        task,
        acceptance_index=3,
        result=b"statement",
        attachments=("0a" * 32,),
        detail="said",
        updated=1001,
    )
    assert tasks.change(task.job, 1002, outcome_index=5, state=AssignmentState.DONE).ended
    tasks.remove(task.job)
    assert tasks.get(task.job) is None
    with pytest.raises(LocalProtocolError, match="no such task"):
        tasks.change(task.job, 1003, detail="nobody")


def test_an_acceptance_has_one_end_in_the_rows_too(database: Database) -> None:
    tasks, task = Tasks(database), a_task()
    tasks.add(task)
    tasks.change(task.job, 1001, acceptance_index=3, closing_index=4)
    with pytest.raises(ConflictError):
        tasks.change(task.job, 1002, outcome_index=5)
    with pytest.raises(ConflictError):
        tasks.add(task)


def test_open_tasks_are_listed_oldest_first(database: Database) -> None:
    tasks = Tasks(database)
    for number, state in enumerate([*OPEN_STATES, AssignmentState.DONE, AssignmentState.LOST]):
        tasks.add(replace(a_task(f"{number:064x}", state), updated=2000 - number))
    found = [task.state for task in tasks.in_states(OPEN_STATES)]
    assert found == list(reversed(OPEN_STATES))


def test_a_grant_ends_by_itself_and_a_longer_one_stays(database: Database) -> None:
    access = BlobAccess(database)
    access.allow(PEER, ["0a" * 32, "0b" * 32], 1000)
    access.allow(PEER, ["0a" * 32], 2000)
    access.allow(PEER, ["0a" * 32], 500)
    assert access.may_fetch(PEER, "0a" * 32, 2000)
    assert not access.may_fetch(PEER, "0a" * 32, 2001)
    assert access.may_fetch(PEER, "0b" * 32, 1000)
    assert not access.may_fetch(PEER, "0b" * 32, 1001)
    assert not access.may_fetch(OTHER, "0a" * 32, 0)
    assert not access.may_fetch(PEER, "0c" * 32, 0)
    assert access.expire(1001) == 1
    assert access.expire(1001) == 0
    assert access.may_fetch(PEER, "0a" * 32, 1500)


async def test_a_change_wakes_all_who_took_the_bell_before() -> None:
    changes = Changes()
    first, second = changes.next("job"), changes.next("job")
    assert first is second
    changes.notify("other")
    assert not first.is_set()
    changes.notify("job")
    with trio.fail_after(1):
        await first.wait()
    assert changes.next("job") is not first
    changes.notify("nobody waits for this one")


@pytest.fixture
def grown() -> list[int]:
    return []


@pytest.fixture
def journal(tmp_path: Path, grown: list[int]) -> Iterator[Journal]:
    key = SigningKey.from_seed(b"l" * 32)
    with Log.create(tmp_path / "log", key) as log:
        yield Journal(log, SigningKey.from_seed(b"s" * 32), lambda: grown.append(log.size))


async def test_an_entry_is_written_once_however_often_it_is_ensured(
    journal: Journal, grown: list[int]
) -> None:
    entry = journal.seal(entries.Closing(acceptance=0, reason=ClosingReason.INFRA))
    other = journal.seal(entries.Closing(acceptance=1, reason=ClosingReason.INFRA))
    since = journal.size
    first = await journal.ensure(entry, since=since)
    await journal.ensure(other, since=since)
    again = await journal.ensure(entry, since=since)
    assert (first.index, again.index, journal.size) == (0, 0, 2)
    assert first.entry == again.entry == entry
    assert grown == [1, 2]
    assert await journal.find(other, since=since) == 1
    assert await journal.find(other, since=2) is None


async def test_an_entry_comes_with_a_proof_that_leads_to_a_signed_head(journal: Journal) -> None:
    entry = journal.seal(entries.Closing(acceptance=0, reason=ClosingReason.CANCELLED))
    recorded = await journal.ensure(entry, since=0)
    key = log_vkey(SigningKey.from_seed(b"l" * 32).public)
    head = verify_proof(parse_proof(recorded.proof), recorded.entry, key)
    assert head.size == 1
    later = journal.seal(entries.Closing(acceptance=1, reason=ClosingReason.CANCELLED))
    await journal.ensure(later, since=1)
    fresh = await journal.recorded(0)
    assert verify_proof(parse_proof(fresh.proof), entry, key).size == 2


async def test_entries_that_are_ensured_at_once_are_all_there_once(journal: Journal) -> None:
    sealed = [
        journal.seal(entries.Closing(acceptance=number, reason=ClosingReason.TIMED_OUT))
        for number in range(10)
    ]
    found: list[int] = []

    async def ensure(entry: bytes) -> None:
        found.append((await journal.ensure(entry, since=0)).index)

    async with trio.open_nursery() as nursery:
        for entry in (*sealed, *sealed):
            nursery.start_soon(ensure, entry)
    assert journal.size == 10
    assert sorted(found) == sorted([*range(10), *range(10)])


async def test_the_files_of_the_log_follow_soon_after_an_entry(journal: Journal, tmp_path: Path) -> None:
    told: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run, told.append)
        for number in range(3):
            entry = journal.seal(entries.Closing(acceptance=number, reason=ClosingReason.INFRA))
            await journal.ensure(entry, since=0)
        with trio.fail_after(60):
            while b"\n3\n" not in (tmp_path / "log" / "checkpoint").read_bytes():
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert told == []


async def test_files_that_cannot_follow_are_told_and_cost_no_entry(journal: Journal, tmp_path: Path) -> None:
    told: list[str] = []
    entry = journal.seal(entries.Closing(acceptance=0, reason=ClosingReason.INFRA))
    await journal.ensure(entry, since=0)
    (tmp_path / "log" / "tile").write_bytes(b"in the way")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run, told.append)
        with trio.fail_after(60):
            while not told:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert "no entry is lost" in told[0]
    assert await journal.find(entry, since=0) == 0
