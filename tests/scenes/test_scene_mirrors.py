"""A log can be read at every friend who keeps a copy of it, when its author is not there."""

from pathlib import Path

import pytest

from f2fbuild import limits
from f2fbuild.api import requests
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import open_checkpoint, parse_log_vkey
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.ledger.note import format_note, open_note, sign
from f2fbuild.net.ledger_messages import GetHead, GetLogResource, Head, LogResource, NoHead, NoLogResource
from f2fbuild.net.messages import Failure
from tests.ledger.ledger_helpers import ALICE as STRANGER
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_talk import ask

FIRST = tiles.format_path(tiles.Bundle(index=0, width=1))


def copy_of(node: SceneNode, author: SceneNode) -> Mirror | None:
    friend = node.parts.friendships.find(author.id)
    assert friend is not None
    return node.parts.follower.kept(friend.vkey)


def holds(node: SceneNode, author: SceneNode) -> bool:
    mirror = copy_of(node, author)
    return mirror is not None and mirror.size > 0


async def test_a_copy_is_read_where_it_is_kept_while_its_author_is_away(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    await until(lambda: holds(alice, bob))
    origin, head = bob.parts.identity.origin, bob.parts.log.checkpoint()
    bundle = bob.parts.log.resource(FIRST)
    assert bundle
    await bob.stop()
    answer = await ask(carol, alice, GetHead(origin=origin))
    assert answer == Head(checkpoint=head)
    assert await ask(carol, alice, GetLogResource(origin=origin, path=FIRST)) == LogResource(data=bundle)
    beyond = tiles.format_path(tiles.Bundle(index=9, width=1))
    assert await ask(carol, alice, GetLogResource(origin=origin, path=beyond)) == NoLogResource()


async def test_cosignatures_of_a_copy_stay_where_they_are(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    await until(lambda: holds(alice, bob))
    mirror = copy_of(alice, bob)
    assert mirror is not None
    key, note = mirror.key, mirror.checkpoint()
    other = sign(open_note(note, [key]).text, STRANGER.origin, STRANGER.log)
    mirror._note = note + format_note(other).rsplit(b"\n\n", 1)[1]
    assert mirror.checkpoint() != note
    answer = await ask(carol, alice, GetHead(origin=key.name))
    assert answer == Head(checkpoint=note)
    assert open_checkpoint(note, key).size == 1


@pytest.mark.parametrize("origin", [STRANGER.origin, "f2fbuild.invalid/log/.."], ids=["unknown", "nonsense"])
async def test_a_log_that_nobody_here_knows_is_none(scene: Scene, origin: str) -> None:
    alice, bob = await scene.cast("alice", "bob")
    assert await ask(bob, alice, GetHead(origin=origin)) == NoHead(origin=origin)
    assert await ask(bob, alice, GetLogResource(origin=origin, path=FIRST)) == NoLogResource()


async def test_a_copy_that_was_never_begun_or_is_empty_or_damaged_is_none(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    dave = scene.paths_of("dave")
    assert dave
    friend = next(one for one, _, _ in alice.parts.friendships.all() if one.alias == "dave")
    origin = parse_log_vkey(friend.vkey).name
    assert await ask(bob, alice, GetHead(origin=origin)) == NoHead(origin=origin)
    assert alice.parts.follower.mirror(friend).size == 0
    assert await ask(bob, alice, GetHead(origin=origin)) == NoHead(origin=origin)
    alice.parts.follower.close()
    ruin(alice.parts.follower.directory(friend))
    assert await ask(bob, alice, GetHead(origin=origin)) == NoHead(origin=origin)
    assert await ask(bob, alice, GetLogResource(origin=origin, path=FIRST)) == NoLogResource()


def ruin(directory: Path) -> None:
    (directory / "checkpoint").write_bytes(b"not a note\n")


async def test_who_may_not_read_ledgers_reads_no_copies(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    await until(lambda: holds(alice, bob))
    alice.parts.database.execute("UPDATE friend SET rights = '[\"build\"]' WHERE alias = 'carol'")
    await alice.parts.friendships.refresh()
    origin = bob.parts.identity.origin
    for request in (GetHead(origin=origin), GetLogResource(origin=origin, path=FIRST)):
        answer = await ask(carol, alice, request)
        assert isinstance(answer, Failure)
    assert await bob.api(requests.GetStatus())


async def test_a_log_of_the_largest_entries_is_followed(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    key, log = bob.parts.identity.statement_key, bob.parts.log
    room = limits.ENVELOPE_BYTES * 3 // 4 - 1_000
    large = [
        entries.Unknown(payload_type="application/x-large", payload=b"%04d" % number * (room // 4))
        for number in range(limits.TILE_WIDTH)
    ]
    log.append([entries.write(payload, key) for payload in large])
    bob.parts.neighbours.log_grew()
    bundle = log.resource("tile/entries/000")
    assert bundle is not None
    assert len(bundle) > 10 * limits.MIB, "many times what one message holds"
    await until(lambda: holds(alice, bob) and copy_of(alice, bob).size == log.size)  # type: ignore[union-attr]
    copy = copy_of(alice, bob)
    assert copy is not None
    assert copy.resource("tile/entries/000") == bundle
    assert alice.parts.findings.list() == []
