"""A node whose log was set back signs nothing over heads that its friends hold, and says why."""

import shutil
from dataclasses import replace

import pytest
import trio

from f2fbuild import limits
from f2fbuild.api import replies, requests
from f2fbuild.errors import LedgerError
from f2fbuild.ledger.guard import AskFriends, Blocked, RolledBack, SignNow, Unsure
from f2fbuild.ledger.memory import HeadMemory
from f2fbuild.model.job import JobState
from tests.scenes.scene_node import Scene, SceneNode, until


async def status(node: SceneNode) -> replies.Status:
    found = await node.api(requests.GetStatus())
    assert isinstance(found, replies.Status)
    return found


async def build(scene: Scene) -> tuple[SceneNode, SceneNode]:
    """Alice has something built by bob, and both know each other's last head."""
    alice, bob = await scene.cast("alice", "bob")
    await alice.finish(await alice.order("a ball", builders=1, agree=1))
    await settled(alice, bob)
    return alice, bob


async def settled(alice: SceneNode, bob: SceneNode) -> None:
    def both() -> bool:
        for one, other in ((alice, bob), (bob, alice)):
            friend = one.parts.friendships.find(other.id)
            mirror = one.parts.mirrored(friend) if friend else None
            if mirror is None or mirror.size != other.parts.log.size:
                return False
        return True

    await until(both)


def back_up(node: SceneNode) -> None:
    shutil.copytree(node.paths.data, node.paths.data.with_name("backup"))


def restore(node: SceneNode) -> None:
    shutil.rmtree(node.paths.data)
    node.paths.data.with_name("backup").rename(node.paths.data)


async def set_back(scene: Scene) -> tuple[SceneNode, int]:
    """Bob's data are restored from a backup that was made before his last job; he does not run."""
    alice, bob = await build(scene)
    await bob.stop()
    back_up(bob)
    bob = await scene.start("bob")
    await alice.parts.peers.wait_connected(bob.id)
    await alice.finish(await alice.order("a doll", builders=1, agree=1))
    await settled(alice, bob)
    size = bob.parts.log.size
    await bob.stop()
    restore(bob)
    return alice, size


async def forget(scene: Scene, name: str) -> None:
    """End a node whose log is not to be checked: friends hold more of it than it does."""
    await scene.nodes[name].stop()


async def test_a_restored_backup_is_reported_and_signs_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, size = await set_back(scene)
    # Alice is heard, however long that takes, before anything else is told.
    monkeypatch.setattr(limits, "GUARD_SECONDS", 10**6)
    bob = await scene.start("bob", signing=False)
    before = bob.parts.log.checkpoint()
    await until(lambda: isinstance(bob.parts.guard.decision, RolledBack))
    found = await status(bob)
    assert f"a friend holds a head of {size} entries" in found.held
    assert f"log of {found.log_size} here" in found.held
    assert "f2fbuild ledger epoch new" in found.held
    assert bob.told == [found.held]
    with pytest.raises(LedgerError, match="set back"):
        await trio.to_thread.run_sync(bob.parts.log.append, [b"not to be signed"])
    job = await alice.order("a kite", builders=1, agree=1)
    view = await alice.see(job, lambda view: any(one.detail for one in view.assignments))
    assert view.assignments[0].detail.startswith("log-held: ")
    assert bob.parts.log.checkpoint() == before
    assert alice.parts.findings.list() == [], "nobody is accused"
    await forget(scene, "bob")


async def test_it_stays_so_over_restarts_without_friends(scene: Scene) -> None:
    alice, _ = await set_back(scene)
    bob = await scene.start("bob", signing=False)
    await until(lambda: isinstance(bob.parts.guard.decision, RolledBack))
    await bob.stop()
    await alice.stop()
    shutil.rmtree(bob.paths.data)
    shutil.copytree(scene.town.directory / "bob" / "data", bob.paths.data)
    bob = await scene.start("bob", signing=False)
    await until(lambda: isinstance(bob.parts.guard.decision, RolledBack))
    await forget(scene, "bob")


async def test_a_node_that_is_alone_with_an_old_log_waits_until_a_friend_comes(scene: Scene) -> None:
    alice, _ = await set_back(scene)
    await alice.stop()
    bob = await scene.start("bob", signing=False)
    await until(lambda: bob.parts.guard.decision == Blocked(why=Unsure.SMALLER))
    assert "shorter than what it signed last" in (await status(bob)).held
    await scene.start("alice")
    await until(lambda: isinstance(bob.parts.guard.decision, RolledBack))
    await forget(scene, "bob")


