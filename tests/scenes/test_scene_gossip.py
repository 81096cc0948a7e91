"""Gossip among real nodes over real links: five people in a ring, each with two friends.

alice - bob - carol - dave - mallory - alice
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild import limits
from f2fbuild.audit.found import EQUIVOCATION, Finding
from f2fbuild.errors import RemoteProtocolError
from f2fbuild.ledger import entry, evidence
from f2fbuild.ledger.gossip import talk
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.ledger_messages import (
    AnnounceHead,
    ConsistencyShown,
    GetConsistency,
    GetHead,
    GetLogResource,
    Head,
    LogResource,
    NoConsistency,
    NoLogResource,
    SwapHeads,
    TuneHeads,
)
from f2fbuild.net.messages import Failure, Request
from f2fbuild.node.identity import load_identity
from f2fbuild.node.parts import Parts
from f2fbuild.trust.policy import Right
from tests.ledger.ledger_helpers import ALICE as STRANGER
from tests.ledger.ledger_helpers import acceptance
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_ring import RING, forget, heard, make_ring, write
from tests.scenes.scene_talk import ask
from tests.scenes.scene_town import Town, _card


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with make_ring(tmp_path_factory.mktemp("ring")) as made:
        yield made


def without(*names: str) -> dict[str, object]:
    """Let a node have never had these friends."""

    def alter(parts: Parts) -> None:
        for name in names:
            parts.database.execute("DELETE FROM friend WHERE alias = ?", (name,))

    return {"alter": alter}


def forks(node: SceneNode) -> list[Finding]:
    return [found for found in node.parts.findings.list() if found.kind == EQUIVOCATION]


async def line(scene: Scene) -> list[SceneNode]:
    """The ring, cut between its ends."""
    nodes = [await scene.start("alice", **without("mallory"))]  # type: ignore[arg-type]
    nodes += [await scene.start(name) for name in ("bob", "carol", "dave")]
    return [*nodes, await scene.start("mallory", **without("alice"))]  # type: ignore[arg-type]


async def test_a_head_travels_three_hops_and_not_a_fourth(scene: Scene) -> None:
    alice, bob, carol, dave, mallory = await line(scene)
    await until(lambda: heard(dave, alice) == 1)
    assert (heard(bob, alice), heard(carol, alice)) == (1, 1)
    write(alice)
    await until(lambda: heard(dave, alice) == 2)
    # What Mallory hears of Bob comes by the same links; of Alice there is nothing in it.
    await until(lambda: heard(mallory, bob) == 1)
    mallory.parts.gossiping._happen(tick(dave))
    await until(lambda: not mallory.parts.gossiping._boxes[dave.id].others)
    assert heard(mallory, alice) == 0
    # Entries are kept of friends, and of nobody else.
    assert {path.name for path in carol.paths.mirrors.iterdir()} == {
        node.parts.identity.origin.rsplit("/", 1)[-1] for node in (bob, dave)
    }
    await forget(scene, alice)


def tick(*friends: SceneNode) -> talk.Tick:
    return talk.Tick(chosen=tuple(friend.id for friend in friends))


def liar(scene: Scene, directory: Path) -> tuple[object, Log]:
    """Let a node tell its friend Mallory another story than everybody else."""
    identity = load_identity(scene.paths_of("alice"))
    other = Log.create(directory / "other", identity.log_key)
    certificate = entry.NodeCertificate(text=identity.certificate.data)
    other.append([entry.write(certificate, identity.statement_key)])
    other.append([entry.write(acceptance(), identity.statement_key)])

    def alter(parts: Parts) -> None:
        row = parts.database.row("SELECT node FROM friend WHERE alias = 'mallory'")
        assert row is not None
        deceived = row["node"]
        table = parts.exchanges._table
        honest_head, honest_resource = table[GetHead][1], table[GetLogResource][1]

        async def head(peer: str, request: GetHead, exchange: Exchange) -> None:
            if peer == deceived and request.origin == other.key.name:
                await exchange.send(Head(checkpoint=other.checkpoint()))
            else:
                await honest_head(peer, request, exchange)

        async def resource(peer: str, request: GetLogResource, exchange: Exchange) -> None:
            if peer == deceived and request.origin == other.key.name:
                data = other.resource(request.path)
                await exchange.send(LogResource(data=data) if data else NoLogResource())
            else:
                await honest_resource(peer, request, exchange)

        table[GetHead] = (Right.LEDGER, head)
        table[GetLogResource] = (Right.LEDGER, resource)
        # It announces nothing itself: its friends tell what they pulled.
        parts.gossiping.grew = lambda: None  # type: ignore[method-assign]

    return alter, other


@pytest.mark.parametrize("longer", [False, True], ids=["one size", "two sizes"])
async def test_a_log_that_tells_two_stories_is_caught_where_they_meet(
    scene: Scene, tmp_path: Path, longer: bool
) -> None:
    alter, other = liar(scene, tmp_path)
    alice = await scene.start("alice", alter=alter)  # type: ignore[arg-type]
    write(alice, deadline=0)
    if longer:
        write(alice, deadline=600)
    bob, carol, dave, mallory = [await scene.start(name) for name in RING[1:]]
    middle = (carol, dave)
    await until(lambda: any(forks(node) for node in middle))
    # Nobody in the middle is a friend of hers; whoever is hears of it and freezes her log.
    for node in (bob, carol, dave, mallory):
        await until(lambda node=node: bool(forks(node)))  # type: ignore[misc]
        (found,) = forks(node)
        assert found.origin == other.key.name
        proved = evidence.check(Path(found.evidence).read_bytes())
        assert isinstance(proved, evidence.EquivocationFinding)
    friend = bob.parts.friendships.find(alice.id)
    assert friend is not None
    await until(lambda: bool(bob.parts.follower.mirror(friend).evidence))
    assert forks(bob)[0].owner == alice.owner
    assert forks(carol)[0].owner == ""
    other.close()
    await forget(scene, alice)


async def test_what_was_heard_is_known_after_a_restart(scene: Scene) -> None:
    alice, bob, carol, _dave, _mallory = await line(scene)
    await until(lambda: heard(carol, alice) == 1)
    for node in (bob, carol):
        await node.stop()
    carol = await scene.start("carol")
    assert heard(carol, alice) == 1
    bob = await scene.start("bob")
    await until(lambda: carol.parts.gossiping.source(alice.parts.identity.origin) in ("", bob.id))
    write(alice)
    await until(lambda: heard(carol, alice) == 2)
    assert carol.parts.gossiping.source(alice.parts.identity.origin) == bob.id
    await forget(scene, alice)


async def test_an_old_program_goes_on_hearing_of_its_friends_logs(scene: Scene) -> None:
    async def unknown(_peer: str, _request: Request, _exchange: Exchange) -> None:
        raise RemoteProtocolError("Invalid value 'SwapHeads'", where="message")

    def make_old(parts: Parts) -> None:
        for kind in (SwapHeads, TuneHeads, GetConsistency):
            parts.exchanges._table[kind] = (None, unknown)
        parts.gossiping._say = _says_nothing  # type: ignore[assignment, method-assign]

    bob = await scene.start("bob", alter=make_old)
    alice = await scene.start("alice")
    carol = await scene.start("carol")
    friend = bob.parts.friendships.find(alice.id)
    assert friend is not None
    await until(lambda: bob.parts.follower.mirror(friend).size == 1)
    await until(lambda: not alice.parts.gossiping._machine._books[bob.id].speaks)
    for size in (2, 3):
        write(alice, deadline=600 * size)
        await until(lambda size=size: bob.parts.follower.mirror(friend).size == size)  # type: ignore[misc]
    assert bob.id in alice.parts.peers.connected()
    assert heard(carol, alice) == 0, "Bob passes nothing on"
    await forget(scene, alice)


async def _says_nothing(_peer: str, _said: object) -> None:
    return


async def test_entries_of_a_friend_who_is_away_come_from_a_friend_of_both(scene: Scene) -> None:
    alice = await scene.start("alice")
    bob = await scene.start("bob")
    friend = bob.parts.friendships.find(alice.id)
    assert friend is not None
    write(alice)
    await until(lambda: bob.parts.follower.mirror(friend).size == 2)
    head = alice.parts.log.checkpoint()
    await forget(scene, alice)
    await befriend(scene, bob, "mallory")
    mallory = await scene.start("mallory")
    await befriend(scene, mallory, "bob")
    await until(lambda: mallory.parts.follower.mirror(friend).size == 2)
    assert mallory.parts.follower.mirror(friend).checkpoint() == head


@pytest.mark.parametrize("tries", [0, limits.OFFER_TRIES])
async def test_who_shows_a_head_and_still_fetches_its_entries_is_asked_again(
    scene: Scene, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Soon, as long as there is hope; and in the rounds of swapping for ever."""
    monkeypatch.setattr(limits, "OFFER_TRIES", tries)
    alice = await scene.start("alice")
    bob = await scene.start("bob")
    friend = bob.parts.friendships.find(alice.id)
    assert friend is not None
    await until(lambda: bob.parts.follower.mirror(friend).size == 1)
    await forget(scene, alice)
    kept, asked = bob.parts.exchanges.kept, 0

    def not_yet(origin: str) -> Log | Mirror | None:
        nonlocal asked
        asked += origin == alice.parts.identity.origin
        return kept(origin) if asked > 3 or origin != alice.parts.identity.origin else None

    bob.parts.exchanges.kept = not_yet  # type: ignore[method-assign]
    await befriend(scene, bob, "mallory")
    mallory = await scene.start("mallory")
    await befriend(scene, mallory, "bob")
    await until(lambda: mallory.parts.follower.mirror(friend).size == 1)
    assert asked > 3


