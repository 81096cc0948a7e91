"""Peers: nodes on real sockets that find, keep, lose and refuse one another."""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild import limits
from f2fbuild.net.dialer import Friend, UnreachableError, dial, redial_seconds
from f2fbuild.net.exchange import Exchange, LinkClosedError
from f2fbuild.net.frames import GoAwayReason
from f2fbuild.net.handshake import Identity, PeerId, tai64n
from f2fbuild.net.hints import Hint
from f2fbuild.net.ledger_messages import GetHead, Head
from f2fbuild.net.messages import Request
from f2fbuild.net.peers import NotConnectedError, Peers, PeersSettings
from tests.net.netpair import ALICE, BOB, EVE, Friends, settings

_PIPE = -1
"""The standard library's constant for a pipe."""

QUESTION = GetHead(origin="o")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real sockets need a real clock, so everything that waits waits briefly."""
    monkeypatch.setattr(limits, "REDIAL_FIRST_SECONDS", 0.02)
    monkeypatch.setattr(limits, "REDIAL_MAX_SECONDS", 0.1)
    monkeypatch.setattr(limits, "PEERS_POLL_SECONDS", 0.01)


@dataclass
class Node:
    """A node's net room, and what it told the rest of the node."""

    identity: Identity
    friends: Friends
    directory: dict[PeerId, Friend] = field(default_factory=dict)
    told: list[tuple[str, PeerId]] = field(default_factory=list)
    failures: list[UnreachableError] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self.peers = Peers(
            PeersSettings(
                identity=self.identity,
                gate=self.friends.gate(),
                directory=lambda: self.directory,
                link=settings(self.answer),
                clock=time.time_ns,
                loopback=True,
                connected=lambda peer: self.told.append(("connected", peer)),
                disconnected=lambda peer, why: self.told.append((why, peer)),
                unreachable=self.failures.append,
            )
        )

    async def answer(self, peer: PeerId, request: Request, exchange: Exchange) -> None:
        await exchange.send(Head(checkpoint=peer.encode()))

    def knows(self, other: "Node | Identity", port: int | None = None) -> None:
        identity = other.identity if isinstance(other, Node) else other
        if port is None and isinstance(other, Node):
            port = other.port
        hints = (Hint(host="127.0.0.1", port=port),) if port else ()
        self.directory[identity.node_id] = Friend(
            peer=identity.node_id, noise_public=identity.static.public, hints=hints
        )

    async def ask(self, peer: PeerId) -> bytes:
        async with await self.peers.call(peer, QUESTION) as exchange:
            return (await exchange.expect(Head)).checkpoint


@asynccontextmanager
async def running(*identities: Identity, known: list[Identity]) -> AsyncIterator[list[Node]]:
    nodes = [Node(identity, Friends(known)) for identity in identities]
    async with trio.open_nursery() as nursery:
        for node in nodes:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            node.port = listeners[0].socket.getsockname()[1]
            nursery.start_soon(node.peers.run, listeners)
        yield nodes
        nursery.cancel_scope.cancel()


async def test_a_friend_is_dialled_asked_and_missed() -> None:
    async with running(ALICE, BOB, known=[ALICE, BOB]) as (alice, bob):
        with pytest.raises(NotConnectedError):
            await alice.ask(BOB.node_id)
        alice.knows(bob)
        alice.peers.refresh()
        await alice.peers.wait_connected(BOB.node_id)
        await bob.peers.wait_connected(ALICE.node_id)
        assert await alice.ask(BOB.node_id) == ALICE.node_id.encode()
        assert await bob.ask(ALICE.node_id) == BOB.node_id.encode()
        assert alice.peers.connected() == {BOB.node_id}
        alice.directory.clear()
        bob.peers.close(ALICE.node_id, GoAwayReason.SHUTDOWN)
        await alice.peers.wait_disconnected(BOB.node_id)
        await bob.peers.wait_disconnected(ALICE.node_id)
        while len(alice.told) < 2:
            await trio.lowlevel.checkpoint()
        assert alice.told == [("connected", BOB.node_id), ("the peer said goodbye: shutdown", BOB.node_id)]
        bob.peers.close(ALICE.node_id, GoAwayReason.SHUTDOWN)


async def test_a_lost_link_is_dialled_again() -> None:
    async with running(ALICE, BOB, known=[ALICE, BOB]) as (alice, bob):
        alice.knows(bob)
        for _ in range(3):
            await alice.peers.wait_connected(BOB.node_id)
            assert await alice.ask(BOB.node_id)
            bob.peers.close(ALICE.node_id, GoAwayReason.SHUTDOWN)
            await alice.peers.wait_disconnected(BOB.node_id)


async def test_when_both_dial_one_link_remains_and_no_question_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "FAREWELL_SECONDS", 0.05)
    smaller, larger = sorted((ALICE, BOB), key=lambda identity: identity.node_id)
    async with running(smaller, larger, known=[ALICE, BOB]) as (small, large):
        small.knows(large)
        large.knows(small)
        small.peers.refresh()
        large.peers.refresh()
        await small.peers.wait_connected(larger.node_id)
        await large.peers.wait_connected(smaller.node_id)
        both = (small, larger.node_id, True), (large, smaller.node_id, False)
        while not all(node.peers._links[peer].dialer is wins for node, peer, wins in both):
            for node, peer, _ in both:
                assert await node.ask(peer)
        for node, peer, _ in both:
            for _ in range(50):
                assert await node.ask(peer)
            assert [told for told, _ in node.told] == ["connected"]


