"""Friends who say too much of logs, over real links: they are bounded, contained, and heard again."""

import hashlib
from pathlib import Path

import pytest
import trio

from f2fbuild import limits
from f2fbuild.audit.found import EQUIVOCATION
from f2fbuild.errors import F2FError, LedgerError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import Checkpoint, origin_of, sign_checkpoint
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.tree import leaf_hash
from f2fbuild.net.ledger_messages import AnnounceHead, HeadLine, HeadSeen, SwapHeads
from tests.scenes.scene_lies import Lies, lie, signed_head
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_talk import ask
from tests.scenes.test_scene_tidying import lengthen

LONGEST = 2**53 - 1
LINE = "— x eHh4eHg=\n".encode()
MANY = LINE * 10_000


def mirror_of(node: SceneNode, author: SceneNode) -> Mirror:
    friend = node.parts.friendships.find(author.id)
    assert friend is not None
    return node.parts.follower.mirror(friend)


def files_of(node: SceneNode, author: SceneNode) -> list[Path]:
    return sorted(mirror_of(node, author).directory.rglob("*"))


async def follow(node: SceneNode, author: SceneNode) -> None:
    friend = node.parts.friendships.find(author.id)
    assert friend is not None
    await node.parts.follower.follow(friend)


async def met(scene: Scene) -> tuple[SceneNode, SceneNode, Lies]:
    """Alice, who follows Bob's log, and Bob, who will lie about it."""
    alice, bob = await scene.cast("alice", "bob")
    lengthen(bob, 3)
    await until(lambda: mirror_of(alice, bob).size == bob.parts.log.size)
    lies = Lies(origin=bob.parts.identity.origin)
    lie(bob, lies)
    return alice, bob, lies


async def honest_again(alice: SceneNode, bob: SceneNode, lies: Lies) -> None:
    """When a friend stops lying, his log is followed as before."""
    lies.head = lies.resource = None
    lengthen(bob, 1, start=bob.parts.log.size)
    await follow(alice, bob)
    assert mirror_of(alice, bob).checkpoint() == bob.parts.log.checkpoint()
    assert bob.id in alice.parts.peers.connected()
    assert [one for one in alice.parts.findings.list() if one.kind == EQUIVOCATION] == []


