"""Builders show that they hold what they signed for; who cannot has no vote, whoever else has the bytes."""

from typing import Any

import pytest

from f2fbuild.api import replies, requests
from f2fbuild.cli.tree import summary
from f2fbuild.errors import UsageError
from f2fbuild.jobs.queue import Job
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.verdict import VerdictKind
from f2fbuild.model.vote import ChallengeState, Strike
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.messages import Challenge, ChallengeAnswered
from f2fbuild.node.parts import Parts
from tests.scenes.scene_node import Scene, SceneNode
from tests.scenes.scene_talk import only

DAY = 86_400


async def challenge(alice: SceneNode, job: Job, builder: str = "") -> replies.Job:
    reply = await alice.api(requests.ChallengeJob(job=job.id, peer=builder))
    assert isinstance(reply, replies.Job)
    return reply


def states(view: replies.Job) -> dict[str, ChallengeState]:
    return {one.alias: one.challenge for one in view.assignments}


def lose(builder: SceneNode, job: Job) -> None:
    """Have a builder's products gone, as when it never had them."""
    task = builder.parts.bench.tasks.get(job.id)
    assert task is not None
    builder.parts.blobs.remove(task.attachments[0])


async def committed(alice: SceneNode, job: Job) -> None:
    await alice.see(job, lambda view: [str(one.state) for one in view.assignments] == ["committed"] * 2)


def after_embargo(job: Job, *nodes: SceneNode) -> None:
    for node in nodes:
        node.watch.ahead = job.order.reveal_by - job.order.created + 1


async def test_who_holds_its_bytes_passes(scene: Scene) -> None:
    alice, _bob, _carol = await scene.cast("alice", "bob", "carol")
    job = await alice.order()
    await alice.finish(job)
    view = await challenge(alice, job)
    assert states(view) == {"bob": ChallengeState.PASSED, "carol": ChallengeState.PASSED}
    assert sum("challenge passed" in line for line in summary(view)) == 2
    assert view.verdict is not None
    assert (view.verdict.kind, view.verdict.agree) == (VerdictKind.AGREE, 2)


