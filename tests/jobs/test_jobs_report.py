"""What a builder signs about a finished build, and what it tells the submitter, over real rows and log."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trio
import trio.testing

from f2fbuild.jobs.engine import BuildReport
from f2fbuild.jobs.finished import DETAILS_SCHEMA, Finished, commitment, statement
from f2fbuild.jobs.offer import Offer
from f2fbuild.jobs.receipts import Promise, opens
from f2fbuild.jobs.report import Report
from f2fbuild.jobs.tasks import Task
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.checkpoint import log_vkey
from f2fbuild.ledger.commitment import salted
from f2fbuild.ledger.proof import parse_proof, verify_proof
from f2fbuild.model import canonical
from f2fbuild.model import statement as statements
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.outcome import ClosingReason, ExitClass, Failed, Result, Stage, Succeeded
from f2fbuild.model.times import rounded
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.messages import FollowJob, JobClosed, JobCommitted, JobLog, JobRevealed, JobState, NoJob
from tests.jobs.jobs_benches import LOG, ORIGIN, Workshop, workshop
from tests.jobs.jobs_facts import OTHER, PEER, a_job, a_task
from tests.model.model_facts import DEFINITION, plain

MANY = Succeeded(products=tuple(plain(f"p{number:04}.deb") for number in range(1000)))
RESULTS: list[Result] = [
    Succeeded(products=(plain("a.deb"),)),
    MANY,
    Failed(stage=Stage.TEST, exit_class=ExitClass.NONZERO),
]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path) as made:
        yield made


def finished(result: Result, *, verified: bool = True) -> Finished:
    report = BuildReport(
        outcome=result, products={}, verified=verified, facts={"kernel": "6.1"}, detail="as it should"
    )
    offer: Offer = a_job().offer
    return Finished(origin=ORIGIN, offer=offer, result=result, report=report, log="0c" * 32, now=4321)


@pytest.mark.parametrize("result", RESULTS, ids=["one", "many", "failed"])
def test_a_builder_signs_its_result_and_commits_to_it(result: Result) -> None:
    task = replace(a_task(), acceptance_index=7)
    encoded, _ = statement(task, finished(result))
    built = statements.decode(encoded.payload, encoded.products)
    assert (built.result, built.definition, built.origin) == (result, DEFINITION, ORIGIN)
    assert (built.job_id, built.acceptance, built.log) == (task.job, 7, "0c" * 32)
    assert (built.started, built.finished) == (rounded(task.updated), rounded(4321))
    found = commitment(replace(task, result=encoded.payload), encoded.products)
    promise = Promise(job=task.job, build_key=DEFINITION.build_key, acceptance=task.acceptance, index=7)
    assert found.acceptance == 7
    assert opens(found, built, promise)
    assert not opens(found, replace(built, nonce="0d" * 32), promise)
    assert not opens(found, built, replace(promise, acceptance=b"another entry"))


@pytest.mark.parametrize("verified", [True, False])
def test_host_and_submitter_are_in_a_blob_that_only_its_salted_hash_names(verified: bool) -> None:
    task = a_task()
    encoded, details = statement(task, finished(RESULTS[0], verified=verified))
    built = statements.decode(encoded.payload, encoded.products)
    assert built.details == salted(task.salts[:32], details)
    assert canonical.decode(details) == {
        "environment": "verified" if verified else "unverified",
        "facts": {"kernel": "6.1"},
        "salts": task.salts.hex(),
        "schema": DETAILS_SCHEMA,
        "submitter": task.submitter,
    }
    for hidden in (b"kernel", task.submitter.encode(), task.salts[:32].hex().encode()):
        assert hidden not in encoded.payload


@dataclass
class Line:
    """A submitter that follows a job of this workshop."""

    shop: Workshop
    nursery: trio.Nursery

    async def follow(self, job: str, *, peer: str = PEER, log_offset: int = 0, position: int = 0) -> Exchange:
        ours, theirs = trio.testing.memory_stream_pair()
        request = FollowJob(job_id=job, log_offset=log_offset, position=position)

        async def serve() -> None:
            exchange = Exchange(ours, peer=peer)
            await Report(self.shop.bench).serve(exchange, request)
            await exchange.finish()

        self.nursery.start_soon(serve)
        return Exchange(theirs, peer="1a" * 32)

    def change(self, task: Task, **columns: object) -> None:
        self.shop.bench.tasks.change(task.job, 3000, **columns)
        self.shop.changes.notify(task.job)

    async def write(self, payload: entries.Payload) -> int:
        journal = self.shop.journal
        return (await journal.ensure(journal.seal(payload), since=0)).index


@pytest.fixture
async def line(shop: Workshop) -> AsyncIterator[Line]:
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            yield Line(shop, nursery)
            nursery.cancel_scope.cancel()


async def test_nobody_but_the_submitter_of_an_accepted_job_is_told_of_it(shop: Workshop, line: Line) -> None:
    accepted, undecided = replace(a_task("0e" * 32), acceptance_index=3), a_task("0f" * 32)
    shop.bench.tasks.add(accepted)
    shop.bench.tasks.add(undecided)
    for job, peer in (("00" * 32, PEER), (accepted.job, OTHER), (undecided.job, PEER)):
        exchange = await line.follow(job, peer=peer)
        assert [message async for message in exchange] == [NoJob(job_id=job)]


async def test_a_job_is_told_from_its_beginning_to_its_outcome(shop: Workshop, line: Line) -> None:
    index = await line.write(entries.Closing(acceptance=99, reason=ClosingReason.INFRA))
    task = replace(a_task(), acceptance_index=index)
    shop.bench.tasks.add(task)
    exchange = await line.follow(task.job)
    assert (await exchange.expect(JobState)).state == "accepted"

    shop.bench.log_file(task.job).write_bytes(b"first line\n")
    line.change(task, state=AssignmentState.BUILDING, stage="build", detail="at it")
    assert await exchange.expect(JobLog) == JobLog(offset=0, data=b"first line\n")
    said = await exchange.expect(JobState)
    assert (said.state, said.stage, said.detail) == ("building", "build", "at it")

    with shop.bench.log_file(task.job).open("ab") as log:
        log.write(b"second line\n")
    shop.changes.notify(task.job)
    assert await exchange.expect(JobLog) == JobLog(offset=11, data=b"second line\n")

    committed = await line.write(entries.Commitment(acceptance=index, digest="0d" * 32))
    line.change(task, state=AssignmentState.COMMITTED, commitment_index=committed)
    assert (await exchange.expect(JobState)).state == "committed"
    shown = await exchange.expect(JobCommitted)
    assert shown.entry == shop.log.entry(committed)
    verify_proof(parse_proof(shown.proof), shown.entry, log_vkey(LOG.public))

    encoded, _ = statement(task, finished(RESULTS[0]))
    outcome = await line.write(entries.Outcome(statement=encoded.payload))
    line.change(task, state=AssignmentState.DONE, outcome_index=outcome, attachments=("0a" * 32, "0b" * 32))
    assert (await exchange.expect(JobState)).state == "done"
    revealed = await exchange.expect(JobRevealed)
    assert revealed.entry == shop.log.entry(outcome)
    assert revealed.attachments == ["0a" * 32, "0b" * 32]
    verify_proof(parse_proof(revealed.proof), revealed.entry, log_vkey(LOG.public))
    assert [message async for message in exchange] == []


async def test_who_comes_back_gets_the_rest(shop: Workshop, line: Line) -> None:
    """States that are known and bytes that are here are not sent again; a long log comes in blocks."""
    await line.write(entries.Closing(acceptance=99, reason=ClosingReason.INFRA))
    closing = await line.write(entries.Closing(acceptance=0, reason=ClosingReason.CANCELLED))
    task = replace(a_task(state=AssignmentState.CANCELLED), acceptance_index=0, closing_index=closing)
    shop.bench.tasks.add(task)
    log = bytes(range(256)) * 1024
    shop.bench.log_file(task.job).write_bytes(log)
    states = list(AssignmentState)
    exchange = await line.follow(
        task.job, log_offset=1000, position=states.index(AssignmentState.CANCELLED) + 1
    )
    *pieces, last = [message async for message in exchange]
    assert len(pieces) > 1
    offset, text = 1000, b""
    for piece in pieces:
        assert isinstance(piece, JobLog)
        assert piece.offset == offset + len(text)
        text += piece.data
    assert text == log[1000:]
    assert isinstance(last, JobClosed)
    assert (last.entry, last.reason) == (shop.log.entry(closing), "cancelled")


async def test_what_was_removed_meanwhile_is_told_as_it_was_last(shop: Workshop, line: Line) -> None:
    task = replace(a_task(), acceptance_index=0)
    shop.bench.tasks.add(task)
    exchange = await line.follow(task.job)
    assert (await exchange.expect(JobState)).state == "accepted"
    shop.bench.tasks.remove(task.job)
    shop.bench.log_file(task.job).write_bytes(b"more")
    shop.changes.notify(task.job)
    assert await exchange.expect(JobLog) == JobLog(offset=0, data=b"more")
