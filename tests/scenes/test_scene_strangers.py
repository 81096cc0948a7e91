"""Logs of nodes that are no friends, among real nodes over real links: five people in a ring.

alice - bob - carol - dave - mallory - alice. Carol has heard of Alice's log from Bob, who keeps it.
"""

from collections.abc import Iterator

import pytest
import trio

from f2fbuild import limits
from f2fbuild.api import ledger_replies, requests
from f2fbuild.audit.found import VIOLATION
from f2fbuild.audit.ondemand import Unread, Why
from f2fbuild.errors import NobodyError, RefusedError, UsageError
from f2fbuild.ledger import entry, tiles
from f2fbuild.net.ledger_messages import (
    GetHead,
    GetLogResource,
    Head,
    LogResource,
    NoHead,
)
from f2fbuild.node.strangers import Read
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_ring import forget, heard, make_ring, write
from tests.scenes.scene_talk import ask
from tests.scenes.scene_town import Town

FIRST = tiles.format_path(tiles.Bundle(index=0, width=1))


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with make_ring(tmp_path_factory.mktemp("ring")) as made:
        yield made


async def trio_of(scene: Scene) -> list[SceneNode]:
    """Alice, Bob who keeps her log, and Carol who has heard of it."""
    alice, bob, carol = [await scene.start(name) for name in ("alice", "bob", "carol")]
    write(alice)
    await until(lambda: kept(bob, alice) == 2)
    await until(lambda: heard(carol, alice) == 2)
    return [alice, bob, carol]


def origin(node: SceneNode) -> str:
    return node.parts.identity.origin


def kept(node: SceneNode, author: SceneNode) -> int:
    """The entries of an author's log that a node has."""
    one = node.parts.author(origin(author))
    mirror = node.parts.follower.kept(one.vkey) if one else None
    return mirror.size if mirror else 0


async def vouch(scene: Scene, node: SceneNode, author: SceneNode, *, certify: bool = True) -> None:
    """Bring the key of an author's owner into a node's keyring; he becomes nobody's friend by that."""
    keyring, people = node.parts.friendships._keyring, scene.town.people
    await trio.to_thread.run_sync(keyring.add, people[author.name].key)
    if certify:
        await trio.to_thread.run_sync(keyring.certify, author.owner, people[node.name].gnupg)


async def read(node: SceneNode, author: SceneNode) -> Read | Unread:
    return await node.parts.strangers.read(origin(author))


async def test_a_log_of_no_friend_is_read_when_its_owner_is_vouched_for(scene: Scene) -> None:
    alice, bob, carol = await trio_of(scene)
    unknown = await read(carol, alice)
    assert isinstance(unknown, Unread)
    assert unknown.why is Why.NOT_VOUCHED
    assert alice.owner in unknown.detail
    assert f"--export {alice.owner} | gpg --homedir {carol.paths.keyring} " in unknown.advice
    await vouch(scene, carol, alice, certify=False)
    uncertain = await read(carol, alice)
    assert isinstance(uncertain, Unread)
    assert uncertain.why is Why.NOT_VOUCHED
    assert "nothing in the web of trust" in uncertain.detail
    assert kept(carol, alice) == 0
    assert not (carol.paths.mirrors / origin(alice).rpartition("/")[2]).exists(), "nothing was kept of it"
    await vouch(scene, carol, alice)
    head = alice.parts.log.checkpoint()
    assert await ask(carol, bob, GetHead(origin=origin(alice))) == Head(checkpoint=head)
    found = await read(carol, alice)
    assert isinstance(found, Read)
    assert (found.giver, found.author.owner, found.author.node) == (bob.id, alice.owner, "alice-box")
    mirror = carol.parts.follower.kept(found.author.vkey)
    assert mirror is not None
    assert mirror.checkpoint() == head
    assert mirror.entries(0, 2) == alice.parts.log.entries(0, 2)
    assert carol.parts.friendships.find(alice.id) is None, "he is no friend by that"
    await forget(scene, alice)


async def test_it_is_followed_on_request_only_and_shown_to_friends_from_then_on(scene: Scene) -> None:
    alice, bob, carol = await trio_of(scene)
    dave = await scene.start("dave")
    await until(lambda: heard(dave, alice) == 2)
    wanted = GetHead(origin=origin(alice))
    assert await ask(dave, carol, wanted) == NoHead(origin=origin(alice)), "for friends nothing is fetched"
    await vouch(scene, carol, alice)
    assert isinstance(await read(carol, alice), Read)
    assert await ask(dave, carol, wanted) == Head(checkpoint=alice.parts.log.checkpoint())
    bundle = tiles.format_path(tiles.Bundle(index=0, width=2))
    assert await ask(dave, carol, GetLogResource(origin=origin(alice), path=bundle)) == LogResource(
        data=alice.parts.log.resource(bundle) or b""
    )
    # A log that grows is heard of as before, and stays as it was read.
    write(alice, deadline=600)
    await until(lambda: heard(carol, alice) == 3)
    assert kept(carol, alice) == 2
    await until(lambda: kept(bob, alice) == 3)
    assert isinstance(await read(carol, alice), Read)
    assert kept(carol, alice) == 3
    # Dave, who has no link to anybody else, gets it from Carol.
    await vouch(scene, dave, alice)
    await bob.stop()
    found = await read(dave, alice)
    assert isinstance(found, Read)
    assert (found.giver, kept(dave, alice)) == (carol.id, 3)
    await forget(scene, alice)


