"""Cosigning among friends: who followed a head says so, its author shows it, and nobody learns more."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import trio

from f2fbuild import limits
from f2fbuild.api import ledger_replies, requests
from f2fbuild.api.web import open_web, serve_web
from f2fbuild.api.witness import create_witness_app
from f2fbuild.audit.found import EQUIVOCATION
from f2fbuild.errors import ConfigurationError, UsageError
from f2fbuild.ledger import entry, evidence
from f2fbuild.ledger.add_checkpoint import AddCheckpoint, format_request
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from f2fbuild.ledger.cosignature import Cosignature, attach, cosign, cosignatures, strip, verify_cosignature
from f2fbuild.ledger.cosigner import Cosigner, CosignerRole
from f2fbuild.ledger.known import Known, name_known
from f2fbuild.ledger.note import parse_note
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.tree import EMPTY_ROOT
from f2fbuild.model.vkey import VerifierKey, format_vkey
from f2fbuild.net.ledger_messages import AddCosignatures, CosignaturesSeen, GetHead, Head
from f2fbuild.net.messages import Failure
from f2fbuild.net.wire import Message
from f2fbuild.node import clock
from f2fbuild.node.config import WitnessSettings
from f2fbuild.node.identity import load_identity
from f2fbuild.node.outside_door import OutsideDoor
from f2fbuild.node.parts import Parts
from f2fbuild.node.witnessing import Witnessing
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS
from tests.ledger.ledger_helpers import ALICE as STRANGER
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_talk import ask

SALT = bytes(range(16))


def keys_of(node: SceneNode) -> tuple[VerifierKey, VerifierKey]:
    """The witness key and the mirror key."""
    certificate = node.parts.identity.certificate.certificate
    return certificate.witness, certificate.mirror


def held(author: SceneNode) -> set[VerifierKey]:
    """Whose cosignatures an author holds of the head that he has now."""
    return {one.key for one in author.parts.witnessing.collected.of(author.parts.log.head)}


def grow(author: SceneNode) -> None:
    """One more entry, and the news of it."""
    node = author.parts
    some = entry.Order(commit=f"{node.log.size:064x}")
    node.log.append([entry.write(some, node.identity.statement_key)])
    node.neighbours.log_grew()


async def cosigned(author: SceneNode, *witnesses: SceneNode) -> None:
    wanted = {key for witness in witnesses for key in keys_of(witness)}
    await until(lambda: wanted <= held(author))


async def head_of(reader: SceneNode, author: SceneNode, known: Known | None = None) -> bytes:
    request = GetHead(origin=author.parts.identity.origin)
    if known is not None:
        request = GetHead(origin=request.origin, salt=known.salt, known=sorted(known.tags))
    answer = await ask(reader, author, request)
    assert isinstance(answer, Head)
    return answer.checkpoint


def lines(author: SceneNode, note: bytes, *witnesses: SceneNode) -> set[str]:
    """The names of the keys that signed a note, besides the log's own."""
    return {line.name for line in parse_note(note).signatures} - {author.parts.log.key.name}


async def bring(one: SceneNode, other: SceneNode, note: bytes) -> Message:
    return await ask(one, other, AddCosignatures(cosigned=note))


def said_by(node: SceneNode, note: bytes, time: int) -> Cosignature:
    text = parse_note(note).text
    return cosign(text, keys_of(node)[0].name, node.parts.identity.witness_key, time)


def bare(note: bytes, said: Cosignature) -> bytes:
    return strip(attach(note, [said]), [said.key])


