"""Scenes that end with each of the verdicts."""

from f2fbuild.model.job import JobState
from f2fbuild.model.verdict import VerdictKind
from tests.scenes.scene_node import Scene


async def test_two_friends_agree(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    job = await alice.order("a ball")
    view = await alice.finish(job)
    assert (view.state, view.exit_code) == (JobState.SUCCEEDED, 0)
    assert view.verdict is not None
    assert (view.verdict.kind, view.verdict.agree, view.verdict.denominator) == (VerdictKind.AGREE, 2, 2)
    assert view.verdict.verified == 2
