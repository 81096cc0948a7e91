"""What a builder forgets thirty days after a job, and what it keeps for somebody's sake."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from f2fbuild import limits
from f2fbuild.jobs.queue import Queue
from f2fbuild.jobs.retention import Forgetting
from f2fbuild.jobs.tasks import Tasks
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.job import AssignmentState
from tests.jobs.jobs_benches import Workshop, workshop
from tests.jobs.jobs_facts import PEER, a_job, a_task, asked

DAYS = limits.ARTIFACT_DAYS * 86_400
PRODUCT, DETAILS = b"a product", b"salted details"
DIGESTS = (sha256_hex(PRODUCT), sha256_hex(DETAILS))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path) as made:
        made.now = 1000 + DAYS + 1
        yield made


def ended(shop: Workshop, job: str = "0e" * 32, state: AssignmentState = AssignmentState.DONE) -> None:
    for data in (PRODUCT, DETAILS):
        shop.blobs.put_bytes(data)
    Tasks(shop.database).add(replace(a_task(job, state), attachments=DIGESTS))
    shop.bench.log_file(job).write_bytes(b"a log")


def forgetting(shop: Workshop) -> Forgetting:
    return Forgetting(shop.bench, shop.database)


@pytest.mark.parametrize("state", [AssignmentState.DONE, AssignmentState.LOST, AssignmentState.CANCELLED])
async def test_products_logs_and_details_go_after_thirty_days(shop: Workshop, state: AssignmentState) -> None:
    ended(shop, state=state)
    shop.now -= 1
    assert await forgetting(shop).round() == 0
    shop.now += 1
    assert await forgetting(shop).round() == 1
    assert not any(shop.blobs.has(digest) for digest in DIGESTS)
    assert not shop.bench.log_file("0e" * 32).exists()
    task = Tasks(shop.database).get("0e" * 32)
    assert task is not None
    assert (task.attachments, task.updated) == ((), 1000)
    assert await forgetting(shop).round() == 0


@pytest.mark.parametrize("state", [AssignmentState.COMMITTED, AssignmentState.BUILDING])
async def test_what_has_not_ended_stays(shop: Workshop, state: AssignmentState) -> None:
    ended(shop, state=state)
    assert await forgetting(shop).round() == 0
    assert all(shop.blobs.has(digest) for digest in DIGESTS)


async def test_what_somebody_may_still_fetch_stays(shop: Workshop) -> None:
    ended(shop)
    shop.bench.access.allow(PEER, DIGESTS[:1], shop.now + 10)
    shop.bench.access.allow(PEER, DIGESTS[1:], shop.now - 10)
    await forgetting(shop).round()
    assert [shop.blobs.has(digest) for digest in DIGESTS] == [True, False]


async def test_what_another_task_needs_stays(shop: Workshop) -> None:
    ended(shop)
    Tasks(shop.database).add(replace(a_task("0f" * 32, AssignmentState.COMMITTED), attachments=DIGESTS[:1]))
    await forgetting(shop).round()
    assert [shop.blobs.has(digest) for digest in DIGESTS] == [True, False]


async def test_what_came_as_the_result_of_an_own_job_stays(shop: Workshop) -> None:
    ended(shop)
    queue, job = Queue(shop.database), a_job()
    queue.add(job)
    queue.assign(replace(asked(job, state=AssignmentState.DONE), attachments=DIGESTS[:1]))
    await forgetting(shop).round()
    assert [shop.blobs.has(digest) for digest in DIGESTS] == [True, False]


async def test_a_round_is_bounded(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TIDY_TASKS", 2)
    for number in range(5):
        ended(shop, f"{number:064x}")
    assert [await forgetting(shop).round() for _ in range(4)] == [2, 2, 1, 0]
    assert not any(shop.blobs.has(digest) for digest in DIGESTS)