async def befriend(scene: Scene, node: SceneNode, name: str) -> None:
    card = _card(scene.town, name)
    hints = f'["127.0.0.1:{scene.ports[name]}"]'
    await node.parts.friendships.admit(card, frozenset({Right.LEDGER}), name, certify=True)
    node.parts.database.execute("UPDATE friend SET hints = ? WHERE alias = ?", (hints, name))
    node.parts.peers.refresh()


async def test_consistency_is_shown_and_asked_for_along_the_way(scene: Scene) -> None:
    alice, bob, carol, dave, _mallory = await line(scene)
    write(alice)
    write(alice, deadline=600)
    await until(lambda: heard(dave, alice) == 3)
    origin = alice.parts.identity.origin

    async def shown(asker: SceneNode, asked: SceneNode, old: int, new: int, hops: int = 2) -> object:
        return await ask(asker, asked, GetConsistency(origin=origin, old=old, new=new, hops=hops))

    by_author = await shown(bob, alice, 1, 3)
    assert isinstance(by_author, ConsistencyShown)
    assert await shown(carol, bob, 1, 3) == by_author, "Bob has a copy"
    assert await shown(dave, carol, 1, 3) == by_author, "Carol asks Bob"
    assert await shown(dave, carol, 1, 3, hops=0) == NoConsistency()
    assert await shown(carol, dave, 1, 3) == NoConsistency(), "Dave has it from Carol herself"
    for old, new in ((0, 3), (3, 1), (1, 4)):
        assert await shown(dave, carol, old, new) == NoConsistency()
    stranger = GetConsistency(origin=STRANGER.origin, old=1, new=2, hops=2)
    assert await ask(dave, carol, stranger) == NoConsistency()
    assert await ask(dave, carol, GetConsistency(origin="x", old=1, new=2, hops=2)) == NoConsistency()
    await forget(scene, alice)


