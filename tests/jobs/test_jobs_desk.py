"""The submitter's desk: orders that are durable before anybody is asked, what happens to them, summaries."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from f2fbuild import limits
from f2fbuild.errors import LocalProtocolError, UsageError
from f2fbuild.jobs.desk import Desk
from f2fbuild.jobs.lifecycle import AssignmentEvent
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.jobs.submit import Submission, Wanted
from f2fbuild.jobs.summing import Summing
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.commitment import salted
from f2fbuild.model import canonical
from f2fbuild.model import statement as statements
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.job import AssignmentState, JobClass, JobState, Quorum
from f2fbuild.model.outcome import ExitClass, Failed, Product, Stage, Succeeded, result_digest
from f2fbuild.model.summary import Summary, decode_summary
from f2fbuild.model.verdict import Verdict, VerdictKind
from f2fbuild.model.vote import Strike
from tests.jobs.jobs_benches import STATEMENTS, Workshop, workshop
from tests.jobs.jobs_builder import Builder
from tests.jobs.jobs_facts import OTHER, PEER, a_job, asked
from tests.model.model_facts import plain
from tests.model.model_facts import statement as built_statement
from tests.scenes import scene_engine


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path) as made:
        yield made


def wanted(directory: Path, **changes: object) -> Wanted:
    source = directory / "ball.txt"
    source.write_text("a ball")
    plainly = Wanted(
        target=scene_engine.TARGET,
        source=source,
        job_class=JobClass.TESTING,
        builders=None,
        agree=None,
        deadline=9000,
    )
    return replace(plainly, **changes)  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("job_class", "builders", "agree", "quorum"),
    [
        (JobClass.SCRATCH, None, None, (1, 1)),
        (JobClass.TESTING, None, None, (2, 2)),
        (JobClass.RELEASE, None, None, (3, 3)),
        (JobClass.RELEASE, 2, None, (2, 2)),
        (JobClass.RELEASE, 5, None, (5, 3)),
        (JobClass.TESTING, None, 4, (4, 4)),
        (JobClass.TESTING, None, 1, (2, 1)),
        (JobClass.TESTING, 3, 2, (3, 2)),
    ],
)
def test_what_is_not_said_is_the_default_of_the_class(
    tmp_path: Path, job_class: JobClass, builders: int | None, agree: int | None, quorum: tuple[int, int]
) -> None:
    found = wanted(tmp_path, job_class=job_class, builders=builders, agree=agree).quorum()
    assert (found.builders, found.agree) == quorum


def test_no_more_can_agree_than_are_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 cannot agree when 2 are asked"):
        wanted(tmp_path, builders=2, agree=3).quorum()


async def test_an_order_is_stored_and_logged_with_everything_that_builders_fetch(
    shop: Workshop, tmp_path: Path
) -> None:
    job = await Submission(shop.desk).submit(wanted(tmp_path))
    assert shop.desk.queue.get(job.id) == job
    assert (job.state, job.order.created, job.order.deadline) == (JobState.QUEUED, 2000, 9000)
    assert job.order.quorum == Quorum(builders=2, agree=2)
    assert job.order.build_key == job.offer.definition.build_key
    for blob in job.offer.blobs:
        assert len(shop.blobs.read(blob.sha256, blob.size)) == blob.size
    for data in scene_engine.METADATA.repositories[0].indexes:
        assert shop.blobs.has(sha256_hex(data))
    logged = entries.read(shop.log.entry(0), STATEMENTS.public).payload
    assert logged == entries.Order(commit=salted(job.salt, job.order.encode()))
    await Submission(shop.desk).log_order(job)
    assert shop.log.size == 1


async def test_nothing_is_ordered_when_the_source_cannot_be_used(shop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such target"):
        await Submission(shop.desk).submit(wanted(tmp_path, target="nowhere"))
    assert shop.desk.queue.newest(10) == []
    assert shop.log.size == 0


async def test_a_retried_job_is_another_order_for_the_same_build(shop: Workshop, tmp_path: Path) -> None:
    submission = Submission(shop.desk)
    job = await submission.submit(wanted(tmp_path, builders=3, agree=2))
    shop.now = 50_000
    again = await submission.again(job)
    assert again.id != job.id
    assert again.salt != job.salt
    assert again.order.build_key == job.order.build_key
    assert again.order.quorum == job.order.quorum
    assert (again.order.created, again.order.deadline) == (50_000, 57_000)
    assert again.offer == replace(job.offer, deadline=57_000)
    assert shop.log.size == 2


def row(desk: Desk, state: AssignmentState, peer: str = PEER) -> Job:
    job = a_job()
    if desk.queue.get(job.id) is None:
        desk.queue.add(job)
    desk.queue.assign(asked(job, peer, state))
    return job


async def test_what_happens_is_recorded_and_rings_the_bell(shop: Workshop) -> None:
    desk = shop.desk
    job = row(desk, AssignmentState.OFFERED)
    bell = desk.changes.next(job.id)
    desk.advance(job.id, PEER, AssignmentEvent.ACCEPT, acceptance=b"entry")
    with trio.fail_after(1):
        await bell.wait()
    found = desk.queue.assignment(job.id, PEER)
    assert (found.state, found.acceptance, found.updated) == (AssignmentState.ACCEPTED, b"entry", 2000)


def test_what_cannot_happen_changes_nothing(shop: Workshop) -> None:
    job = row(shop.desk, AssignmentState.DONE)
    before = shop.desk.queue.assignment(job.id, PEER)
    with pytest.raises(LocalProtocolError, match="cannot happen"):
        shop.desk.advance(job.id, PEER, AssignmentEvent.BUILD)
    shop.desk.lose(job.id, PEER, "gone")
    assert shop.desk.queue.assignment(job.id, PEER) == before


def test_a_builder_is_given_up_with_a_reason_of_bounded_length(shop: Workshop) -> None:
    job = row(shop.desk, AssignmentState.BUILDING)
    shop.desk.lose(job.id, PEER, "x" * 10 * limits.MESSAGE_TEXT)
    found = shop.desk.queue.assignment(job.id, PEER)
    assert (found.state, found.detail) == (AssignmentState.LOST, "x" * limits.MESSAGE_TEXT)


def test_each_builder_and_each_task_has_a_log_of_its_own(shop: Workshop) -> None:
    places = {
        shop.desk.log_file("job", PEER),
        shop.desk.log_file("job", OTHER),
        shop.desk.log_file("boj", PEER),
        shop.bench.log_file("job"),
    }
    assert len(places) == 4
    assert all(place.is_relative_to(shop.directory / "logs") for place in places)


async def test_a_tie_break_is_logged_once_and_hides_like_the_order(shop: Workshop) -> None:
    job = a_job()
    await Summing(shop.desk).log_tie_break(replace(job, log_size=0), 2)
    await Summing(shop.desk).log_tie_break(replace(job, log_size=0), 2)
    await Summing(shop.desk).log_tie_break(replace(job, log_size=0), 3)
    assert shop.log.size == 2
    hidden = [salted(job.salt, canonical.encode({"asked": number, "job": job.id})) for number in (2, 3)]
    found = [entries.read(shop.log.entry(index), STATEMENTS.public).payload for index in range(2)]
    assert found == [entries.Order(commit=commit) for commit in hidden]


SUCCESS = Succeeded(products=(plain("a.deb"),))
FAILURE = Failed(stage=Stage.BUILD, exit_class=ExitClass.NONZERO)


def ended(result: Succeeded | Failed, peer: str = PEER) -> Assignment:
    builder = Builder(peer[:1].encode())
    entry = builder.write(entries.Outcome(statement=statements.encode(built_statement(result)).payload))
    return replace(
        asked(a_job(), peer, AssignmentState.DONE),
        ending=entry,
        ending_proof=builder.prove(entry),
        result=result_digest(result),
        updated=3000,
    )


def verdict(kind: VerdictKind, result: str = "") -> Verdict:
    return Verdict(kind=kind, agree=2, denominator=2, needed=2, verified=1, result=result, accuses=())


async def summary_of(shop: Workshop, rows: list[Assignment], judged: Verdict) -> Summary:
    await Summing(shop.desk).log_verdict(replace(a_job(), log_size=0), rows, judged)
    payload = entries.read(shop.log.entry(shop.log.size - 1), STATEMENTS.public).payload
    assert isinstance(payload, entries.VerdictSummary)
    return decode_summary(payload.statement)


@pytest.mark.parametrize("kind", VerdictKind)
async def test_every_verdict_has_its_summary(shop: Workshop, kind: VerdictKind) -> None:
    """Whoever leads, products are named only of an agreement; all else is said of the sources."""
    rows = [ended(SUCCESS), ended(SUCCESS, OTHER)]
    summary = await summary_of(shop, rows, verdict(kind, result_digest(SUCCESS)))
    assert summary.figures.kind is kind
    assert summary.passed is (kind in (VerdictKind.AGREE, VerdictKind.DISPUTED))
    named = SUCCESS.products if summary.passed else a_job().offer.sources
    assert [one.name for one in summary.subjects] == [one.name for one in named]
    assert len(summary.outcomes) == 2


async def test_a_struck_vote_takes_nothing_from_what_is_named(shop: Workshop) -> None:
    rpm = Product(kind="rpm", name="a.rpm", size=1, sha256="01" * 32, canonical="0c" * 32)
    good, other = Succeeded(products=(rpm,)), Succeeded(products=(replace(rpm, sha256="02" * 32),))
    judged = verdict(VerdictKind.AGREE, result_digest(good))
    assert result_digest(good) == result_digest(other)
    late = replace(ended(other, OTHER), strikes=(Strike.LATE,))
    (named,) = (await summary_of(shop, [ended(good), late], judged)).subjects
    assert (named.sha256, named.canonical) == ("01" * 32, "0c" * 32)
    (named,) = (await summary_of(shop, [ended(good), ended(other, OTHER)], judged)).subjects
    assert (named.sha256, named.canonical) == ("", "0c" * 32)


async def test_a_summary_of_very_many_products_fits_an_entry(shop: Workshop) -> None:
    many = Succeeded(products=tuple(plain(f"file-{number:05}") for number in range(40_000)))
    shop.blobs.put_bytes(statements.encode(built_statement(many)).products)
    row = ended(many)
    (subject,) = (await summary_of(shop, [row], verdict(VerdictKind.AGREE, result_digest(many)))).subjects
    assert subject.name == "products.json"
    listed = json.loads(shop.blobs.read(subject.sha256, limits.PRODUCTS_LIST_BYTES))
    assert [one["name"] for one in listed] == [product.name for product in many.products]


@pytest.mark.parametrize(
    ("outcomes", "judged", "named"),
    [
        ([SUCCESS], verdict(VerdictKind.AGREE, result_digest(SUCCESS)), ["a.deb"]),
        ([FAILURE, SUCCESS], verdict(VerdictKind.AGREE, result_digest(SUCCESS)), ["a.deb"]),
        ([FAILURE], verdict(VerdictKind.FAILED, result_digest(FAILURE)), []),
        ([SUCCESS], verdict(VerdictKind.INCONCLUSIVE), []),
        ([], verdict(VerdictKind.INCONCLUSIVE), []),
    ],
)
async def test_a_verdict_is_logged_once_and_opens_the_order(
    shop: Workshop, outcomes: list[Succeeded | Failed], judged: Verdict, named: list[str]
) -> None:
    job = replace(a_job(), log_size=0)
    rows = [ended(result, peer) for result, peer in zip(outcomes, (PEER, OTHER), strict=False)]
    lost = asked(job, "0a" * 32, AssignmentState.LOST)
    for _ in range(2):
        await Summing(shop.desk).log_verdict(job, [lost, *rows], judged)
    assert shop.log.size == 2
    order, payload = (
        entries.read(shop.log.entry(index), STATEMENTS.public).payload for index in range(shop.log.size)
    )
    assert isinstance(payload, entries.VerdictSummary)
    summary = json.loads(payload.statement)
    opened = summary["predicate"]["f2fbuild_order"]
    sealed = salted(bytes.fromhex(opened["salt"]), opened["payload"].encode())
    assert order == entries.Order(commit=sealed)
    assert opened["entry"] == 0
    assert summary["predicate"]["verifier"] == {"id": shop.log.key.name}
    sources = [source.name for source in job.offer.sources]
    assert [subject["name"] for subject in summary["subject"]] == (named or sources)
    assert {one["digest"]["sha256"] for one in summary["predicate"]["inputAttestations"]} == {
        sha256_hex(one.ending or b"") for one in rows
    }
