"""What a builder says no to, heard at both ends, and what it keeps from who is not a job's submitter."""

from pathlib import Path

import msgspec

from f2fbuild.jobs.telling import signed
from f2fbuild.ledger import entry as entries
from f2fbuild.net.messages import (
    BlobManifest,
    BlobsHeld,
    CancelJob,
    FollowJob,
    HaveBlobs,
    NoBlob,
    NoJob,
    OfferAccepted,
    OfferJob,
    OfferRefused,
    ShowCommitments,
    WantBlob,
)
from f2fbuild.net.signed import Kind
from f2fbuild.net.wire import Message
from f2fbuild.node.parts import Parts
from tests.scenes import scene_engine as engine
from tests.scenes.scene_engine import Gate, Workbench
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_talk import ask, offer, submitted


def acceptances(node: SceneNode) -> int:
    return sum(one.kind is entries.Kind.ACCEPTANCE for one in node.entries())


async def heard_at_both_ends(alice: SceneNode, bob: SceneNode, answer: Message, reason: str) -> None:
    """The submitter is told the reason, and the builder's owner sees the same words."""
    assert isinstance(answer, OfferRefused)
    assert answer.reason == reason
    assert answer.detail
    words = ": ".join(part for part in (answer.reason, answer.rule, answer.detail) if part)
    await until(lambda: bob.parts.friendships.refused_offer(alice.id) == words)


async def test_a_refused_offer_cannot_be_replayed_when_the_refusal_would_no_longer_hold(
    scene: Scene, tmp_path: Path
) -> None:
    alice, bob = await scene.cast("alice", "bob", bob=Workbench(has_target=False))
    job = await submitted(alice, tmp_path)
    request = offer(alice, bob, job)
    await heard_at_both_ends(alice, bob, await ask(alice, bob, request), "no-target")
    bob.bench.has_target = True
    await heard_at_both_ends(alice, bob, await ask(alice, bob, request), "replayed-offer")
    assert acceptances(bob) == 0
    # A friend who asks anew is served: it is the bytes that are spent, not the job.
    assert isinstance(await ask(alice, bob, offer(alice, bob, job)), OfferAccepted)
    assert acceptances(bob) == 1


async def test_what_was_replayed_is_known_after_a_restart(scene: Scene, tmp_path: Path) -> None:
    alice, bob = await scene.cast("alice", "bob", bob=Workbench(has_target=False))
    job = await submitted(alice, tmp_path)
    request = offer(alice, bob, job)
    await heard_at_both_ends(alice, bob, await ask(alice, bob, request), "no-target")
    await bob.stop()
    bob = await scene.start("bob", Workbench())
    await alice.parts.peers.wait_connected(bob.id)
    await heard_at_both_ends(alice, bob, await ask(alice, bob, request), "replayed-offer")
    assert acceptances(bob) == 0


async def test_late_and_surplus_offers_are_refused_at_both_ends(scene: Scene, tmp_path: Path) -> None:
    alice, bob = await scene.cast("alice", "bob", bob=Workbench(deed=engine.hanging))
    late = await submitted(alice, tmp_path, seconds=60)
    bob.watch.ahead = 61
    await heard_at_both_ends(alice, bob, await ask(alice, bob, offer(alice, bob, late)), "deadline-passed")
    bob.watch.ahead = 0
    room = bob.parts.settings.builder.slots + bob.parts.settings.builder.waiting
    for _ in range(room):
        job = await submitted(alice, tmp_path)
        assert isinstance(await ask(alice, bob, offer(alice, bob, job)), OfferAccepted)
    surplus = await submitted(alice, tmp_path)
    await heard_at_both_ends(alice, bob, await ask(alice, bob, offer(alice, bob, surplus)), "busy")
    assert acceptances(bob) == room


async def test_lack_of_disk_and_of_the_right_are_told_at_both_ends(scene: Scene, tmp_path: Path) -> None:
    def without_room(parts: Parts) -> None:
        builder = msgspec.structs.replace(parts.settings.builder, disk_mib=10**9)
        parts.settings = msgspec.structs.replace(parts.settings, builder=builder)

    bob = await scene.start("bob", alter=without_room)
    alice = await scene.start("alice")
    await alice.parts.peers.wait_connected(bob.id)
    job = await submitted(alice, tmp_path)
    await heard_at_both_ends(alice, bob, await ask(alice, bob, offer(alice, bob, job)), "disk-full")
    bob.parts.database.execute("UPDATE friend SET rights = '[\"ledger\"]' WHERE alias = 'alice'")
    await bob.parts.friendships.refresh()
    answer = await ask(alice, bob, offer(alice, bob, job))
    await heard_at_both_ends(alice, bob, answer, "right-missing")
    assert isinstance(answer, OfferRefused)
    assert answer.rule
    assert acceptances(bob) == 0


async def test_the_job_of_another_submitter_is_neither_shown_nor_stopped(
    scene: Scene, tmp_path: Path
) -> None:
    """Alice has every right with bob, but the job that he is building is not hers."""
    gate = Gate()
    alice, bob = await scene.cast("alice", "bob", bob=Workbench(deed=gate))
    job = await submitted(alice, tmp_path)
    assert isinstance(await ask(alice, bob, offer(alice, bob, job)), OfferAccepted)
    await gate.reached.wait()
    bob.parts.database.execute("UPDATE task SET submitter = ? WHERE job = ?", ("0c" * 32, job.id))
    requests = (
        FollowJob(job_id=job.id, log_offset=0, position=0),
        CancelJob(job_id=job.id, request=signed(alice.parts.desk, Kind.CANCEL, job.id, bob.id, {})),
        ShowCommitments(job_id=job.id, commitments=[]),
    )
    for request in requests:
        assert isinstance(await ask(alice, bob, request), NoJob)
    answer = await ask(alice, bob, OfferJob(offer=offer(alice, bob, job).offer))
    await heard_at_both_ends(alice, bob, answer, "job-of-another")
    gate.open.set()
    await bob.task(job, lambda state: state == "committed")
    for request in requests:
        assert isinstance(await ask(alice, bob, request), NoJob)
    task = bob.parts.bench.tasks.get(job.id)
    assert task is not None
    assert (task.outcome_index, task.closing_index, bob.bench.stopped) == (None, None, [])


async def test_a_blob_is_there_for_whom_it_was_granted_and_as_long(scene: Scene, tmp_path: Path) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol", bob=Workbench(deed=engine.hanging))
    job = await submitted(alice, tmp_path)
    source = job.offer.sources[0].sha256
    want, held = WantBlob(digest=source, first_chunk=0), HaveBlobs(digests=[source])

    async def has(friend: SceneNode) -> bool:
        """Whether alice hands the source to a friend; both of her answers must say the same."""
        answer, list_of = await ask(friend, alice, want), await ask(friend, alice, held)
        assert isinstance(answer, BlobManifest | NoBlob)
        assert isinstance(list_of, BlobsHeld)
        assert bool(list_of.digests) is isinstance(answer, BlobManifest)
        return bool(list_of.digests)

    assert not await has(bob)
    offer(alice, bob, job)
    assert await has(bob)
    assert not await has(carol)
    alice.watch.ahead = 601
    assert not await has(bob)
