"""The log of an earlier epoch is served on, followed to its end, kept, and what it owes stays owed."""

import trio

from f2fbuild import limits
from f2fbuild.audit.found import HIDDEN_RESULT, Finding
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.net.ledger_messages import GetHead, GetLogResource, Head, LogResource, NoHead
from f2fbuild.node import epochs
from f2fbuild.node.shelves import shelf_of
from tests.scenes.scene_engine import Workbench, hanging
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_talk import ask, pair, scratch
from tests.scenes.test_scene_epochs import build, copy, friend
from tests.scenes.test_scene_tidying import lengthen


def hidden(node: SceneNode) -> list[Finding]:
    return [one for one in node.parts.findings.list() if one.kind == HIDDEN_RESULT]


async def begin_again(scene: Scene, node: SceneNode) -> tuple[SceneNode, Checkpoint]:
    """Begin a new epoch; return the node that runs again, and where the log before it ended."""
    await node.stop()
    begun = await trio.to_thread.run_sync(epochs.begin, node.paths)
    previous = begun.previous
    assert previous is not None
    head = Checkpoint(origin=previous.origin, size=previous.size, root=bytes.fromhex(previous.root))
    return await scene.start(node.name), head


async def test_a_friend_who_was_behind_brings_her_copy_to_the_end(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    await build(alice, bob, "a ball")
    old, before = friend(alice, bob).vkey, copy(alice, friend(alice, bob).vkey).size
    await alice.stop()
    lengthen(bob, 5)
    bob, end = await begin_again(scene, bob)
    assert end.size == before + 5
    alice = await scene.start("alice")
    await until(lambda: friend(alice, bob).vkey != old)
    await until(lambda: copy(alice, old).head == end)
    assert alice.parts.findings.list() == []


async def test_node_and_friends_give_the_old_log_to_who_may_read_it(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    await build(alice, bob, "a ball")
    old = friend(alice, bob).vkey
    bob, end = await begin_again(scene, bob)
    carol = await scene.start("carol")
    await carol.parts.peers.wait_connected(alice.id)
    await until(lambda: copy(alice, old).head == end)
    path = tiles.format_path(tiles.Bundle(index=0, width=end.size))
    given = set()
    for reader, holder in ((carol, alice), (alice, bob)):
        answer = await ask(reader, holder, GetHead(origin=end.origin))
        assert isinstance(answer, Head)
        assert open_checkpoint(answer.checkpoint, copy(alice, old).key) == end
        resource = await ask(reader, holder, GetLogResource(origin=end.origin, path=path))
        assert isinstance(resource, LogResource)
        given.add(resource.data)
    assert len(given) == 1
    assert len(tiles.split_bundle(given.pop())) == end.size
    assert shelf_of(bob.parts).find(f"{end.origin.rsplit('/', 1)[-1]}/checkpoint") is not None


async def test_a_log_that_the_node_lost_is_still_given_by_its_friends(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    await build(alice, bob, "a ball")
    old = friend(alice, bob).vkey
    await bob.stop()
    await trio.to_thread.run_sync(epochs.begin, bob.paths)
    (bob.paths.log / "checkpoint").unlink()
    bob = await scene.start("bob")
    await until(lambda: friend(alice, bob).vkey != old)
    origin = old.partition("+")[0]
    assert isinstance(await ask(alice, bob, GetHead(origin=origin)), NoHead)
    assert isinstance(await ask(bob, alice, GetHead(origin=origin)), Head)


async def test_what_the_old_log_owes_stays_owed(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob", Workbench(deed=hanging))
    job = await scratch(alice)
    await bob.task(job, lambda state: state == "building")
    old = friend(alice, bob).vkey
    alice.parts.follower.mirror(friend(alice, bob))
    await until(lambda: copy(alice, old).head == bob.parts.log.head)
    bob, end = await begin_again(scene, bob)
    await until(lambda: friend(alice, bob).vkey != old)
    await until(lambda: copy(alice, old).head == end)
    assert not alice.parts.follower.has_closed(end.origin, 1)
    assert hidden(alice) == [], "it is not due yet"
    alice.watch.ahead = 30 * 86_400
    alice.parts.earlier.want(bob.id)
    await until(lambda: len(hidden(alice)) == 1)
    (finding,) = hidden(alice)
    assert (finding.owner, finding.node, finding.origin) == (bob.owner, bob.id, end.origin)
    assert "what was accepted at 1" in finding.detail


async def test_a_friend_s_old_log_is_kept_whole_as_long_as_he_is_a_friend(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    lengthen(bob, 600)
    old = friend(alice, bob).vkey
    alice.parts.follower.mirror(friend(alice, bob))
    await until(lambda: copy(alice, old).head == bob.parts.log.head)
    bob, _ = await begin_again(scene, bob)
    await until(lambda: friend(alice, bob).vkey != old)
    alice.watch.ahead = 100 * 86_400
    await alice.parts.tidying.round()
    mirror: Mirror = copy(alice, old)
    assert mirror.pruned == 0
    await alice.parts.friendships.remove(friend(alice, bob))
    await alice.parts.tidying.round()
    assert mirror.pruned == mirror.size // limits.TILE_WIDTH
