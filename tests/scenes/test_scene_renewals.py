"""A node's certificate is renewed: signed by its owner, logged by the node, taken by friends."""

from pathlib import Path

import pytest
import trio

from f2fbuild import limits
from f2fbuild.api import replies, requests
from f2fbuild.errors import ConfigurationError
from f2fbuild.ledger import entry as entries
from f2fbuild.node.certifying import issue_renewal, renewed_certificate
from f2fbuild.node.identity import load_identity
from f2fbuild.trust.certificate_file import CertificateFile
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_talk import pair, scratch
from tests.scenes.test_scene_epochs import certified, drafted, held

YEAR = limits.CERTIFICATE_DAYS * 86_400


async def renewed(node: SceneNode) -> CertificateFile:
    """What the owner does, with his own GnuPG."""
    return await trio.to_thread.run_sync(issue_renewal, node.paths)


def logged(node: SceneNode) -> list[bytes]:
    """The certificates in a node's log, in their order."""
    payloads = [one.payload for one in node.entries()]
    return [one.text for one in payloads if isinstance(one, entries.NodeCertificate)]


async def test_a_running_node_logs_its_renewed_certificate_and_friends_take_it(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    before = bob.parts.identity
    file = await renewed(bob)
    said = await bob.api(requests.TakeRenewal())
    assert isinstance(said, replies.Renewed)
    assert (said.in_force, said.not_after) == (True, file.certificate.not_after)
    assert logged(bob) == [before.certificate.data, file.data]
    assert load_identity(bob.paths).certificate.data == file.data
    assert not renewed_certificate(bob.paths).exists()
    await until(lambda: held(alice, bob).data == file.data)
    assert bob.parts.identity.origin == before.origin
    job = await scratch(alice)
    assert (await alice.finish(job)).state == "succeeded", "everything goes on"
    assert alice.parts.findings.list() == []


async def test_it_is_taken_once_however_often_it_is_asked_for(scene: Scene) -> None:
    bob = await scene.start("bob")
    assert await bob.parts.certifying.take() is False
    file = await renewed(bob)
    # As after a crash between the entry and the rename: the entry is there, the file still waits.
    assert await bob.parts.certifying.take() is True
    renewed_certificate(bob.paths).write_bytes(file.data)
    first = logged(bob)[0]
    bob.paths.certificate.write_bytes(first)
    await bob.stop()
    bob = await scene.start("bob")
    assert logged(bob) == [first, file.data]
    assert bob.parts.identity.certificate.data == file.data


async def test_a_node_that_was_stopped_takes_it_when_it_starts(scene: Scene) -> None:
    bob = await scene.start("bob")
    await bob.stop()
    file = await renewed(bob)
    alice, bob = await pair(scene, "bob")
    assert bob.parts.identity.certificate.data == file.data
    assert logged(bob)[-1] == file.data
    await until(lambda: held(alice, bob).data == file.data)


async def test_what_is_no_renewal_is_not_logged(scene: Scene) -> None:
    bob = await scene.start("bob")
    before = logged(bob)
    wrong = {
        "new-epoch": certified(scene, bob, drafted(bob, 1)),
        "made by a key": certified(scene, bob, drafted(bob, 0), by="carol"),
        "older": bob.parts.identity.certificate.data,
    }
    path: Path = renewed_certificate(bob.paths)
    for words, data in wrong.items():
        path.write_bytes(data)
        with pytest.raises(ConfigurationError, match=words):
            await bob.parts.certifying.take()
        assert logged(bob) == before
    await bob.stop()
    bob = await scene.start("bob")
    assert any("was not taken" in words for words in bob.told), "and the node starts nevertheless"
    assert logged(bob) == before


async def test_a_certificate_that_ended_is_replaced_in_the_session_that_it_ends(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await pair(scene, "bob")
    await bob.stop()
    ended = certified(scene, bob, drafted(bob, 0, not_before=1000, not_after=2000))
    alice.parts.database.execute("UPDATE friend SET certificate = ? WHERE node = ?", (ended, bob.id))
    await alice.parts.friendships.refresh()
    assert alice.parts.friendships.refusal(bob.id) is not None
    # However long GnuPG takes here: the session is there until it has answered.
    monkeypatch.setattr(limits, "NEWS_SECONDS", 120)
    bob = await scene.start("bob")
    await until(lambda: alice.parts.friendships.refusal(bob.id) is None)
    assert held(alice, bob).data == bob.parts.identity.certificate.data
    assert bob.id in alice.parts.peers.connected()


async def test_who_has_no_renewed_certificate_is_let_go(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "NEWS_SECONDS", 0.2)
    alice, bob = await pair(scene, "bob")
    alice.watch.ahead = 2 * YEAR
    await alice.parts.friendships.refresh()
    alice.parts.neighbours.trust_changed()
    await until(lambda: "certificate-expired" in bob.parts.friendships.told(alice.id))
    await until(lambda: bob.id not in alice.parts.peers.connected())


async def test_the_owner_is_warned_where_he_looks(scene: Scene) -> None:
    bob = await scene.start("bob")

    async def notices() -> tuple[str, ...]:
        status = await bob.api(requests.GetStatus())
        assert isinstance(status, replies.Status)
        return status.notices

    assert await notices() == ()
    bob.watch.ahead = YEAR - 29 * 86_400
    (notice,) = await notices()
    assert "certificate ends" in notice
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bob.parts.certifying.run)
        await until(lambda: notice in bob.told)
        nursery.cancel_scope.cancel()
