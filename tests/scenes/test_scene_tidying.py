"""What real nodes forget, and what they keep: logs of former friends, old products, interrupted transfers."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from f2fbuild import limits
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.proof import format_proof, parse_proof, verify_proof
from f2fbuild.net.ledger_messages import GetLogResource, NoLogResource
from f2fbuild.net.messages import NoBlob, WantBlob
from f2fbuild.node.copies import logs_in
from f2fbuild.store.database import Row
from tests.scenes.scene_node import PATIENCE, Scene, SceneNode, until
from tests.scenes.scene_talk import ask

MONTH = limits.ARTIFACT_DAYS * 86_400


def lengthen(node: SceneNode, number: int, start: int = 0) -> None:
    """Let a log have many entries: orders that nobody knows of."""
    key = node.parts.identity.statement_key
    node.parts.log.append(
        [entries.write(entries.Order(commit=f"{n:064x}"), key) for n in range(start, start + number)]
    )
    node.parts.neighbours.log_grew()


async def test_the_entries_of_a_former_friend_go_and_the_proofs_stay(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    lengthen(bob, 800)
    friend = alice.parts.friendships.find(bob.id)
    assert friend is not None
    await until(lambda: alice.parts.follower.mirror(friend).size == bob.parts.log.size)
    mirror = alice.parts.follower.mirror(friend)
    proof, head = format_proof(mirror.inclusion(500)), mirror.head
    (entry,) = mirror.entries(500, 501)
    alice.watch.ahead = 100 * 86_400
    await alice.parts.tidying.round()
    assert mirror.pruned == 0, "a friend's log is kept whole"
    await alice.parts.friendships.remove(friend)
    await alice.parts.tidying.round()
    assert mirror.pruned == 3
    assert mirror.resource("tile/entries/001") is None
    for made in (proof, format_proof(mirror.inclusion(500))):
        assert verify_proof(parse_proof(made), entry, mirror.key) == head
    assert logs_in(alice.paths.mirrors) == [friend.vkey]


async def test_a_bundle_that_was_pruned_is_absent_for_friends(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    lengthen(bob, 800)
    friend = alice.parts.friendships.find(bob.id)
    assert friend is not None
    await until(lambda: alice.parts.follower.mirror(friend).size == bob.parts.log.size)
    origin, reviewed = bob.parts.identity.origin, alice.parts.follower._reviewed
    await until(lambda: origin in reviewed and reviewed[origin].size == bob.parts.log.size)
    request = GetLogResource(origin=origin, path="tile/entries/001")
    with trio.fail_after(PATIENCE):
        alice.parts.follower.mirror(friend).prune()
        while not isinstance(await ask(bob, alice, request), NoLogResource):
            # A head that was still on its way has made it whole again.
            alice.parts.follower.mirror(friend).prune()
    # Followed again, it is whole again.
    lengthen(bob, 1, start=800)
    await until(lambda: alice.parts.follower.mirror(friend).pruned == 0)
    assert len(alice.parts.follower.mirror(friend).entries(256, 512)) == 256


async def test_products_go_after_a_month_and_the_submitter_keeps_its_own(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    job = await alice.order(builders=1, agree=1)
    view = await alice.finish(job)
    product = view.assignments[0].products[0].sha256
    bob.watch.ahead = alice.watch.ahead = MONTH - 100
    await bob.parts.tidying.round()
    assert bob.parts.blobs.has(product)
    bob.watch.ahead = alice.watch.ahead = MONTH + 100
    await bob.parts.tidying.round()
    await alice.parts.tidying.round()
    assert not bob.parts.blobs.has(product)
    assert alice.parts.blobs.has(product)
    assert isinstance(await ask(alice, bob, WantBlob(digest=product, first_chunk=0)), NoBlob)
    assert alice.view(job).verdict == view.verdict


async def test_an_interrupted_transfer_goes_after_a_week(scene: Scene) -> None:
    alice = await scene.start("alice")
    blobs = alice.parts.blobs
    for letter, days in (("0a", 8), ("0b", 6)):
        with blobs.partial(letter * 32, root=bytes(32), size=10) as partial:
            when = alice.watch() - days * 86_400
            os.utime(partial.path, (when, when))
    await alice.parts.tidying.round()
    left = [
        path.name[:2] for path in Path(alice.paths.blobs / "partial").iterdir() if path.suffix != ".leaves"
    ]
    assert left == ["0b"]


async def test_rows_are_read_by_no_thread(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread could meet the transaction of another task, which is refused."""
    alice, bob = await scene.cast("alice", "bob")
    friend = alice.parts.friendships.find(bob.id)
    assert friend is not None
    await until(lambda: alice.parts.follower.mirror(friend).size == 1)
    rows, asked = alice.parts.database.rows, []

    def note(sql: str, bindings: Sequence[str | int | bytes | None] = ()) -> list[Row]:
        asked.append(trio.lowlevel.in_trio_task())
        return rows(sql, bindings)

    monkeypatch.setattr(alice.parts.database, "rows", note)
    await alice.parts.tidying.round()
    assert asked
    assert all(asked)


async def test_a_disk_that_refuses_is_told_and_the_node_lives_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await scene.start("alice")
    monkeypatch.setattr(limits, "TIDY_SECONDS", 0.01)
    failing = 2

    async def refuse() -> int:
        nonlocal failing
        await trio.lowlevel.checkpoint()
        if failing:
            failing -= 1
            raise OSError(5, "Input/output error")
        return 0

    monkeypatch.setattr(alice.parts.tidying._forgetting, "round", refuse)
    async with trio.open_nursery() as tidy:
        tidy.start_soon(alice.parts.tidying.run)
        await until(lambda: failing == 0)
        tidy.cancel_scope.cancel()
    assert [words for words in alice.told if "cannot tidy up" in words]
