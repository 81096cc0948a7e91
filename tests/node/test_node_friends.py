"""Friends of a running node: taken, changed, refused, removed, and noticed when their keys change outside."""

import os
import shutil

import pytest
import trio

from f2fbuild import limits
from f2fbuild.api import replies, requests
from f2fbuild.errors import F2FError, RefusedError, UsageError
from f2fbuild.ledger.entry import Kind
from f2fbuild.node.friendships import Friendships
from tests.scenes.scene_engine import Gate, Workbench
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.trust.trust_people import Person, gpg, person, short_home


@pytest.fixture(autouse=True)
def _quick_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.TRUST_REFRESH_SECONDS < 5, "the promise: a change is noticed within five seconds"
    monkeypatch.setattr(limits, "TRUST_REFRESH_SECONDS", 0.1)


async def peer(node: SceneNode, who: str) -> replies.Peer:
    found = await node.api(requests.GetPeer(peer=who))
    assert isinstance(found, replies.Peer)
    return found


async def peers(node: SceneNode) -> replies.Peers:
    found = await node.api(requests.ListPeers())
    assert isinstance(found, replies.Peers)
    return found


async def explained(node: SceneNode, who: str) -> tuple[dict[str, tuple[bool, str, str]], tuple[str, ...]]:
    found = await node.api(requests.ExplainTrust(who=who))
    assert isinstance(found, replies.Trust)
    return {one.question: (one.allowed, one.reason, one.rule) for one in found.answers}, found.told_us


async def card(node: SceneNode, port: int = 1) -> str:
    found = await node.api(requests.GetCard(dial=(f"127.0.0.1:{port}",)))
    assert isinstance(found, replies.Card)
    return found.text


def connected(node: SceneNode, other: SceneNode) -> bool:
    return other.id in node.parts.peers.connected()


def state(node: SceneNode, other: SceneNode) -> tuple[str, str]:
    row = node.parts.database.row("SELECT state, rights FROM friend WHERE node = ?", (other.id,))
    assert row is not None
    return str(row["state"]), str(row["rights"])


async def both(scene: Scene) -> tuple[SceneNode, SceneNode]:
    """Alice and Bob, connected; both look after the keyring as `node.main` lets them."""
    alice = await scene.start("alice", watch_trust=True)
    bob = await scene.start("bob", watch_trust=True)
    with trio.fail_after(120):
        await alice.parts.peers.wait_connected(bob.id)
        await bob.parts.peers.wait_connected(alice.id)
    return alice, bob


async def test_friends_are_shown(scene: Scene) -> None:
    alice, bob = await both(scene)
    shown = await peer(alice, "bob")
    assert (shown.id, shown.owner, shown.node) == (bob.id, bob.owner, "bob-box")
    assert (shown.connected, shown.path, shown.refusals) == (True, "direct TCP", ())
    assert shown.rights == ("build", "ledger", "witness")
    assert shown.certificate_until > alice.watch()
    listed = await peers(alice)
    assert [one.alias for one in listed.peers] == ["bob", "carol", "dave", "mallory"]
    assert [one.connected for one in listed.peers] == [True, False, False, False]
    assert (await peer(alice, "carol")).path == "no link"
    for name in ("bob@bob-box", bob.owner, bob.owner.lower(), bob.id, bob.id[:8]):
        assert (await peer(alice, name)).id == bob.id
    for name in ("bo", "nobody", bob.id[:7]):
        with pytest.raises(UsageError, match="no friend is called this"):
            await peer(alice, name)
    answers, told = await explained(alice, "bob")
    assert answers["may build for you"][0] is True
    assert answers["may give you jobs"] == (
        False,
        "right-missing",
        "service 1: the owner was given this right",
    )
    assert told == ()


async def test_a_card_changes_rights_and_grants_nothing_else(scene: Scene) -> None:
    alice, bob = await both(scene)
    text = await card(bob, scene.ports["bob"])
    dry = await alice.api(
        requests.AddPeer(card=text, rights=("submit",), certify=False, alias="", dry_run=True)
    )
    assert isinstance(dry, replies.Peer)
    assert dry.rights == ("submit",)
    assert (await peer(alice, "bob")).rights == ("build", "ledger", "witness"), "a dry run changes nothing"
    await alice.api(requests.AddPeer(card=text, rights=("submit", "relay"), certify=False, alias="robert"))
    shown = await peer(alice, "robert")
    assert (shown.rights, shown.hints, shown.connected) == (
        ("relay", "submit"),
        (f"127.0.0.1:{scene.ports['bob']}",),
        True,
    )
    answers, _ = await explained(alice, "robert")
    assert (answers["may give you jobs"][0], answers["may build for you"][0]) == (True, False)
    with pytest.raises(UsageError, match="no such right: fly"):
        await alice.api(requests.AddPeer(card=text, rights=("fly",), certify=False, alias=""))
    with pytest.raises(RefusedError, match="the card cannot be used"):
        await alice.api(
            requests.AddPeer(card=text.replace("A", "B"), rights=("build",), certify=False, alias="")
        )


