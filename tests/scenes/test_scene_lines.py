"""How cosignatures find their way: of three friends two meet through the third alone.

bob - alice - carol, and Bob and Carol are friends without a link.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from f2fbuild import limits
from f2fbuild.api import ledger_replies, requests
from f2fbuild.errors import NobodyError, UsageError
from f2fbuild.ledger import evidence
from f2fbuild.ledger.checkpoint import format_checkpoint, open_checkpoint
from f2fbuild.ledger.cosignature import Cosignature, attach, cosign, cosignatures, over
from f2fbuild.ledger.known import name_known
from f2fbuild.ledger.note import parse_note
from f2fbuild.model.vkey import VerifierKey
from f2fbuild.net.ledger_messages import (
    AddCosignatures,
    CosignaturesSeen,
    GetHead,
    GetLogResource,
    LogResource,
)
from f2fbuild.net.messages import Failure
from f2fbuild.node.parts import Parts
from f2fbuild.node.shelves import shelf_of
from f2fbuild.trust.policy import Right
from tests import evidence_checker, policy_checker
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_talk import ask
from tests.scenes.scene_town import NAMES, Town, _card, _found, _friendships
from tests.scenes.test_scene_witness import SALT, cosigned, grow, held, keys_of
from tests.trust.trust_people import person

TRIANGLE = ("alice", "bob", "carol")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    directory = tmp_path_factory.mktemp("triangle")
    with ExitStack() as stack:
        people = {name: stack.enter_context(person(name.capitalize())) for name in NAMES}
        town = Town(people=people, directory=directory)
        for name in TRIANGLE:
            _found(town, name)
        trio.run(_befriend, town)
        yield town


async def _befriend(town: Town) -> None:
    rights = frozenset({Right.LEDGER, Right.WITNESS})
    with ExitStack() as stack:
        known = {name: _friendships(town, name, stack) for name in TRIANGLE}
        for name in TRIANGLE:
            for friend in set(TRIANGLE) - {name}:
                await known[name].admit(_card(town, friend), rights, friend, certify=True)


def unreachable(*names: str) -> dict[str, object]:
    """Let a node not know where these friends are."""

    def alter(parts: Parts) -> None:
        for name in names:
            parts.database.execute("UPDATE friend SET hints = '[]' WHERE alias = ?", (name,))

    return {"alter": alter}


async def apart(scene: Scene) -> list[SceneNode]:
    """All three, Bob and Carol without a link."""
    alice = await scene.start("alice")
    bob = await scene.start("bob", **unreachable("carol"))  # type: ignore[arg-type]
    carol = await scene.start("carol", **unreachable("bob"))  # type: ignore[arg-type]
    for friend in (bob, carol):
        await alice.parts.peers.wait_connected(friend.id)
    return [alice, bob, carol]


def copied(reader: SceneNode, author: SceneNode) -> int:
    """How many entries of an author's log somebody has."""
    friend = reader.parts.friendships.author(author.parts.identity.origin)
    return reader.parts.follower.mirror(friend).size if friend else 0


def line_of(node: SceneNode, author: SceneNode, text: str = "") -> bytes:
    """What a node would bring of a head: its own line alone."""
    text = text or format_checkpoint(author.parts.log.head)
    key = keys_of(node)[0]
    return over(text, [cosign(text, key.name, node.parts.identity.witness_key, node.watch())])


def names(note: bytes) -> set[str]:
    return {line.name for line in parse_note(note).signatures}


async def test_a_line_comes_back_through_the_friend_who_brought_the_head(scene: Scene) -> None:
    alice, bob, carol = await apart(scene)
    grow(bob)
    await until(lambda: copied(carol, bob) == bob.parts.log.size)
    assert carol.id not in bob.parts.peers.connected()
    await cosigned(bob, alice, carol)
    # Nothing waits any more, and nothing is given twice.
    await until(lambda: not alice.parts.witnessing.returning._waiting)
    noted = carol.parts.witnessing.cosigning._given
    await until(lambda: bob.parts.identity.origin in noted)
    given = noted[bob.parts.identity.origin]
    assert given[0] == alice.id
    assert {one.key for one in given[1]} == set(keys_of(carol))


async def test_a_line_waits_until_its_author_is_back_and_has_named_the_key(scene: Scene) -> None:
    alice, bob, carol = await apart(scene)
    await cosigned(bob, alice, carol)
    await until(lambda: not alice.parts.witnessing.returning._waiting)
    bob.parts.database.execute("DELETE FROM cosignature")
    note = line_of(carol, bob)
    await bob.stop()
    await until(lambda: bob.id not in alice.parts.peers.connected())
    assert isinstance(await ask(carol, alice, AddCosignatures(cosigned=note)), CosignaturesSeen)
    returning = alice.parts.witnessing.returning
    (waiting,) = returning._waiting.values()
    assert keys_of(carol)[0] in waiting
    again = await scene.start("bob", **unreachable("carol"))  # type: ignore[arg-type]
    await until(lambda: keys_of(carol)[0] in held(again))
    # It waits no more once he has answered.
    await until(lambda: not returning._waiting)


