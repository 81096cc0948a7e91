"""Friends who lie about the log of somebody who is no friend: Carol reads Alice's from Bob, or from Dave.

alice - bob - carol - dave - mallory - alice
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from f2fbuild import limits
from f2fbuild.api import ledger_replies, requests
from f2fbuild.audit.found import EQUIVOCATION
from f2fbuild.audit.ondemand import Unread, Why
from f2fbuild.ledger import entry, evidence, tiles
from f2fbuild.ledger.log import Log
from f2fbuild.node.strangers import Read
from tests.ledger.ledger_helpers import acceptance
from tests.scenes.scene_lies import Lies, lie, signed_head
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_ring import forget, heard
from tests.scenes.test_scene_strangers import kept, origin, read, town, trio_of, vouch
from tests.scenes.test_scene_tidying import lengthen

__all__ = ["town"]


async def lied_to(scene: Scene) -> tuple[SceneNode, SceneNode, SceneNode, Lies]:
    alice, bob, carol = await trio_of(scene)
    await vouch(scene, carol, alice)
    lies = Lies(origin=origin(alice))
    lie(bob, lies)
    return alice, bob, carol, lies


async def why(carol: SceneNode, alice: SceneNode) -> Why:
    found = await read(carol, alice)
    assert isinstance(found, Unread)
    assert kept(carol, alice) == 0
    return found.why


async def test_an_endless_log_is_not_even_begun(scene: Scene) -> None:
    alice, bob, carol, lies = await lied_to(scene)
    lies.head = signed_head(bob.parts.identity.log_key, lies.origin, 2**53 - 1)
    assert await why(carol, alice) is Why.TOO_LONG
    lies.head = lies.head.replace(b"9007199254740991", b"%d" % 2**62)
    assert await why(carol, alice) is Why.SPOILED
    assert lies.asked == []
    await forget(scene, alice)


async def test_what_a_friend_spoils_is_held_against_nobody_and_asked_of_the_next(scene: Scene) -> None:
    alice, bob, carol, lies = await lied_to(scene)
    good = alice.parts.log.entries(0, 2)
    own = bob.parts.log.entry(0)
    forged = entry.write(acceptance(), bob.parts.identity.statement_key)
    cases: list[tuple[Callable[[str], bytes | None], Why]] = [
        (lambda _path: tiles.encode_bundle([own, good[1]]), Why.NOT_CERTIFIED),
        (lambda _path: tiles.encode_bundle([good[1], good[0]]), Why.NOT_CERTIFIED),
        (lambda _path: tiles.encode_bundle([good[0], forged]), Why.SPOILED),
        (lambda _path: tiles.encode_bundle(good[:1]), Why.SPOILED),
        (lambda _path: b"", Why.SPOILED),
        (lambda _path: b"\x00", Why.SPOILED),
        (lambda _path: None, Why.SPOILED),
    ]
    for lies.resource, expected in cases:
        assert await why(carol, alice) is expected
    lies.resource = None
    # A head that the log did not sign, of entries that it did.
    lies.head = signed_head(bob.parts.identity.log_key, lies.origin, 2, alice.parts.log.head.root)
    assert await why(carol, alice) is Why.SPOILED
    assert carol.parts.findings.list() == []
    # Dave has a copy and tells the truth.
    dave = await scene.start("dave")
    await vouch(scene, dave, alice)
    await until(lambda: heard(dave, alice) == 2)
    lie(carol, Lies(origin=origin(alice)))
    mirrors = "/".join(("mirrors", origin(alice).rpartition("/")[2]))
    assert not (dave.paths.data / mirrors).exists()
    friend = bob.parts.author(origin(alice))
    assert friend is not None
    source = bob.parts.follower.directory(friend)

    async def fetch(path: str) -> bytes:
        return (source / path).read_bytes()

    await dave.parts.follower.take(friend, alice.parts.log.checkpoint(), fetch)
    assert kept(dave, alice) == 2
    await until(lambda: dave.id in carol.parts.peers.connected())
    found = await read(carol, alice)
    assert isinstance(found, Read)
    assert (found.giver, kept(carol, alice)) == (dave.id, 2)
    assert bob.id in carol.parts.peers.connected()
    await forget(scene, alice)


async def test_a_first_entry_that_changes_while_it_is_fetched_changes_nothing(scene: Scene) -> None:
    alice, _bob, carol, lies = await lied_to(scene)
    good = alice.parts.log.entries(0, 2)

    def once(_path: str) -> bytes:
        return tiles.encode_bundle(good if len(lies.asked) == 1 else [good[1], good[0]])

    lies.resource = once
    assert isinstance(await read(carol, alice), Read)
    assert lies.asked == ["tile/entries/000.p/2"]
    await forget(scene, alice)


@pytest.mark.parametrize("longer", [False, True], ids=["one size", "two sizes"])
async def test_a_fork_of_a_log_of_no_friend_is_evidence_against_its_owner(
    scene: Scene, tmp_path: Path, longer: bool
) -> None:
    alice, _bob, carol, lies = await lied_to(scene)
    assert isinstance(await read(carol, alice), Read)
    identity = alice.parts.identity
    other = Log.create(tmp_path / "other", identity.log_key)
    for number in range(2 + longer):
        said = replace(acceptance(), deadline=600 * (number + 7))
        payload = said if number else entry.NodeCertificate(text=identity.certificate.data)
        other.append([entry.write(payload, identity.statement_key)])
    lies.head, lies.resource = other.checkpoint(), other.resource
    found = await read(carol, alice)
    assert isinstance(found, Read), "what is here is read as it is"
    (finding,) = [one for one in carol.parts.findings.list() if one.kind == EQUIVOCATION]
    assert (finding.owner, finding.node, finding.origin) == (alice.owner, alice.id, lies.origin)
    proved = evidence.check(Path(finding.evidence).read_bytes())
    assert isinstance(proved, evidence.EquivocationFinding)
    logs = await carol.api(requests.ListLogs())
    assert isinstance(logs, ledger_replies.Logs)
    (told,) = [one for one in logs.logs if one.origin == lies.origin]
    assert (told.frozen, told.size) == (True, 2)
    lies.head = lies.resource = None
    assert isinstance(await read(carol, alice), Read)
    assert kept(carol, alice) == 2
    other.close()
    await forget(scene, alice)


async def test_entries_that_were_pruned_come_back_when_they_are_read(scene: Scene) -> None:
    alice, bob, carol, lies = await lied_to(scene)
    lengthen(alice, 3 * limits.TILE_WIDTH)
    size = alice.parts.log.size
    await until(lambda: kept(bob, alice) == size)
    found = await read(carol, alice)
    assert isinstance(found, Read)
    mirror = carol.parts.follower.kept(found.author.vkey)
    assert mirror is not None
    assert mirror.size == size
    carol.watch.ahead = 100 * 86_400
    await carol.parts.tidying.round()
    assert mirror.pruned == 3
    # Of other bytes than those of the tree nothing comes back.
    lies.resource = lambda _path: tiles.encode_bundle([b"x"] * limits.TILE_WIDTH)
    spoiled = await read(carol, alice)
    assert isinstance(spoiled, Read)
    assert (spoiled.giver, mirror.pruned) == ("", 3)
    lies.resource = None
    assert isinstance(await read(carol, alice), Read)
    assert mirror.pruned == 0
    assert mirror.entries(300, 310) == alice.parts.log.entries(300, 310)
    await forget(scene, alice)