async def test_an_answer_before_the_reveal_is_checked_with_it(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    job = await alice.order(embargo=DAY)
    await committed(alice, job)
    view = await challenge(alice, job, "bob")
    assert states(view) == {"bob": ChallengeState.ANSWERED, "carol": ChallengeState.NONE}
    assert view.exit_code is None
    after_embargo(job, alice, bob, carol)
    view = await alice.finish(job)
    assert states(view) == {"bob": ChallengeState.PASSED, "carol": ChallengeState.NONE}
    assert view.verdict is not None
    assert view.verdict.kind is VerdictKind.AGREE


async def test_who_holds_nothing_before_the_reveal_has_no_vote(scene: Scene) -> None:
    bob, mallory, carol = [await scene.start(name) for name in ("bob", "mallory", "carol")]
    alice = await scene.start("alice", alter=only("bob", "mallory", "carol"))
    for builder in (bob, mallory, carol):
        await alice.parts.peers.wait_connected(builder.id)
    job = await alice.order(builders=3, agree=2, embargo=DAY)
    await alice.see(job, lambda view: [str(one.state) for one in view.assignments] == ["committed"] * 3)
    task = mallory.parts.bench.tasks.get(job.id)
    assert task is not None
    held = mallory.parts.blobs.path(task.attachments[0]).read_bytes()
    lose(mallory, job)
    view = await challenge(alice, job, "mallory")
    assert states(view)["mallory"] is ChallengeState.FAILED
    assert alice.asked(job, mallory).strikes == (Strike.CHALLENGE_FAILED,)
    # It has found the bytes meanwhile, say at another builder: too late.
    mallory.parts.blobs.put_bytes(held)
    after_embargo(job, alice, bob, mallory, carol)
    view = await alice.finish(job)
    struck = alice.asked(job, mallory)
    assert (struck.state, struck.strikes) == (AssignmentState.DONE, (Strike.CHALLENGE_FAILED,))
    assert "not-held" in struck.detail
    assert view.verdict is not None
    assert (view.verdict.kind, view.verdict.agree) == (VerdictKind.AGREE, 2)
    assert view.verdict.struck == (mallory.owner,)
    assert any("no vote: challenge-failed  challenge failed" in line for line in summary(view))
    (found,) = [one for one in alice.parts.findings.list() if one.kind == "challenge-failed"]
    assert found.owner == mallory.owner


def answering_wrongly(parts: Parts) -> None:
    table = parts.exchanges._table
    right, _honest = table[Challenge]

    async def serve(_peer: str, request: Any, exchange: Exchange) -> None:
        await exchange.send(ChallengeAnswered(job_id=request.job_id, digest="0e" * 32))

    table[Challenge] = (right, serve)


async def test_a_made_up_answer_is_found_out_at_the_reveal(scene: Scene) -> None:
    bob = await scene.start("bob")
    mallory = await scene.start("mallory", alter=answering_wrongly)
    alice = await scene.start("alice", alter=only("bob", "mallory"))
    for builder in (bob, mallory):
        await alice.parts.peers.wait_connected(builder.id)
    job = await alice.order(embargo=DAY)
    await committed(alice, job)
    assert states(await challenge(alice, job))["mallory"] is ChallengeState.ANSWERED
    after_embargo(job, alice, bob, mallory)
    await alice.see(job, lambda view: all(one.state is AssignmentState.DONE for one in view.assignments))
    view = alice.view(job)
    assert states(view) == {"bob": ChallengeState.PASSED, "mallory": ChallengeState.FAILED}
    assert alice.asked(job, mallory).strikes == (Strike.WITHHELD, Strike.CHALLENGE_FAILED)


async def test_bytes_of_another_builder_do_not_hide_that_one_has_none(scene: Scene) -> None:
    """The products are the same, so they need not be fetched from it; it must hold them all the same."""
    bob, mallory, carol = [await scene.start(name) for name in ("bob", "mallory", "carol")]
    alice = await scene.start("alice", alter=only("bob", "mallory", "carol"))
    for builder in (bob, mallory, carol):
        await alice.parts.peers.wait_connected(builder.id)
    job = await alice.order(builders=3, agree=2, embargo=DAY)
    await alice.see(job, lambda view: [str(one.state) for one in view.assignments] == ["committed"] * 3)
    lose(mallory, job)
    after_embargo(job, alice, bob, mallory, carol)
    view = await alice.finish(job)
    struck = alice.asked(job, mallory)
    assert struck.strikes == (Strike.WITHHELD,)
    assert not struck.verified
    assert view.verdict is not None
    assert (view.verdict.kind, view.verdict.agree, view.verdict.struck) == (
        VerdictKind.AGREE,
        2,
        (mallory.owner,),
    )


async def test_a_vote_is_lost_also_after_the_verdict(scene: Scene) -> None:
    """Products are kept for thirty days: who has none left by then did not keep its word."""
    bob, carol = [await scene.start(name) for name in ("bob", "carol")]
    alice = await scene.start("alice", alter=only("bob", "carol"))
    for builder in (bob, carol):
        await alice.parts.peers.wait_connected(builder.id)
    job = await alice.order()
    view = await alice.finish(job)
    assert view.verdict is not None
    assert view.verdict.kind is VerdictKind.AGREE
    lose(carol, job)
    view = await challenge(alice, job, "carol")
    assert states(view) == {"bob": ChallengeState.NONE, "carol": ChallengeState.FAILED}
    assert view.verdict is not None
    assert (view.verdict.agree, view.verdict.struck) == (1, (carol.owner,))
    assert view.verdict.kind is not VerdictKind.AGREE
    stored = alice.view(job).verdict
    assert stored == view.verdict


async def test_who_is_asked_too_often_says_so_and_loses_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await scene.cast("alice", "bob")
    job = await alice.order(builders=1, agree=1)
    await alice.finish(job)
    monkeypatch.setattr("f2fbuild.limits.CHALLENGES_PER_DAY", 2)
    assert states(await challenge(alice, job))["bob"] is ChallengeState.PASSED
    with pytest.raises(UsageError, match="challenged-too-often"):
        await challenge(alice, job)
    assert alice.asked(job, bob).strikes == ()
    assert alice.asked(job, bob).challenge is ChallengeState.PASSED


async def test_a_builder_without_a_result_cannot_be_challenged(scene: Scene) -> None:
    alice = await scene.start("alice", alter=only())
    job = await alice.order()
    with pytest.raises(UsageError, match="no builder of this job has a result"):
        await challenge(alice, job)