async def test_what_the_author_has_not_named_is_kept_back(scene: Scene) -> None:
    alice, bob, carol = await apart(scene)
    await cosigned(bob, alice, carol)
    returning = alice.parts.witnessing.returning
    await name(bob, alice)
    bob.parts.database.execute("DELETE FROM cosignature")
    await ask(carol, alice, AddCosignatures(cosigned=line_of(carol, bob)))
    for _ in range(3):
        returning.wake()
        await trio.testing.wait_all_tasks_blocked()
    assert keys_of(carol)[0] not in held(bob)
    await name(bob, alice, *keys_of(carol))
    await until(lambda: keys_of(carol)[0] in held(bob))


@pytest.mark.parametrize(
    "case", ["a stranger's log", "no such head", "somebody else's line", "nobody's line"]
)
async def test_what_leads_nowhere_is_answered_like_what_does(scene: Scene, case: str) -> None:
    alice, bob, carol = await apart(scene)
    await cosigned(bob, alice, carol)
    await until(lambda: not alice.parts.witnessing.returning._waiting)
    text = format_checkpoint(bob.parts.log.head)
    note = {
        "a stranger's log": line_of(carol, bob, text.replace("/log/", "/log/0")),
        "no such head": line_of(carol, bob, text.replace("\n", "\n9", 1)),
        "somebody else's line": line_of(bob, bob),
        "nobody's line": over(text, [cosign(text, "example.org/w", bob.parts.identity.witness_key, 1)]),
    }[case]
    assert isinstance(await ask(carol, alice, AddCosignatures(cosigned=note)), CosignaturesSeen)
    assert not alice.parts.witnessing.returning._waiting
    for one in alice.parts.witnessing.collected.all(bob.parts.identity.origin):
        assert one.cosignature.key in (*keys_of(alice), *keys_of(carol))
        assert one.head.size <= bob.parts.log.size


