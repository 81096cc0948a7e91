"""A builder whose result was contradicted sees it on its own node, by reading its submitter's log."""

import pytest

from f2fbuild.api import replies, requests
from f2fbuild.audit.found import CONTRADICTED, Finding
from f2fbuild.errors import F2FError
from f2fbuild.model.digest import short_id
from tests.scenes.scene_engine import Workbench, lying
from tests.scenes.scene_node import Scene, SceneNode, until


def told(node: SceneNode) -> list[Finding]:
    return [one for one in node.parts.findings.list() if one.kind == CONTRADICTED]


async def divergences(node: SceneNode) -> tuple[replies.Divergence, ...]:
    listed = await node.api(requests.ListDivergences())
    assert isinstance(listed, replies.Divergences)
    return listed.divergences


async def test_who_was_contradicted_is_told_on_his_own_node(scene: Scene) -> None:
    cast = await scene.cast("alice", "bob", "carol", "mallory", mallory=Workbench(deed=lying()))
    alice, bob, carol, mallory = cast
    job = await alice.order("a ball", builders=3, agree=2)
    await alice.finish(job)
    await until(lambda: bool(told(mallory)))
    found = told(mallory)[-1]
    assert (found.owner, found.node, found.evidence) == ("", "", "")
    assert "is another than that of 2 owners of 3 who agreed" in found.detail
    shown = (await divergences(mallory))[0]
    assert (shown.job, shown.verdict) == (job.id, "disputed")
    assert [group.owners for group in shown.groups] == [("this node",)]
    one = await mallory.api(requests.GetDivergence(job=short_id(job.id)))
    assert one == shown
    status = await mallory.api(requests.GetStatus())
    assert isinstance(status, replies.Status)
    assert any(found.detail in notice for notice in status.notices)
    # Nobody is told of what others did, nor twice, nor is it passed on.
    size = alice.parts.log.size
    friend = bob.parts.friendships.find(alice.id)
    assert friend is not None
    await until(lambda: bob.parts.follower.mirror(friend).size >= size)
    assert told(bob) == told(carol) == []
    assert await divergences(bob) == ()
    with pytest.raises(F2FError):
        await bob.api(requests.GetDivergence(job=short_id(job.id)))
    number = len(told(mallory))
    await mallory.stop()
    mallory = await scene.start("mallory")
    again = mallory.parts.friendships.find(alice.id)
    assert again is not None
    await mallory.parts.peers.wait_connected(alice.id)
    await mallory.parts.follower.follow(again)
    assert len(told(mallory)) == number
    assert not mallory.parts.findings.untold(alice.id)