async def test_a_copy_is_read_when_nobody_can_give_more_and_after_a_restart(scene: Scene) -> None:
    alice, bob, carol = await trio_of(scene)
    await vouch(scene, carol, alice)
    assert isinstance(await read(carol, alice), Read)
    await bob.stop()
    await carol.stop()
    carol = await scene.start("carol")
    digits = origin(alice).rpartition("/")[2]
    found = await carol.api(requests.ReadStrangersLog(log=digits[:8]))
    assert isinstance(found, ledger_replies.StrangersLog)
    assert (found.giver, found.log.size, found.log.followed) == ("", 2, False)
    logs = await carol.api(requests.ListLogs())
    assert isinstance(logs, ledger_replies.Logs)
    assert found.log in logs.logs
    assert {one.node for one in logs.logs if one.followed} == {"carol-box", "bob-box", "dave-box"}
    witnessing = await carol.api(requests.GetWitnessing(origin=origin(alice)))
    assert isinstance(witnessing, ledger_replies.Witnessing)
    assert witnessing.note.encode() == alice.parts.log.checkpoint()
    assert witnessing.given == (), "it is not cosigned"
    await forget(scene, alice)


async def test_people_are_told_why_a_log_is_not_read(scene: Scene) -> None:
    alice, bob, carol = await trio_of(scene)

    async def api(log: str) -> object:
        return await carol.api(requests.ReadStrangersLog(log=log))

    with pytest.raises(UsageError, match="no friend has told"):
        await api("f" * 16)
    with pytest.raises(UsageError, match="several logs"):
        await api("f2fbuild.invalid/log/")
    with pytest.raises(RefusedError, match=f"key does not count here.*{alice.owner}"):
        await api(origin(alice))
    await bob.stop()
    await until(lambda: not carol.parts.peers.connected())
    with pytest.raises(NobodyError, match="no friend who is here"):
        await api(origin(alice))
    await forget(scene, alice)


async def test_there_is_room_for_so_many_logs_of_so_many_bytes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, _bob, carol = await trio_of(scene)
    await vouch(scene, carol, alice)

    async def why() -> Why:
        found = await read(carol, alice)
        assert isinstance(found, Unread)
        return found.why

    for name, value, expected in (
        ("ON_DEMAND_LOGS", 0, Why.TOO_MANY),
        ("ON_DEMAND_ENTRIES", 1, Why.TOO_LONG),
        ("ON_DEMAND_GIVERS", 0, Why.NOBODY),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(limits, name, value)
            assert await why() is expected
    # The first bundle has both entries: it alone is too much.
    size = len(alice.parts.log.resource(tiles.format_path(tiles.Bundle(index=0, width=2))) or b"")
    with monkeypatch.context() as patch:
        patch.setattr(limits, "ON_DEMAND_BYTES", size - 1)
        assert await why() is Why.TOO_LONG
        assert kept(carol, alice) == 0
        patch.setattr(limits, "ON_DEMAND_BYTES", size)
        assert isinstance(await read(carol, alice), Read)
    await forget(scene, alice)


async def test_what_is_wrong_with_it_is_held_against_its_owner(scene: Scene) -> None:
    alice, _bob, carol = await trio_of(scene)
    broken = entry.write(entry.Commitment(acceptance=99, digest="a" * 64), alice.parts.identity.statement_key)
    alice.parts.log.append([broken])
    alice.parts.neighbours.log_grew()
    await until(lambda: heard(carol, alice) == 3)
    await until(lambda: kept(_bob, alice) == 3)
    await vouch(scene, carol, alice)
    assert carol.parts.findings.list() == []
    assert isinstance(await read(carol, alice), Read)
    (found,) = carol.parts.findings.list()
    assert (found.kind, found.owner, found.node) == (VIOLATION, alice.owner, alice.id)
    assert "entry 2: commits to no open acceptance" in found.detail
    logs = await carol.api(requests.ListLogs())
    assert isinstance(logs, ledger_replies.Logs)
    (told,) = [one for one in logs.logs if one.origin == origin(alice)]
    assert told.violation == found.detail
    await forget(scene, alice)