async def test_friends_cosign_as_witness_and_as_mirror_and_the_author_shows_it(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    await cosigned(alice, bob, carol)
    now = alice.watch()
    note = await head_of(bob, alice, name_known([*keys_of(bob), *keys_of(carol)], SALT))
    assert open_checkpoint(note, alice.parts.log.key) == alice.parts.log.head
    for witness in (bob, carol):
        for key in keys_of(witness):
            assert now - 600 < verify_cosignature(note, key) <= now
    # And the other way round.
    await cosigned(bob, alice)


async def test_a_new_head_is_cosigned_anew_and_the_old_lines_are_gone(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await cosigned(alice, bob)
    before = await head_of(bob, alice, name_known(keys_of(bob), SALT))
    grow(alice)
    await cosigned(alice, bob)
    after = await head_of(bob, alice, name_known(keys_of(bob), SALT))
    sizes = [open_checkpoint(note, alice.parts.log.key).size for note in (before, after)]
    assert sizes[1] > sizes[0]
    assert len(cosignatures(after, keys_of(bob))) == len(cosignatures(before, keys_of(bob))) == 2
    (kept,) = bob.parts.witnessing.witness.all()
    assert kept.witnessed.head == alice.parts.log.head


async def test_lines_of_those_whom_the_reader_has_not_named_are_not_shown(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    await cosigned(alice, bob, carol)
    assert lines(alice, await head_of(bob, alice)) == set()
    named = await head_of(bob, alice, name_known([keys_of(bob)[0]], SALT))
    assert lines(alice, named) == {keys_of(bob)[0].name}
    # A tag under another salt names nobody.
    other = Known(salt=bytes(16), tags=name_known(keys_of(carol), SALT).tags)
    assert lines(alice, await head_of(bob, alice, other)) == set()
    # Bob and Carol are not friends: what Bob keeps and hands on of Alice's log says nothing of Carol.
    friend = bob.parts.friendships.resolve("alice")
    await bob.parts.follower.follow(friend)
    mirror = bob.parts.follower.mirror(friend)
    assert lines(alice, mirror.checkpoint()) == set()
    assert {one.key for one in bob.parts.witnessing.collected.of(mirror.head)} == set(keys_of(bob))


async def test_a_reader_gets_the_lines_of_his_own_friends(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    await cosigned(bob, alice)
    await cosigned(carol, alice)
    grow(alice)
    await cosigned(alice, bob, carol)
    dave = await scene.start("dave")
    await cosigned(alice, dave)
    friend = bob.parts.friendships.resolve("alice")
    await bob.parts.follower.follow(friend)
    known = set(bob.parts.witnessing.cosigners.all())
    got = {one.key for one in bob.parts.witnessing.collected.of(alice.parts.log.head)}
    assert got == known & held(alice)
    assert set(keys_of(bob)) <= got


async def test_who_was_not_given_the_right_is_not_cosigned(scene: Scene) -> None:
    alice, bob = await scene.start("alice"), await scene.start("bob")
    bob.parts.database.execute("UPDATE friend SET rights = '[\"ledger\"]' WHERE alias = 'alice'")
    await bob.parts.friendships.refresh()
    bob.parts.database.execute("DELETE FROM witnessed")
    grow(alice)
    await until(
        lambda: bob.parts.follower.mirror(bob.parts.friendships.resolve("alice")).size == alice.parts.log.size
    )
    await bob.parts.witnessing.cosigning.cosign(bob.parts.friendships.resolve("alice"))
    assert bob.parts.witnessing.witness.all() == []
    assert held(alice) & set(keys_of(bob)) == set()


async def test_what_could_not_be_brought_is_brought_when_the_author_is_back(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await cosigned(alice, bob)
    alice.parts.database.execute("DELETE FROM cosignature")
    await bob.stop()
    assert held(alice) == set()
    again = await scene.start("bob")
    before = again.parts.witnessing.witness.all()
    await cosigned(alice, again)
    # It is the old cosignature: nothing was signed for it.
    assert again.parts.witnessing.witness.all() == before


async def test_an_unchanged_head_is_cosigned_anew_after_a_while(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await cosigned(alice, bob)
    friend = bob.parts.friendships.resolve("alice")
    first = bob.parts.witnessing.witness.last(alice.parts.identity.origin)
    await bob.parts.witnessing.cosigning.cosign(friend)
    assert bob.parts.witnessing.witness.last(alice.parts.identity.origin) == first
    for node in (alice, bob):
        node.watch.ahead = limits.COSIGN_AGAIN_SECONDS
    await bob.parts.witnessing.cosigning.cosign(friend)
    again = bob.parts.witnessing.witness.last(alice.parts.identity.origin)
    assert first is not None
    assert again is not None
    assert again.time >= first.time + limits.COSIGN_AGAIN_SECONDS
    times = [one.time for one in alice.parts.witnessing.collected.of(alice.parts.log.head)]
    assert again.time in times


async def test_a_clock_that_went_back_cosigns_nothing_and_says_so(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await cosigned(alice, bob)
    bob.watch.ahead = limits.COSIGNATURE_AHEAD_SECONDS - 100
    grow(alice)
    await cosigned(alice, bob)
    before = bob.parts.witnessing.witness.all()
    bob.watch.ahead = 0
    grow(alice)
    await until(lambda: any("clock-behind" in words for words in bob.told))
    assert bob.parts.witnessing.witness.all() == before


async def test_a_head_that_a_log_hid_from_its_followers_is_evidence(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await cosigned(alice, bob)
    # Somebody brought to Bob's witness, and not to his copy, a head of another history.
    hidden = Checkpoint(origin=alice.parts.identity.origin, size=alice.parts.log.size + 1, root=b"\x05" * 32)
    note = sign_checkpoint(hidden, alice.parts.identity.log_key)
    bob.parts.database.execute("DELETE FROM witnessed")
    for cosigner in (bob.parts.witnessing.witness, bob.parts.witnessing.keeper):
        assert isinstance(
            cosigner.add(AddCheckpoint(old=0, proof=(), note=note), [alice.parts.log.key]), Cosignature
        )
    for _ in range(2):
        grow(alice)
    await until(lambda: any(one.kind == EQUIVOCATION for one in bob.parts.findings.list()))
    (found,) = {one.evidence for one in bob.parts.findings.list()}
    proved = evidence.check(Path(found).read_bytes())
    assert isinstance(proved, evidence.EquivocationFinding)
    assert proved.origin == alice.parts.identity.origin
    assert bob.parts.follower.mirror(bob.parts.friendships.resolve("alice")).evidence


async def test_only_cosignatures_of_heads_that_were_signed_here_are_taken(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await cosigned(alice, bob)
    head, key = alice.parts.log.head, alice.parts.identity.log_key
    now = alice.watch()
    for false in (
        replace(head, root=b"\x01" * 32),
        replace(head, size=head.size + 1),
        replace(head, size=0, root=EMPTY_ROOT),
    ):
        note = sign_checkpoint(false, key)
        answer = await bring(bob, alice, bare(note, said_by(bob, note, now)))
        assert isinstance(answer, Failure)
        assert answer.code == "not-our-head"


async def test_cosignatures_of_an_earlier_head_are_taken_but_not_shown(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await cosigned(alice, bob)
    old = alice.parts.log.checkpoint()
    grow(alice)
    await cosigned(alice, bob)
    shown = held(alice)
    assert isinstance(await bring(bob, alice, bare(old, said_by(bob, old, alice.watch()))), CosignaturesSeen)
    assert held(alice) == shown


@pytest.mark.parametrize("case", ["no note", "bad signature", "unknown", "future"])
async def test_a_bad_line_is_refused_with_the_reason(scene: Scene, case: str) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await cosigned(alice, bob)
    before = alice.parts.witnessing.collected.all(alice.parts.identity.origin)
    note, now = alice.parts.log.checkpoint(), alice.watch()
    said = said_by(bob, note, now)
    stranger = cosign(parse_note(note).text, "example.org/w", bob.parts.identity.statement_key, now)
    sent, code = {
        "no note": (b"something", "malformed"),
        "bad signature": (bare(note, replace(said, time=now + 1)), "malformed"),
        "unknown": (bare(note, stranger), "unknown-cosigner"),
        "future": (bare(note, said_by(bob, note, now + 3600)), "clock-ahead"),
    }[case]
    answer = await bring(bob, alice, sent)
    assert isinstance(answer, Failure)
    assert answer.code == code
    assert alice.parts.witnessing.collected.all(alice.parts.identity.origin) == before


async def test_a_flood_of_cosignatures_is_stopped_per_friend(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "COSIGNATURES_PER_MINUTE", 5)
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    await cosigned(alice, bob, carol)
    note = alice.parts.log.checkpoint()
    answers = [await bring(bob, alice, bare(note, said_by(bob, note, alice.watch()))) for _ in range(8)]
    codes = [answer.code for answer in answers if isinstance(answer, Failure)]
    assert codes
    assert set(codes) == {"too-many"}
    assert isinstance(
        await bring(carol, alice, bare(note, said_by(carol, note, alice.watch()))), CosignaturesSeen
    )
    for node in (alice, bob):
        node.watch.ahead += limits.COSIGNATURES_WINDOW_SECONDS
    assert isinstance(await bring(bob, alice, bare(note, said_by(bob, note, bob.watch()))), CosignaturesSeen)


async def test_every_known_key_has_a_name_and_a_role(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    known = alice.parts.witnessing.cosigners.all()
    for key, role in zip(keys_of(bob), CosignerRole, strict=True):
        assert (known[key].name.split("@")[0], known[key].role, known[key].node) == ("bob", role, bob.id)
    for key in keys_of(alice):
        assert known[key].name == "this node"
    # A friend whose certificate no longer stands is no witness any more.
    alice.parts.database.execute("UPDATE friend SET state = 'paused' WHERE alias = 'bob'")
    await alice.parts.friendships.refresh()
    assert not set(keys_of(bob)) & set(alice.parts.witnessing.cosigners.all())


async def test_cosignatures_are_gathered_through_a_job_and_kept_over_a_restart(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    job = await alice.order("a ball")
    assert (await alice.finish(job)).exit_code == 0
    await cosigned(alice, bob, carol)
    await cosigned(bob, alice)
    kept = bob.parts.witnessing.collected.all(bob.parts.identity.origin)
    await bob.stop()
    again = await scene.start("bob")
    assert {
        one.cosignature.key for one in again.parts.witnessing.collected.all(again.parts.identity.origin)
    } >= {one.cosignature.key for one in kept}


async def test_a_witness_that_is_no_friend_is_asked_and_shown(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WITNESS_PAUSE_SECONDS", 0.05)
    identity = load_identity(scene.paths_of("alice"))
    key = SigningKey.from_seed(b"\x09" * 32)
    with Database.open(tmp_path / "outside" / "w.sqlite", MIGRATIONS) as database:
        witness = Cosigner(database, CosignerRole.WITNESS, key, clock.now)
        keys = {identity.origin: (identity.certificate.certificate.log,)}
        door = OutsideDoor(witness, lambda _: None, keys, lambda *_: None)
        listeners = await open_web(["127.0.0.1:0"], where="test")
        port = listeners[0].socket.getsockname()[1]
        outside = WitnessSettings(name="w", vkey=format_vkey(witness.vkey), url=f"http://127.0.0.1:{port}")

        def alter(parts: Parts) -> None:
            ledger = msgspec.structs.replace(parts.settings.ledger, witness=(outside,))
            parts.settings = msgspec.structs.replace(parts.settings, ledger=ledger)

        async with trio.open_nursery() as nursery:
            await nursery.start(serve_web, create_witness_app(door.answer, clock.now), listeners)
            alice, bob = await scene.start("alice", alter=alter), await scene.start("bob")
            await until(lambda: witness.vkey in held(alice))
            grow(alice)
            await until(lambda: witness.vkey in held(alice))
            note = await head_of(bob, alice, name_known([witness.vkey], SALT))
            assert lines(alice, note) == {witness.vkey.name}
            assert alice.parts.witnessing.cosigners.all()[witness.vkey].name == "w"
            await alice.stop()
            nursery.cancel_scope.cancel()


async def test_outsiders_may_bring_heads_of_friends_with_the_right_and_of_nobody_else(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await cosigned(alice, bob)
    await cosigned(bob, alice)
    door = bob.parts.witnessing.door
    size, note = alice.parts.log.size, alice.parts.log.checkpoint()

    def asked(note: bytes) -> int:
        return door.answer(format_request(AddCheckpoint(old=size, proof=(), note=note))).status

    assert asked(note) == 200
    assert asked(bob.parts.log.checkpoint()) == 404
    assert asked(STRANGER.head([b"one"])) == 404
    bob.parts.database.execute("UPDATE friend SET rights = '[\"ledger\"]' WHERE alias = 'alice'")
    await bob.parts.friendships.refresh()
    assert asked(note) == 404
    bob.parts.database.execute("UPDATE friend SET rights = '[\"witness\"]' WHERE alias = 'alice'")
    await bob.parts.friendships.refresh()
    other = Checkpoint(origin=alice.parts.identity.origin, size=size, root=b"\x05" * 32)
    assert asked(sign_checkpoint(other, alice.parts.identity.log_key)) == 409
    (found,) = bob.parts.findings.list()
    assert (found.kind, found.node) == (EQUIVOCATION, alice.id)
    # A log that has forked is known to nobody here any more.
    assert asked(note) == 404


async def test_the_key_of_a_log_is_no_witness(scene: Scene) -> None:
    alice = await scene.start("alice")
    vkey = format_vkey(alice.parts.log.key)
    outside = WitnessSettings(name="w", vkey=vkey, url="http://127.0.0.1:1")
    ledger = msgspec.structs.replace(alice.parts.settings.ledger, witness=(outside,))
    alice.parts.settings = msgspec.structs.replace(alice.parts.settings, ledger=ledger)
    fresh = Witnessing(alice.parts, alice.watch, alice.told.append)
    with pytest.raises(ConfigurationError, match="not the key of a cosigner"):
        fresh.outside.grew()


async def test_the_owner_sees_who_cosigned_and_what_was_cosigned(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await cosigned(alice, bob)
    await cosigned(bob, alice)
    seen = await alice.api(requests.GetWitnessing())
    assert isinstance(seen, ledger_replies.Witnessing)
    log = alice.parts.log
    assert open_checkpoint(seen.note.encode(), log.key) == log.head
    assert lines(alice, seen.note.encode()) == {key.name for key in keys_of(bob)}
    assert seen.keys == tuple(format_vkey(key) for key in keys_of(alice))
    assert {(one.name.split("@")[0], one.role, one.size) for one in seen.cosigned} == {
        ("bob", "witness", log.size),
        ("bob", "mirror", log.size),
    }
    assert {(one.name.split("@")[0], one.role, one.size) for one in seen.given} == {
        ("bob", "witness", bob.parts.log.size),
        ("bob", "mirror", bob.parts.log.size),
    }
    assert seen.problems == ()
    # A friend's log: here this node itself is one of the cosigners.
    friend = await alice.api(requests.GetWitnessing(origin=bob.parts.identity.origin))
    assert isinstance(friend, ledger_replies.Witnessing)
    assert {one.name for one in friend.cosigned} == {"this node"}
    with pytest.raises(UsageError):
        await alice.api(requests.GetWitnessing(origin=STRANGER.origin))


async def test_a_log_of_which_nothing_came_has_no_head(scene: Scene) -> None:
    alice = await scene.start("alice")
    assert scene.paths_of("dave")
    friend = next(one for one, _, _ in alice.parts.friendships.all() if one.alias == "dave")
    seen = await alice.api(requests.GetWitnessing(origin=friend.vkey.partition("+")[0]))
    assert isinstance(seen, ledger_replies.Witnessing)
    assert (seen.note, seen.cosigned) == ("", ())


async def test_a_copy_is_handed_on_with_the_lines_that_the_reader_knows(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    await cosigned(bob, alice)
    # Carol does not know Bob; she knows Alice, who cosigned his log and keeps a copy of it.
    origin = bob.parts.identity.origin
    await bob.stop()
    bare_one = await ask(carol, alice, GetHead(origin=origin))
    known = name_known(keys_of(alice), SALT)
    named = await ask(carol, alice, GetHead(origin=origin, salt=known.salt, known=sorted(known.tags)))
    assert isinstance(bare_one, Head)
    assert isinstance(named, Head)
    assert lines(bob, bare_one.checkpoint) == set()
    assert lines(bob, named.checkpoint) == {key.name for key in keys_of(alice)}


async def test_a_bad_line_under_a_friends_head_accuses_nobody_and_is_not_kept(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    await cosigned(alice, bob, carol)
    friend = bob.parts.friendships.resolve("alice")
    origin, note = alice.parts.identity.origin, alice.parts.log.checkpoint()
    before = bob.parts.witnessing.collected.all(origin)
    for said in (
        replace(said_by(alice, note, bob.watch()), signature=bytes(64)),
        said_by(alice, note, bob.watch() + 10_000),
        said_by(carol, note, bob.watch()),
    ):
        bob.parts.witnessing.followed(friend, attach(note, [said]))
    assert bob.parts.witnessing.collected.all(origin) == before
    assert bob.parts.findings.list() == []


async def test_a_witness_that_cannot_store_signs_nothing_and_tells_its_owner(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await cosigned(alice, bob)
    before = bob.parts.witnessing.witness.all()
    bob.parts.database.execute(
        "CREATE TRIGGER full BEFORE UPDATE ON witnessed BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    )
    grow(alice)
    await until(lambda: any("cosigning the log of alice" in words for words in bob.told))
    assert bob.parts.witnessing.witness.all() == before
    # The others' logs, and this one when there is room again, are cosigned as before.
    bob.parts.database.execute("DROP TRIGGER full")
    grow(alice)
    await cosigned(alice, bob)
