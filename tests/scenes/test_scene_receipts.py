"""What a builder proves to its submitter is of the log that everybody sees, or the log has forked."""

from collections.abc import Callable
from pathlib import Path

from f2fbuild.audit.found import EQUIVOCATION, Finding
from f2fbuild.jobs.journal import Recorded
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger import evidence
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.proof import format_proof
from f2fbuild.node.parts import Parts
from tests.scenes.scene_node import Scene, SceneNode, until


def two_stories(directory: Path, *, seen: bool = True) -> Callable[[Parts], None]:
    """A builder that shows its submitters another log than its followers, who see it grow if `seen`."""

    def alter(parts: Parts) -> None:
        hidden = parts._stack.enter_context(Log.create(directory, parts.identity.log_key))
        hidden.append(list(parts.log.entries(0, 1)))

        async def recorded(index: int) -> Recorded:
            return Recorded(
                entry=hidden.entry(index), index=index, proof=format_proof(hidden.inclusion(index))
            )

        async def ensure(entry: bytes, *, since: int) -> Recorded:
            known = list(hidden.entries(0, hidden.size))
            if entry not in known:
                hidden.append([entry])
                known.append(entry)
                if seen:
                    grow(parts)
            return await recorded(known.index(entry))

        parts.journal.ensure = ensure  # type: ignore[method-assign]
        parts.journal.recorded = recorded  # type: ignore[method-assign]

    return alter


def grow(parts: Parts) -> None:
    """One more entry that means nothing in the log that everybody sees."""
    some = entries.Order(commit=f"{parts.log.size:064x}")
    parts.log.append([entries.write(some, parts.identity.statement_key)])
    parts.neighbours.log_grew()


def forks(node: SceneNode) -> list[Finding]:
    return [one for one in node.parts.findings.list() if one.kind == EQUIVOCATION]


async def start(scene: Scene, *, seen: bool) -> tuple[SceneNode, SceneNode]:
    mallory = await scene.start("mallory", alter=two_stories(scene.directory / "hidden", seen=seen))
    (alice,) = await scene.cast("alice")
    await alice.parts.peers.wait_connected(mallory.id)
    return alice, mallory


async def test_a_receipt_of_another_log_than_the_one_that_is_followed_is_a_fork(scene: Scene) -> None:
    alice, mallory = await start(scene, seen=True)
    await alice.order(builders=1, agree=1)
    await until(lambda: bool(forks(alice)))
    (found,) = forks(alice)
    assert (found.owner, found.node, found.origin) == (
        mallory.owner,
        mallory.id,
        mallory.parts.identity.origin,
    )
    proved = evidence.check(Path(found.evidence).read_bytes())
    assert isinstance(proved, evidence.EquivocationFinding)
    friend = alice.parts.friendships.find(mallory.id)
    assert friend is not None
    assert alice.parts.follower.mirror(friend).evidence
    # Nothing more is asked of him.
    (candidate,) = [one for one in alice.parts.neighbours.candidates() if one.node == mallory.id]
    assert candidate.forked


async def test_a_receipt_is_remembered_until_the_log_is_as_long(scene: Scene) -> None:
    """The log that everybody sees stays behind, and the submitter's node is restarted meanwhile."""
    alice, mallory = await start(scene, seen=False)
    job = await alice.order(builders=1, agree=1)
    await alice.see(job, lambda view: [str(one.state) for one in view.assignments] == ["done"])
    assert forks(alice) == []
    await alice.stop()
    alice = await scene.start("alice")
    await alice.parts.peers.wait_connected(mallory.id)
    for _ in range(3):
        grow(mallory.parts)
    await until(lambda: bool(forks(alice)))
    assert evidence.check(Path(forks(alice)[0].evidence).read_bytes())


async def test_receipts_of_an_honest_builder_accuse_nobody(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    job = await alice.order(builders=1, agree=1)
    await alice.finish(job)
    friend = alice.parts.friendships.find(bob.id)
    assert friend is not None
    await until(lambda: alice.parts.follower.mirror(friend).size == bob.parts.log.size)
    assert alice.parts.desk.queue.proofs(bob.id, 1)
    await alice.stop()
    alice = await scene.start("alice")
    await alice.parts.peers.wait_connected(bob.id)
    await alice.parts.follower.follow(friend)
    assert alice.parts.findings.list() == []