async def test_who_may_not_submit_is_told_so_and_shows_it(scene: Scene) -> None:
    alice, bob = await both(scene)
    await bob.api(requests.AddPeer(card=await card(alice), rights=("ledger",), certify=False, alias=""))
    job = await alice.order("a ball", builders=1, agree=1)
    await alice.see(job, lambda view: any(one.state == "refused" for one in view.assignments))
    (asked,) = alice.view(job).assignments
    assert "right-missing" in asked.detail
    answers, _ = await explained(bob, "alice")
    assert answers["may give you jobs"][1] == "right-missing"
    assert bob.parts.log.size == 1, "a refusal is no entry"
    assert alice.view(job).exit_code is None, "somebody else may come"


async def test_a_revoked_key_is_noticed_and_both_ends_show_why(scene: Scene) -> None:
    alice, bob = await both(scene)
    revoked = scene.town.people["bob"].revocation()
    await trio.to_thread.run_sync(lambda: gpg(alice.paths.keyring, "--import", stdin=revoked))
    await until(lambda: not connected(alice, bob))
    answers, _ = await explained(alice, "bob")
    assert answers["may build for you"][1:] == ("owner-revoked", "key 2: it is not revoked")
    shown = await peer(alice, "bob")
    assert shown.refusals == ("here: the owner's key has been revoked (key 2: it is not revoked)",)
    # Bob was told before the link went, and says so wherever he looks.
    await until(lambda: bool(bob.parts.friendships.told(alice.id)))
    (there,) = (await peer(bob, "alice")).refusals
    assert there.startswith("there: owner-revoked: key 2: it is not revoked")
    _, told = await explained(bob, "alice")
    assert told == (there.removeprefix("there: "),)
    # He dials again, and is let in only to be told once more.
    await until(lambda: not connected(bob, alice))
    await until(lambda: not connected(alice, bob))


async def test_a_key_that_expires_while_the_node_runs(scene: Scene) -> None:
    alice, bob = await both(scene)
    expiring = await trio.to_thread.run_sync(_expiring, scene.town.people["bob"])
    await trio.to_thread.run_sync(lambda: gpg(alice.paths.keyring, "--import", stdin=expiring))
    await until(lambda: not connected(alice, bob))
    answers, _ = await explained(alice, "bob")
    assert answers["may build for you"][1] == "owner-expired"
    await until(lambda: "owner-expired" in bob.parts.friendships.told(alice.id))


def _expiring(somebody: Person) -> bytes:
    """The key, made by its owner to expire in two seconds."""
    with short_home() as home:
        shutil.copytree(somebody.home, home, dirs_exist_ok=True, ignore=shutil.ignore_patterns("S.*"))
        gpg(home, "--quick-set-expire", somebody.fingerprint, "seconds=2")
        return gpg(home, "--export", somebody.fingerprint)


async def test_builds_for_whom_is_no_longer_trusted_are_stopped(scene: Scene) -> None:
    gate = Gate()
    alice = await scene.start("alice", watch_trust=True)
    bob = await scene.start("bob", Workbench(deed=gate), watch_trust=True)
    with trio.fail_after(120):
        await alice.parts.peers.wait_connected(bob.id)
        job = await alice.order("a ball", builders=1, agree=1)
        await gate.reached.wait()
    revoked = scene.town.people["alice"].revocation()
    await trio.to_thread.run_sync(lambda: gpg(bob.paths.keyring, "--import", stdin=revoked))
    await until(lambda: bob.bench.stopped == [job.id])
    await until(lambda: not connected(bob, alice))
    answers, _ = await explained(bob, "alice")
    assert answers["may give you jobs"][1] == "owner-revoked"
    # What was accepted is closed all the same: the log owes nothing.
    await until(lambda: bob.entries()[-1].kind is Kind.CLOSING)


async def test_a_removed_friend_leaves_a_tombstone_and_hears_nothing(scene: Scene) -> None:
    alice, bob = await both(scene)
    text = await card(bob, scene.ports["bob"])
    removed = await alice.api(requests.RemovePeer(peer="bob"))
    assert isinstance(removed, replies.Peer)
    await until(lambda: not connected(alice, bob))
    assert state(alice, bob) == ("removed", "[]")
    with pytest.raises(UsageError, match="no friend is called this"):
        await peer(alice, "bob")
    assert bob.id not in [one.id for one in (await peers(alice)).peers]
    # Bob dials again and again, and gets no answer; Alice sees that he tried.
    await until(lambda: any("was removed" in one for one in alice.parts.friendships.refused_lately()))
    assert any(one.startswith(f"{bob.id}: was removed") for one in (await peers(alice)).refused)
    assert not connected(alice, bob)
    answers, _ = await explained(alice, bob.owner)
    assert answers["may build for you"][1] == "peer-removed"
    # Nothing revives the friendship but its owner: the tombstone outlives the process.
    await alice.stop()
    alice = await scene.start("alice", watch_trust=True)
    assert alice.parts.friendships.find(bob.id) is None
    await alice.api(requests.AddPeer(card=text, rights=("build",), certify=False, alias="bob"))
    assert state(alice, bob) == ("active", '["build"]')
    with trio.fail_after(120):
        await alice.parts.peers.wait_connected(bob.id)