async def test_a_new_link_of_the_same_dialler_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FAREWELL_SECONDS", 0.05)
    async with running(ALICE, BOB, known=[ALICE, BOB]) as (alice, bob):
        alice.knows(bob)
        await bob.peers.wait_connected(ALICE.node_id)
        await alice.peers.wait_connected(BOB.node_id)
        first = bob.peers._links[ALICE.node_id]
        alice.peers._links.clear()
        alice.peers._attempts.clear()
        await alice.peers.wait_connected(BOB.node_id)
        while bob.peers._links[ALICE.node_id] is first or first.ended is None:
            assert await alice.ask(BOB.node_id)
        assert "took over" in first.ended.what or "goodbye" in first.ended.what


async def test_who_is_no_longer_allowed_is_closed_and_stays_out() -> None:
    async with running(ALICE, BOB, known=[ALICE, BOB]) as (alice, bob):
        alice.knows(bob)
        await bob.peers.wait_connected(ALICE.node_id)
        await alice.peers.wait_connected(BOB.node_id)
        assert await alice.ask(BOB.node_id)
        bob.friends.known.remove(ALICE)
        bob.peers.close(ALICE.node_id, GoAwayReason.NOT_ALLOWED)
        await alice.peers.wait_disconnected(BOB.node_id)
        with pytest.raises((NotConnectedError, LinkClosedError)):
            await alice.ask(BOB.node_id)
        await bob.peers.wait_disconnected(ALICE.node_id)
        assert bob.peers.connected() == frozenset()


async def test_an_unreachable_friend_is_tried_again_and_again() -> None:
    async with running(ALICE, BOB, known=[ALICE, BOB]) as (alice, bob):
        with trio.socket.socket() as reserved:
            await reserved.bind(("127.0.0.1", 0))
            alice.knows(BOB, port=reserved.getsockname()[1])
            while len(alice.failures) < 3:
                await trio.lowlevel.checkpoint()
        alice.knows(bob)
        await alice.peers.wait_connected(BOB.node_id)
        assert "127.0.0.1" in str(alice.failures[0])


async def no_link(friend: Friend, *, loopback: bool = True) -> str:
    with pytest.raises(UnreachableError) as caught:
        await dial(friend, identity=ALICE, stamp=lambda: tai64n(1), loopback=loopback)
    return caught.value.what


def bob_at(*hints: Hint) -> Friend:
    return Friend(peer=BOB.node_id, noise_public=BOB.static.public, hints=hints)


async def test_what_was_wrong_with_each_address_is_said() -> None:
    assert await no_link(bob_at()) == "no address is known"
    forbidden = Hint(host="169.254.169.254", port=7000)
    loop, name = Hint(host="127.0.0.1", port=7000), Hint(host="localhost", port=7000)
    said = await no_link(bob_at(forbidden, loop, name), loopback=False)
    assert said.split("; ") == [
        "169.254.169.254:7000: this address is not dialled",
        "127.0.0.1:7000: this address is not dialled",
        "localhost:7000: this address is not dialled",
    ]


async def test_a_stranger_learns_only_that_nobody_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DIAL_SECONDS", 0.1)
    monkeypatch.setattr(limits, "STRANGER_SECONDS", 0.1)
    async with running(BOB, known=[EVE]) as (bob,):
        said = await no_link(bob_at(Hint(host="127.0.0.1", port=bob.port)))
        assert "no answer in time" in said


@given(st.integers(min_value=1, max_value=10**6), st.floats(min_value=0, max_value=1, exclude_max=True))
def test_waiting_grows_to_a_limit(failures: int, spread: float) -> None:
    wait = redial_seconds(failures, spread)
    assert limits.REDIAL_FIRST_SECONDS / 2 <= wait <= limits.REDIAL_MAX_SECONDS
    assert redial_seconds(failures + 1, spread) >= wait


async def test_stamps_grow_even_if_the_clock_does_not() -> None:
    node = Node(ALICE, Friends([]))
    stamps = [node.peers._stamp() for _ in range(100)]
    assert sorted(set(stamps)) == stamps


@asynccontextmanager
async def bobs_process(port: int) -> AsyncIterator[tuple[trio.Process, int]]:
    """Bob in a process of his own, killed without warning at the end."""
    command = [sys.executable, str(Path(__file__).with_name("netnode.py")), str(port)]
    async with trio.open_nursery() as nursery:
        process = await nursery.start(partial(trio.run_process, command, stdout=_PIPE, check=False))
        said = b""
        while not said.endswith(b"\n"):
            part = await process.stdout.receive_some()
            assert part
            said += part
        yield process, int(said)
        process.kill()


async def test_a_friend_in_another_process_dies_and_comes_back() -> None:
    async with running(ALICE, known=[BOB]) as (alice,):
        async with bobs_process(0) as (_, port):
            alice.knows(BOB, port=port)
            await alice.peers.wait_connected(BOB.node_id)
            assert await alice.ask(BOB.node_id) == f"GetHead from {ALICE.node_id}".encode()
        await alice.peers.wait_disconnected(BOB.node_id)
        async with bobs_process(port):
            await alice.peers.wait_connected(BOB.node_id)
            assert await alice.ask(BOB.node_id) == f"GetHead from {ALICE.node_id}".encode()
