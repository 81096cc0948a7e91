"""Embargoed builds: nothing about the products comes out before the reveal-by, and everything after it."""

from typing import Any

import msgspec
import pytest

from f2fbuild.api import replies, requests
from f2fbuild.errors import UsageError
from f2fbuild.jobs.queue import Job
from f2fbuild.ledger import entry as entries
from f2fbuild.model.job import AssignmentState, JobState
from f2fbuild.model.verdict import VerdictKind
from f2fbuild.net.messages import BlobsHeld, FollowJob, HaveBlobs, NoBlob, NoJob, WantBlob
from f2fbuild.node.parts import Parts
from tests.scenes.scene_engine import PRODUCT
from tests.scenes.scene_node import Scene, SceneNode
from tests.scenes.scene_talk import ask, only

DAY = 86_400


def outcomes(node: SceneNode) -> int:
    return sum(entry.kind is entries.Kind.OUTCOME for entry in node.entries())


async def committed(alice: SceneNode, job: Job) -> replies.Job:
    return await alice.see(
        job, lambda view: [str(one.state) for one in view.assignments] == ["committed", "committed"]
    )


def attachments(builder: SceneNode, job: Job) -> tuple[str, ...]:
    task = builder.parts.bench.tasks.get(job.id)
    assert task is not None
    assert len(task.attachments) == 3  # product, log, details
    return task.attachments


async def test_nothing_comes_out_before_its_time_and_everything_after_it(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    job = await alice.order(embargo=2 * DAY)
    view = await committed(alice, job)
    assert view.embargo_until == job.order.reveal_by
    assert job.order.reveal_by >= alice.watch() + 2 * DAY - 60
    assert job.order.deadline >= job.order.reveal_by + 3600
    for builder in (bob, carol):
        digests = list(attachments(builder, job))
        assert await ask(alice, builder, HaveBlobs(digests=digests)) == BlobsHeld(digests=[])
        for digest in digests:
            assert isinstance(await ask(alice, builder, WantBlob(digest=digest, first_chunk=0)), NoBlob)
        raw = b"".join(builder.parts.log.entries(1, builder.parts.log.size))
        kinds = [entry.kind for entry in builder.entries()][1:]
        assert kinds == [entries.Kind.ACCEPTANCE, entries.Kind.COMMITMENT]
        for secret in (PRODUCT, job.order.build_key, alice.id, *digests):
            assert secret.encode() not in raw
        (accepted,) = [e.payload for e in builder.entries() if isinstance(e.payload, entries.Acceptance)]
        assert accepted.reveal_by == job.order.reveal_by
    reply = await alice.api(requests.ExplainJob(job=job.id))
    assert isinstance(reply, replies.Explanation)
    assert "results come out at" in reply.waiting_for
    for node in (alice, bob, carol):
        node.watch.ahead = job.order.reveal_by - alice.watch() + 1
    view = await alice.finish(job)
    assert (view.state, view.exit_code) == (JobState.SUCCEEDED, 0)
    assert view.verdict is not None
    assert (view.verdict.kind, view.verdict.agree, view.verdict.verified) == (VerdictKind.AGREE, 2, 2)
    assert [one.strikes for one in view.assignments] == [(), ()]


async def test_the_log_is_told_to_its_submitter_alone(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    job = await alice.order(builders=1, agree=1, embargo=DAY)
    await bob.task(job, lambda state: state == "committed")

    class Stranger:
        peer = "0c" * 32

        def __init__(self) -> None:
            self.heard: list[Any] = []

        async def send(self, message: Any) -> None:
            self.heard.append(message)

    stranger = Stranger()
    request = FollowJob(job_id=job.id, log_offset=0, position=0)
    await bob.parts.exchanges._report.serve(stranger, request)  # type: ignore[arg-type]
    assert stranger.heard == [NoJob(job_id=job.id)]


async def test_an_embargo_ends_though_the_submitter_has_vanished(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    job = await alice.order(embargo=DAY)
    await committed(alice, job)
    await alice.stop()
    over = job.order.reveal_by - alice.watch() + 1
    for builder in (bob, carol):
        assert outcomes(builder) == 0
        builder.watch.ahead = over
        await builder.task(job, lambda state: state == "done")
        assert outcomes(builder) == 1
    alice.watch.ahead = over
    alice = await scene.start("alice")
    view = await alice.finish(job)
    assert view.verdict is not None
    assert (view.verdict.kind, view.verdict.agree) == (VerdictKind.AGREE, 2)


async def test_a_builder_that_restarts_keeps_the_embargo(scene: Scene) -> None:
    bob = await scene.start("bob")
    alice = await scene.start("alice", alter=only("bob"))
    job = await alice.order(builders=1, agree=1, embargo=DAY)
    await alice.see(job, lambda view: [str(one.state) for one in view.assignments] == ["committed"])
    await bob.stop()
    bob = await scene.start("bob")
    await alice.parts.peers.wait_connected(bob.id)
    assert alice.asked(job, bob).state is AssignmentState.COMMITTED
    assert outcomes(bob) == 0
    digest = attachments(bob, job)[0]
    assert isinstance(await ask(alice, bob, WantBlob(digest=digest, first_chunk=0)), NoBlob)
    over = job.order.reveal_by - alice.watch() + 1
    bob.watch.ahead = alice.watch.ahead = over
    view = await alice.finish(job)
    assert view.exit_code == 0


async def test_who_keeps_nothing_back_for_so_long_says_so_on_both_ends(scene: Scene) -> None:
    def shorter(parts: Parts) -> None:
        builder = msgspec.structs.replace(parts.settings.builder, embargo_days=1)
        parts.settings = msgspec.structs.replace(parts.settings, builder=builder)

    bob = await scene.start("bob", alter=shorter)
    alice = await scene.start("alice", alter=only("bob"))
    await alice.parts.peers.wait_connected(bob.id)
    job = await alice.order(builders=1, agree=1, embargo=3 * DAY)
    view = await alice.see(job, lambda view: any(one.detail for one in view.assignments))
    (one,) = view.assignments
    assert one.state is AssignmentState.REFUSED
    assert one.detail == "embargo-too-long: results are kept back for at most 1 days here"
    assert bob.parts.friendships.refused_offer(alice.id) == one.detail
    assert outcomes(bob) == 0


@pytest.mark.parametrize("embargo", [-1, 14 * DAY + 100])
async def test_an_embargo_ends_in_the_future_and_within_bounds(scene: Scene, embargo: int) -> None:
    alice = await scene.start("alice")
    with pytest.raises(UsageError, match="an embargo ends in the future, and within 14 days"):
        await alice.order(embargo=embargo)


async def test_a_job_asked_for_again_keeps_what_is_left_of_its_embargo(scene: Scene) -> None:
    alice = await scene.start("alice", alter=only())
    job = await alice.order(embargo=DAY)
    again = await alice.parts.submission.again(job)
    assert again.order.reveal_by == again.offer.reveal_by == job.order.reveal_by
    alice.watch.ahead = 2 * DAY
    late = await alice.parts.submission.again(job)
    assert late.order.reveal_by == late.offer.reveal_by == 0