async def test_a_lost_state_waits_for_a_friend_and_then_goes_on(scene: Scene) -> None:
    alice, bob = await build(scene)
    await alice.stop()
    await bob.stop()
    shutil.rmtree(bob.paths.heads)
    bob = await scene.start("bob", signing=False)
    await until(lambda: bob.parts.guard.decision == Blocked(why=Unsure.MISSING))
    alice = await scene.start("alice")
    await until(lambda: not bob.parts.guard.held)
    assert bob.parts.guard.decision == SignNow()
    view = await alice.finish(await alice.order("a doll", builders=1, agree=1))
    assert view.state is JobState.SUCCEEDED
    remembered = HeadMemory(bob.paths.heads, bob.parts.identity.origin).remembered
    assert remembered is not None
    assert remembered.following == bob.parts.log.head


async def test_jobs_are_ordered_but_wait_and_say_why(scene: Scene) -> None:
    alice, bob = await build(scene)
    await alice.stop()
    await bob.stop()
    shutil.rmtree(alice.paths.heads)
    alice = await scene.start("alice", signing=False)
    await until(lambda: alice.parts.guard.decision == Blocked(why=Unsure.MISSING))
    size = alice.parts.log.size
    job = await alice.order("a kite", builders=1, agree=1)
    view = alice.view(job)
    assert view.state is JobState.QUEUED
    assert "is not remembered" in view.reason
    explained = await alice.api(requests.ExplainJob(job=job.id))
    assert isinstance(explained, replies.Explanation)
    assert explained.waiting_for == (await status(alice)).held == view.reason
    assert alice.parts.log.size == size, "not even the order is in the log"
    assert view.assignments == ()
    await scene.start("bob")
    view = await alice.finish(job)
    assert (view.state, view.reason) == (JobState.SUCCEEDED, "")


async def test_what_a_crash_left_open_is_closed_when_the_log_may_be_signed(scene: Scene) -> None:
    """Recovery signs too."""
    alice, bob = await build(scene)
    done = bob.parts.bench.tasks.in_states(["done"])  # type: ignore[list-item]  # a state is its word
    assert len(done) == 1
    await bob.stop()
    await alice.stop()
    shutil.rmtree(bob.paths.heads)
    bob = await scene.start("bob", signing=False)
    await until(lambda: isinstance(bob.parts.guard.decision, Blocked))
    # An acceptance that was decided and not logged is forgotten by recovery, so it shows when that runs.
    left = replace(done[0], job="0" * 64, state="accepted", acceptance_index=None, outcome_index=None)  # type: ignore[arg-type]
    bob.parts.bench.tasks.add(left)
    assert bob.parts.guard.held
    await bob.stop()
    bob = await scene.start("bob", signing=False)
    await until(lambda: isinstance(bob.parts.guard.decision, Blocked))
    assert bob.parts.bench.tasks.get("0" * 64) is not None
    await scene.start("alice")
    await until(lambda: not bob.parts.guard.held)
    assert bob.parts.bench.tasks.get("0" * 64) is None


async def test_a_log_that_matches_asks_first_and_then_signs_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await build(scene)
    await alice.stop()
    await bob.stop()
    monkeypatch.setattr(limits, "GUARD_SECONDS", 10**6)
    bob = await scene.start("bob", signing=False)
    await until(lambda: isinstance(bob.parts.guard.decision, AskFriends))
    assert "friends are asked first" in (await status(bob)).held
    await bob.stop()
    monkeypatch.setattr(limits, "GUARD_SECONDS", 0)
    bob = await scene.start("bob")
    assert bob.parts.guard.decision == SignNow()


async def test_a_friend_ends_the_wait(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    _, bob = await build(scene)
    await bob.stop()
    monkeypatch.setattr(limits, "GUARD_SECONDS", 10**6)
    bob = await scene.start("bob")
    assert bob.parts.guard.decision == SignNow()


async def test_a_log_that_nobody_saw_signs_at_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GUARD_SECONDS", 10**6)
    alice = await scene.start("alice")
    await alice.order("a ball", builders=1, agree=1)
    assert alice.parts.log.size == 2
    await alice.stop()
    alice = await scene.start("alice")
    assert alice.parts.guard.decision == SignNow()


async def test_a_friend_that_comes_late_ends_the_epoch_of_a_node_that_signed(scene: Scene) -> None:
    """The state directory was set back too: then only friends can know, whenever they come."""
    alice, bob = await build(scene)
    await bob.stop()
    back_up(bob)
    shutil.copytree(bob.paths.heads, bob.paths.heads.with_name("old heads"))
    bob = await scene.start("bob")
    await alice.parts.peers.wait_connected(bob.id)
    await alice.finish(await alice.order("a doll", builders=1, agree=1))
    await settled(alice, bob)
    await bob.stop()
    await alice.stop()
    restore(bob)
    shutil.rmtree(bob.paths.heads)
    bob.paths.heads.with_name("old heads").rename(bob.paths.heads)
    bob = await scene.start("bob")
    assert bob.parts.guard.decision == SignNow()
    await scene.start("alice")
    await until(lambda: isinstance(bob.parts.guard.decision, RolledBack))
    with pytest.raises(LedgerError, match="set back"):
        await trio.to_thread.run_sync(bob.parts.log.append, [b"not to be signed"])
    await forget(scene, "bob")
