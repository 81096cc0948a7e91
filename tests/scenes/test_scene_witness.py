"""Cosigning among friends: who followed a head says so, its author shows it, and nobody learns more."""

from dataclasses import replace
from pathlib import Path

import pytest

from f2fbuild import limits
from f2fbuild.audit.found import EQUIVOCATION
from f2fbuild.ledger import entry, evidence
from f2fbuild.ledger.add_checkpoint import AddCheckpoint
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from f2fbuild.ledger.cosignature import Cosignature, attach, cosign, cosignatures, strip, verify_cosignature
from f2fbuild.ledger.cosigner import CosignerRole
from f2fbuild.ledger.known import Known, name_known
from f2fbuild.ledger.note import parse_note
from f2fbuild.model.tree import EMPTY_ROOT
from f2fbuild.model.vkey import VerifierKey
from f2fbuild.net.messages import AddCosignatures, CosignaturesSeen, Failure, GetHead, Head, Message
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
        replace(head, origin=bob.parts.identity.origin),
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
