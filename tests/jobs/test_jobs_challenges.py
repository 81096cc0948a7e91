"""A challenge to hash what was signed for: what is hashed, who is answered, and how often."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from f2fbuild import limits
from f2fbuild.errors import StorageError
from f2fbuild.jobs.challenges import Challenged, challenged, hash_files
from f2fbuild.jobs.tasks import Tasks
from f2fbuild.model import statement as statements
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.outcome import ExitClass, Failed, Product, Result, Stage, Succeeded
from f2fbuild.model.statement import BuildStatement
from f2fbuild.net.messages import Challenge, ChallengeAnswered, Failure, NoJob
from tests.jobs.jobs_benches import Workshop, workshop
from tests.jobs.jobs_facts import OTHER, PEER, a_task
from tests.model.model_facts import statement as built_statement

NONCE = bytes(range(32))
LOG, FIRST, SECOND = b"gcc -O2\n", b"first product", b"second product"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path) as made:
        yield made


def product(name: str, data: bytes) -> Product:
    digest = sha256_hex(data)
    return Product(kind="deb", name=name, size=len(data), sha256=digest, canonical=digest, content="")


def built(result: Result) -> BuildStatement:
    return replace(built_statement(result), log=sha256_hex(LOG))


# Listed in another order than their names have.
BUILT = built(Succeeded(products=(product("b.deb", SECOND), product("a.deb", FIRST))))


def decided(shop: Workshop, *, committed: bool = True) -> str:
    """A task that has decided its result, with all its bytes."""
    for data in (LOG, FIRST, SECOND):
        shop.blobs.put_bytes(data)
    result = built(Succeeded(products=(product("a.deb", FIRST), product("b.deb", SECOND))))
    task = replace(
        a_task(),
        result=statements.encode(result).payload,
        acceptance_index=2,
        commitment_index=3 if committed else None,
    )
    Tasks(shop.database).add(task)
    return task.job


def test_log_first_then_products_by_name() -> None:
    assert challenged(BUILT) == (sha256_hex(LOG), sha256_hex(FIRST), sha256_hex(SECOND))
    failed = built(Failed(stage=Stage.BUILD, exit_class=ExitClass.NONZERO))
    assert challenged(failed) == (sha256_hex(LOG),)


def test_the_answer_is_the_hash_of_nonce_log_and_products(tmp_path: Path) -> None:
    files = []
    for data in (LOG, FIRST, SECOND):
        path = tmp_path / sha256_hex(data)
        path.write_bytes(data)
        files.append((sha256_hex(data), path))
    assert hash_files(NONCE, files) == hashlib.sha256(NONCE + LOG + FIRST + SECOND).hexdigest()
    assert hash_files(bytes(32), files) != hash_files(NONCE, files)
    with pytest.raises(StorageError, match="other bytes"):
        hash_files(NONCE, [(sha256_hex(LOG), files[1][1])])
    with pytest.raises(StorageError):
        hash_files(NONCE, [(sha256_hex(LOG), tmp_path / "gone")])


async def test_the_submitter_is_answered_from_the_bytes(shop: Workshop) -> None:
    job = decided(shop)
    answer = await Challenged(shop.bench).answer(PEER, Challenge(job_id=job, nonce=NONCE))
    expected = hashlib.sha256(NONCE + LOG + FIRST + SECOND).hexdigest()
    assert answer == ChallengeAnswered(job_id=job, digest=expected)


async def test_nobody_else_has_such_a_job(shop: Workshop) -> None:
    job = decided(shop)
    challenged = Challenged(shop.bench)
    assert await challenged.answer(OTHER, Challenge(job_id=job, nonce=NONCE)) == NoJob(job_id=job)
    unknown = "0f" * 32
    assert await challenged.answer(PEER, Challenge(job_id=unknown, nonce=NONCE)) == NoJob(job_id=unknown)


async def test_before_the_commitment_nothing_is_told(shop: Workshop) -> None:
    job = decided(shop, committed=False)
    answer = await Challenged(shop.bench).answer(PEER, Challenge(job_id=job, nonce=NONCE))
    assert isinstance(answer, Failure)
    assert answer.code == "not-committed"


async def test_who_has_lost_a_product_says_so(shop: Workshop) -> None:
    job = decided(shop)
    shop.blobs.remove(sha256_hex(SECOND))
    answer = await Challenged(shop.bench).answer(PEER, Challenge(job_id=job, nonce=NONCE))
    assert isinstance(answer, Failure)
    assert answer.code == "not-held"


async def test_so_many_a_day_and_not_more(shop: Workshop) -> None:
    job = decided(shop)
    builder = Challenged(shop.bench)
    request = Challenge(job_id=job, nonce=NONCE)
    for _ in range(limits.CHALLENGES_PER_DAY):
        assert isinstance(await builder.answer(PEER, request), ChallengeAnswered)
    refused = await builder.answer(PEER, request)
    assert isinstance(refused, Failure)
    assert refused.code == "challenged-too-often"
    shop.now += 86_400
    assert isinstance(await builder.answer(PEER, request), ChallengeAnswered)


async def test_what_is_counted_is_bounded(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHALLENGED_JOBS", 0)
    job = decided(shop)
    builder = Challenged(shop.bench)
    for _ in range(limits.CHALLENGES_PER_DAY + 1):
        answer = await builder.answer(PEER, Challenge(job_id=job, nonce=NONCE))
        assert isinstance(answer, ChallengeAnswered)
    assert builder._answered == {}


async def test_many_at_once_are_hashed_one_after_the_other(shop: Workshop) -> None:
    job = decided(shop)
    builder = Challenged(shop.bench)
    answers: list[object] = []

    async def ask() -> None:
        answers.append(await builder.answer(PEER, Challenge(job_id=job, nonce=NONCE)))
        assert builder._one.borrowed_tokens <= 1

    async with trio.open_nursery() as nursery:
        for _ in range(limits.CHALLENGES_PER_DAY):
            nursery.start_soon(ask)
    assert {type(answer) for answer in answers} == {ChallengeAnswered}