async def test_an_endless_log_is_fetched_up_to_its_bound_and_let_go(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, lies = await met(scene)
    key, before = bob.parts.identity.log_key, mirror_of(alice, bob).checkpoint()
    files = files_of(alice, bob)
    # A size that no log can have is no head at all.
    lies.head = signed_head(key, lies.origin, 2**53 - 1).replace(b"9007199254740991", b"%d" % 2**62)
    with pytest.raises(LedgerError, match="not-a-head"):
        await follow(alice, bob)
    assert lies.asked == []
    # The largest that one can have is served without end.
    held = bob.parts.log.entries(0, bob.parts.log.size)
    more = [b"%060d" % number for number in range(limits.TILE_WIDTH - len(held))]
    first = tiles.encode_bundle([*held, *more])
    other = tiles.encode_bundle([b"%060d" % number for number in range(limits.TILE_WIDTH)])
    bound = 40 * len(other)
    monkeypatch.setattr("f2fbuild.ledger.mirror.MIRROR_UPDATE_BYTES", bound)
    lies.head = signed_head(key, lies.origin, LONGEST)
    lies.resource = lambda path: first if path == "tile/entries/000" else other
    with pytest.raises(LedgerError, match="too-large"):
        await follow(alice, bob)
    # The node follows by itself too, so a path may be asked for more than once.
    assert 30 < len(set(lies.asked)) < 45
    assert mirror_of(alice, bob).checkpoint() == before
    await until(lambda: files_of(alice, bob) == files)
    assert {one.node for one in alice.parts.findings.list()} == {bob.id}
    await honest_again(alice, bob, lies)


async def test_other_tiles_than_those_of_the_head_prove_nothing_but_bad_service(scene: Scene) -> None:
    alice, bob, lies = await met(scene)
    before, log = mirror_of(alice, bob).checkpoint(), bob.parts.log
    lengthen(bob, 4, start=3)
    await until(lambda: mirror_of(alice, bob).checkpoint() != before)
    before = mirror_of(alice, bob).checkpoint()
    log.append(log.entries(1, 3))
    other_leaves = b"".join(leaf_hash(b"%d" % n) for n in range(log.size))

    def altered(path: str) -> bytes | None:
        data = log.resource(path)
        if data is None:
            return None
        if path.startswith("tile/entries/"):
            return tiles.encode_bundle([*tiles.split_bundle(data)[:-1], b"another last entry"])
        return other_leaves

    lies.resource = altered
    with pytest.raises(LedgerError, match=r"bad-proof|bad-entries"):
        await follow(alice, bob)
    # A tile that is cut short, or none at all, says as little.
    for resource in (
        lambda path: altered(path) if path.startswith("tile/entries/") else b"short",
        lambda path: altered(path) if path.startswith("tile/entries/") else None,
        lambda _path: b"",
        lambda _path: b"\x00",
        lambda _path: b"\xff" * 70_000,
    ):
        lies.resource = resource
        with pytest.raises(F2FError):
            await follow(alice, bob)
    assert mirror_of(alice, bob).checkpoint() == before
    assert mirror_of(alice, bob).evidence == b""
    assert all(one.kind != EQUIVOCATION for one in alice.parts.findings.list())
    del scene.paths["bob"]  # its last entries stand in it twice


async def test_a_head_with_ten_thousand_signatures_is_none(scene: Scene) -> None:
    alice, bob, lies = await met(scene)
    public, note = bob.parts.identity.log_key.public, bob.parts.log.checkpoint()
    heard = alice.parts.gossiping.head(lies.origin)
    flooded = AnnounceHead(checkpoint=note + MANY, public=public, hops=0)
    assert isinstance(await ask(bob, alice, flooded), HeadSeen)
    assert alice.parts.gossiping.head(lies.origin) == heard
    stranger = SigningKey.from_seed(b"\x55" * 32)
    for lines, is_heard in ((MANY, False), (LINE * 100, False), (LINE * 99, True)):
        head = signed_head(stranger, origin_of(stranger.public), 1) + lines
        await ask(bob, alice, AnnounceHead(checkpoint=head, public=stranger.public, hops=1))
        assert bool(alice.parts.gossiping.head(origin_of(stranger.public))) is is_heard
    # What was under it is not passed on.
    assert alice.parts.gossiping.head(origin_of(stranger.public)) == head.removesuffix(LINE * 99)
    lies.head = note + MANY
    with pytest.raises(LedgerError, match="not-a-head"):
        await follow(alice, bob)
    await honest_again(alice, bob, lies)


async def test_of_thousands_of_tiny_logs_so_many_are_heard_of(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await until(lambda: bool(alice.parts.gossiping.head(bob.parts.identity.origin)))
    known = len(alice.parts.gossiping.origins())
    heads = await trio.to_thread.run_sync(lambda: [tiny(n) for n in range(limits.ORIGINS_PER_FRIEND + 200)])
    for head in heads:
        assert isinstance(await ask(bob, alice, head), HeadSeen)
    gossiping = alice.parts.gossiping
    # Bob's own log is one of those that he may name.
    assert len(gossiping.origins()) == known + limits.ORIGINS_PER_FRIEND - 1
    assert gossiping.head(origin_of(heads[0].public)) == heads[0].checkpoint
    assert gossiping.head(origin_of(heads[-1].public)) == b""
    gossiping._save([bob.id])
    (row,) = alice.parts.database.rows("SELECT count(*) AS number FROM gossip_head")
    assert row["number"] == len(gossiping.origins())
    # A list of more logs than may be named is no message; the link lives on.
    line = HeadLine(log=bytes(32), size=1, mark=bytes(16), hops=1)
    long = SwapHeads(have=[line] * (limits.ORIGINS_PER_FRIEND + 1), total=bytes(16), whole=True, again=False)
    with pytest.raises(F2FError):
        await ask(bob, alice, long)
    assert bob.id in alice.parts.peers.connected()
    # What Bob appends himself is heard of as before.
    lengthen(bob, 1)
    await until(lambda: mirror_of(alice, bob).size == bob.parts.log.size)


def tiny(number: int) -> AnnounceHead:
    """The head of a log of one entry, as somebody passes it on."""
    key = SigningKey.from_seed(hashlib.sha256(b"tiny %d" % number).digest())
    head = Checkpoint(origin=origin_of(key.public), size=1, root=leaf_hash(b"%d" % number))
    return AnnounceHead(checkpoint=sign_checkpoint(head, key), public=key.public, hops=1)