async def test_who_may_not_hear_of_ledgers_is_told_of_none(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await until(lambda: heard(alice, bob) == 1)
    alice.parts.database.execute("UPDATE friend SET rights = '[\"build\"]' WHERE alias = 'bob'")
    await alice.parts.friendships.refresh()
    assert bob.id not in alice.parts.gossiping._boxes
    rows = alice.parts.database.rows("SELECT peer FROM gossip_friend WHERE peer = ?", (bob.id,))
    assert rows == []
    for request in (
        SwapHeads(have=[], total=bytes(16), whole=True, again=False),
        TuneHeads(graft=[bytes(32)], prune=[]),
        GetConsistency(origin=alice.parts.identity.origin, old=1, new=1, hops=0),
    ):
        assert isinstance(await ask(bob, alice, request), Failure)
    # What he announces of his own is still a hint to look.
    note = bob.parts.log.checkpoint()
    announced = AnnounceHead(checkpoint=note, public=bob.parts.identity.log_key.public, hops=0)
    assert type(await ask(bob, alice, announced)).__name__ == "HeadSeen"
    # Given back, the right works at once.
    alice.parts.database.execute("UPDATE friend SET rights = '[\"ledger\"]' WHERE alias = 'bob'")
    await alice.parts.friendships.refresh()
    assert bob.id in alice.parts.gossiping._boxes


async def test_who_swaps_too_often_is_told_so(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a slow machine his share would grow as fast as he asks.
    monkeypatch.setattr(limits, "HEADS_PER_SECOND", 0)
    alice, bob = await scene.cast("alice", "bob")
    request = SwapHeads(have=[], total=bytes(16), whole=False, again=False)
    answers = [await ask(bob, alice, request) for _ in range(limits.HEADS_AT_ONCE // limits.SWAP_COST + 20)]
    refused = [one for one in answers if isinstance(one, Failure)]
    assert refused
    assert refused[0].code == "too-much"
    assert bob.id in alice.parts.peers.connected()