async def test_a_stranger_gets_not_one_byte(scene: Scene) -> None:
    bob = await scene.start("bob")
    for hello in (b"", b"GET / HTTP/1.1\r\n\r\n", os.urandom(96), os.urandom(4096)):
        stream = await trio.open_tcp_stream("127.0.0.1", scene.ports["bob"])
        async with stream:
            if hello:
                await stream.send_all(hello)
            await stream.send_eof()
            try:
                assert await stream.receive_some() == b""
            except trio.BrokenResourceError:
                continue  # a reset says as little
    assert bob.parts.peers.connected() == frozenset()


async def test_a_friend_that_nobody_added_here_is_a_stranger(scene: Scene) -> None:
    """Carol knows Alice; Bob knows neither Carol's key nor her node."""
    bob = await scene.start("bob", watch_trust=True)
    carol = await scene.start("carol")
    await carol.api(
        requests.AddPeer(
            card=await card(bob, scene.ports["bob"]), rights=("build",), certify=True, alias="bob"
        )
    )
    await until(lambda: bool(bob.parts.friendships.refused_lately()))
    assert bob.parts.peers.connected() == carol.parts.peers.connected() == frozenset()
    assert carol.parts.friendships.told(bob.id) == ""


async def test_a_new_friend_is_named_after_the_owner_and_certified(scene: Scene) -> None:
    bob = await scene.start("bob", watch_trust=True)
    carol = await scene.start("carol")
    text = await card(carol)
    planned = await bob.api(requests.AddPeer(card=text, rights=(), certify=True, alias="", dry_run=True))
    assert isinstance(planned, replies.Peer)
    assert (planned.alias, planned.rights) == ("carol", ())
    with pytest.raises(UsageError):
        await peer(bob, "carol")
    await bob.api(requests.AddPeer(card=text, rights=("submit",), certify=False, alias=""))
    answers, _ = await explained(bob, "carol")
    assert answers["may give you jobs"][1] == "owner-not-valid", "nobody certified the key yet"
    await bob.api(requests.AddPeer(card=text, rights=("submit",), certify=True, alias=""))
    answers, _ = await explained(bob, "carol")
    assert answers["may give you jobs"][0] is True


async def test_an_owner_in_the_keyring_who_is_no_friend(scene: Scene) -> None:
    bob = await scene.start("bob", watch_trust=True)
    with person("Zoe") as zoe:
        await trio.to_thread.run_sync(lambda: gpg(bob.paths.keyring, "--import", stdin=zoe.key))
        await until(lambda: zoe.fingerprint in bob.parts.friendships.known.snapshot.owners)
        answers, _ = await explained(bob, zoe.fingerprint)
    assert answers["may give you jobs"][0] is False


async def test_trust_is_not_asked_before_it_is_read(scene: Scene) -> None:
    bob = await scene.start("bob")
    unread = Friendships(bob.parts.database, bob.parts.friendships._keyring, bob.parts.user, bob.watch)
    with pytest.raises(F2FError, match="before it was read"):
        _ = unread.known


async def test_refusals_are_remembered_up_to_a_number(scene: Scene) -> None:
    bob = await scene.start("bob")
    for number in range(limits.REFUSALS_REMEMBERED + 5):
        assert bob.parts.friendships.authenticate(number.to_bytes(8, "big") + bytes(24), bytes(32)) is None
    lately = bob.parts.friendships.refused_lately()
    assert len(lately) == limits.REFUSALS_REMEMBERED
    assert lately[-1].startswith((limits.REFUSALS_REMEMBERED + 4).to_bytes(8, "big").hex())


async def test_handshake_times_and_nonces_count_once(scene: Scene) -> None:
    bob = await scene.start("bob")
    friendships = bob.parts.friendships
    assert await friendships.accept_timestamp("p", b"2" * 12)
    assert not await friendships.accept_timestamp("p", b"2" * 12)
    assert not await friendships.accept_timestamp("p", b"1" * 12)
    assert await friendships.accept_timestamp("p", b"3" * 12)
    assert await friendships.accept_timestamp("q", b"1" * 12)
    soon = bob.watch() + 60
    assert friendships.fresh_nonce("p", b"n" * 16, soon)
    assert not friendships.fresh_nonce("p", b"n" * 16, soon)
    assert friendships.fresh_nonce("q", b"n" * 16, soon)
    bob.watch.ahead = 120
    assert friendships.fresh_nonce("p", b"n" * 16, soon), "too old to be taken for another reason"