async def test_lines_for_others_count_against_who_brings_them(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, carol = await apart(scene)
    await cosigned(bob, alice, carol)
    monkeypatch.setattr(limits, "COSIGNATURES_PER_MINUTE", 1)
    answers = [await ask(carol, alice, AddCosignatures(cosigned=line_of(carol, bob))) for _ in range(2)]
    assert isinstance(answers[-1], Failure)
    assert answers[-1].code == "too-many"


async def checkpoint(reader: SceneNode, shower: SceneNode, author: SceneNode) -> bytes:
    """The static resource, as it comes over a session."""
    request = GetLogResource(origin=author.parts.identity.origin, path="checkpoint")
    answer = await ask(reader, shower, request)
    assert isinstance(answer, LogResource)
    return answer.data


async def name(reader: SceneNode, shower: SceneNode, *keys: VerifierKey) -> None:
    """Let a reader name these keys and no others from now on, whenever he asks for a head."""
    reader.parts.witnessing.gathering.known = lambda: name_known(keys, SALT)  # type: ignore[method-assign]
    known = name_known(keys, SALT)
    origin = shower.parts.identity.origin
    await ask(reader, shower, GetHead(origin=origin, salt=known.salt, known=sorted(known.tags)))


async def test_the_resource_checkpoint_has_the_lines_that_the_reader_has_named(scene: Scene) -> None:
    alice, bob, carol = await apart(scene)
    await cosigned(alice, bob, carol)
    await cosigned(bob, alice, carol)
    own, his = alice.parts.identity.origin, bob.parts.identity.origin
    await name(bob, alice)
    assert names(await checkpoint(bob, alice, alice)) == {own}
    await name(bob, alice, keys_of(carol)[0])
    note = await checkpoint(bob, alice, alice)
    assert names(note) == {own, keys_of(carol)[0].name}
    assert open_checkpoint(note, alice.parts.log.key) == alice.parts.log.head
    # Of a copy too; and what one reader has named opens nothing for another.
    await name(carol, alice)
    assert names(await checkpoint(carol, alice, bob)) == {his}
    await name(carol, alice, *keys_of(alice))
    note = await checkpoint(carol, alice, bob)
    assert names(note) == {his, *(key.name for key in keys_of(alice))}


async def test_a_served_log_shows_its_head_with_all_lines(scene: Scene) -> None:
    alice, bob, carol = await apart(scene)
    await cosigned(alice, bob, carol)
    alice.parts.log.publish()
    shelf = shelf_of(alice.parts)
    served = shelf.find("checkpoint")
    assert served is not None
    assert {one.key for one in cosignatures(served.data, [*keys_of(bob), *keys_of(carol)])} == {
        *keys_of(bob),
        *keys_of(carol),
    }
    assert open_checkpoint(served.data, alice.parts.log.key) == alice.parts.log.head
    # A new head is shown as it is signed until it is cosigned.
    grow(alice)
    alice.parts.log.publish()
    newer = shelf.find("checkpoint")
    assert newer is not None
    assert open_checkpoint(newer.data, alice.parts.log.key) == alice.parts.log.head
    await cosigned(alice, bob, carol)
    again = shelf.find("checkpoint")
    assert again is not None
    assert len(names(again.data)) == 5


async def test_a_served_head_is_accepted_by_the_policy_that_is_exported(scene: Scene) -> None:
    alice, bob, carol = await apart(scene)
    await cosigned(alice, bob, carol)
    alice.parts.log.publish()
    exported = await alice.api(requests.GetTlogPolicy())
    assert isinstance(exported, ledger_replies.TlogPolicy)
    policy = policy_checker.parse(exported.text.encode())
    served = shelf_of(alice.parts).find("checkpoint")
    assert served is not None
    assert policy.check(served.data) == {f"{one.owner}/{one.name}-box".encode() for one in (bob, carol)}
    # Neither the log alone nor one friend with his two keys is enough.
    bare = alice.parts.log.checkpoint()
    for note in (bare, attach(bare, cosignatures(served.data, keys_of(bob)))):
        with pytest.raises(policy_checker.Wrong, match="too few"):
            policy.check(note)


async def test_nobody_is_shown_who_cosigned_a_copy(scene: Scene, tmp_path: Path) -> None:
    alice, bob, carol = await apart(scene)
    await cosigned(bob, alice, carol)
    await until(lambda: copied(alice, bob) == bob.parts.log.size)
    friend = alice.parts.friendships.resolve("bob")
    assert not (alice.parts.follower.directory(friend) / "cosigned").exists()
    assert (bob.parts.log.directory / "cosigned").exists()


async def date(node: SceneNode, index: int, *, before: int = 0, author: SceneNode | None = None) -> bytes:
    """Evidence of an entry's age, as the command gets it."""
    origin = author.parts.identity.origin if author else ""
    found = await node.api(requests.DateEntry(index=index, before=before, origin=origin))
    assert isinstance(found, ledger_replies.Dated)
    return found.evidence.encode()


async def test_an_entry_is_dated_by_those_who_saw_it(scene: Scene) -> None:
    alice, bob, carol = await apart(scene)
    begun = alice.watch()
    await cosigned(alice, bob, carol)
    proved = evidence.check(await date(alice, 0), vouch=bob.parts.friendships.vouches)
    assert isinstance(proved, evidence.DatedFinding)
    assert begun - 600 < proved.before <= alice.watch() + 1
    assert {one.node.owner for one in proved.cosigners} == {bob.owner, carol.owner}
    assert proved.origin == alice.parts.identity.origin
    assert evidence_checker.check(await date(alice, 0)).kind == "dated-before"
    # A day and some entries later it is dated as before, and what is new only by what was seen since.
    index = alice.parts.log.size
    for node in (alice, bob, carol):
        node.watch.ahead = limits.SIGHTING_SECONDS
    grow(alice)
    await cosigned(alice, bob, carol)
    assert evidence.check(await date(alice, 0)) == proved
    later = evidence.check(await date(alice, index))
    assert isinstance(later, evidence.DatedFinding)
    assert later.before > proved.before + limits.SIGHTING_SECONDS // 2
    with pytest.raises(NobodyError, match="not before"):
        await date(alice, index, before=proved.before)
    with pytest.raises(UsageError, match="no such entry"):
        await date(alice, alice.parts.log.size)


async def test_a_friends_entry_is_dated_too_and_ones_own_word_counts(scene: Scene) -> None:
    alice, bob, carol = await apart(scene)
    await cosigned(alice, bob, carol)
    friend = bob.parts.friendships.resolve("alice")
    await until(lambda: {keys_of(bob)[0]} <= {one.key for one in said_of(bob, alice)})
    # Carol's line comes with the next answer to Bob, who knows her.
    await bob.parts.follower.follow(friend)
    proved = evidence.check(await date(bob, 0, author=alice), vouch=carol.parts.friendships.vouches)
    assert isinstance(proved, evidence.DatedFinding)
    assert {one.node.owner for one in proved.cosigners} == {bob.owner, carol.owner}


def said_of(node: SceneNode, author: SceneNode) -> list[Cosignature]:
    return node.parts.witnessing.collected.of(author.parts.log.head)


async def test_one_friend_alone_dates_nothing(scene: Scene) -> None:
    alice, bob = await scene.start("alice"), await scene.start("bob")
    await cosigned(alice, bob)
    with pytest.raises(NobodyError, match="two independent owners besides its own"):
        await date(alice, 0)
