"""A builder that goes away for ever does not escape what it has accepted."""

from pathlib import Path

import pytest
import trio

from f2fbuild import limits
from f2fbuild.audit.found import HIDDEN_RESULT, Finding
from f2fbuild.ledger import evidence
from f2fbuild.ledger.cosignature import Cosignature, cosign
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.ledger.note import parse_note
from f2fbuild.limits import HIDDEN_GRACE_SECONDS, REMIND_AGAIN_SECONDS
from f2fbuild.model.friend import Friend
from tests.scenes.scene_engine import Workbench, hanging
from tests.scenes.scene_node import Scene, SceneNode, until

DAY = 86_400


def hidden(node: SceneNode) -> list[Finding]:
    return [one for one in node.parts.findings.list() if one.kind == HIDDEN_RESULT]


def copy(node: SceneNode, other: SceneNode) -> tuple[Friend, Mirror]:
    friend = node.parts.friendships.find(other.id)
    assert friend is not None
    return friend, node.parts.follower.mirror(friend)


async def accepted_and_gone(scene: Scene) -> tuple[SceneNode, SceneNode]:
    """Mallory accepts a job, Alice's node sees that in her log, and Mallory's node is gone."""
    alice, mallory = await scene.cast("alice", "mallory", mallory=Workbench(deed=hanging))
    job = await alice.order(builders=1, agree=1)
    await alice.see(job, lambda view: [bool(one.origin) for one in view.assignments] == [True])
    await mallory.task(job, lambda state: state in ("preparing", "building"))
    await until(lambda: copy(alice, mallory)[1].size == mallory.parts.log.size == 2)
    await mallory.stop()
    return alice, mallory


def seen_by(node: SceneNode, note: bytes, time: int) -> Cosignature:
    key = node.parts.identity.certificate.certificate.witness
    return cosign(parse_note(note).text, key.name, node.parts.identity.witness_key, time)


async def test_time_alone_finds_a_promise_that_was_not_kept(scene: Scene) -> None:
    alice, mallory = await accepted_and_gone(scene)
    alice.watch.ahead = HIDDEN_GRACE_SECONDS - DAY
    await alice.parts.reminding.round()
    assert hidden(alice) == [], "not due for a week yet"
    alice.watch.ahead = HIDDEN_GRACE_SECONDS + 2 * DAY
    await alice.parts.reminding.round()
    (found,) = hidden(alice)
    assert (found.owner, found.node, found.evidence) == (mallory.owner, mallory.id, "")
    assert "closed by nothing that anybody here has shown; too few" in found.detail
    # Again after a restart, without a second finding.
    await alice.stop()
    alice = await scene.start("alice")
    await alice.parts.reminding.round()
    assert hidden(alice) == [found]


async def test_cosignatures_from_wherever_they_came_make_the_proof(scene: Scene) -> None:
    alice, mallory = await accepted_and_gone(scene)
    bob, carol = await scene.start("bob"), await scene.start("carol")
    _, mirror = copy(alice, mallory)
    alice.watch.ahead = HIDDEN_GRACE_SECONDS + 2 * DAY
    await alice.parts.reminding.round()
    assert [one.evidence for one in hidden(alice)] == [""], "Alice alone saw it that late"
    own = alice.parts.witnessing.collected.of(mirror.head)
    assert max(one.time for one in own) >= alice.watch() - 60, "and she says so"
    said = [seen_by(node, mirror.checkpoint(), alice.watch()) for node in (bob, carol)]
    alice.parts.witnessing.collected.add(mirror.head, said)
    # Who was asked lately is not asked in every round.
    await alice.parts.reminding.round()
    assert len(hidden(alice)) == 1
    alice.watch.ahead += REMIND_AGAIN_SECONDS
    await alice.parts.reminding.round()
    proof = hidden(alice)[-1]
    proved = evidence.check(Path(proof.evidence).read_bytes())
    assert isinstance(proved, evidence.HiddenFinding)
    assert (proved.origin, proved.index) == (mirror.key.name, 1)
    assert bob.owner in {one.node.owner for one in proved.cosigners}
    # What is proved is not looked at any more.
    alice.watch.ahead += 3 * REMIND_AGAIN_SECONDS
    await alice.parts.reminding.round()
    assert hidden(alice)[-1] == proof


async def test_who_comes_back_and_has_closed_it_is_asked_first(scene: Scene) -> None:
    alice, mallory = await accepted_and_gone(scene)
    friend, mirror = copy(alice, mallory)
    mallory = await scene.start("mallory")
    await alice.parts.peers.wait_connected(mallory.id)
    await until(lambda: mallory.parts.log.size > 2)
    alice.watch.ahead = HIDDEN_GRACE_SECONDS + 2 * DAY
    await alice.parts.reminding.round()
    assert hidden(alice) == []
    assert mirror.size > 2
    assert await alice.parts.follower.owed(friend) == ()


async def test_the_clock_is_looked_at_again_and_again(
    scene: Scene, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REMIND_SECONDS", 0.05)
    alice, _mallory = await accepted_and_gone(scene)
    rounds, round_once = 0, alice.parts.reminding.round

    async def count() -> None:
        nonlocal rounds
        await round_once()
        rounds += 1

    monkeypatch.setattr(alice.parts.reminding, "round", count)
    nursery.start_soon(alice.parts.reminding.run)
    await until(lambda: rounds > 0)
    assert hidden(alice) == [], "nothing is due yet"
    alice.watch.ahead = HIDDEN_GRACE_SECONDS + 2 * DAY
    await until(lambda: bool(hidden(alice)))
