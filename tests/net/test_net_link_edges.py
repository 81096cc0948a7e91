"""A link whose peer never greets, and exchanges that are given up before they have begun."""

import os

import pytest
import trio
import trio.testing

from f2fbuild.net.connection import Link
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.handshake import PeerId, respond
from f2fbuild.net.ledger_messages import GetHead, Head
from f2fbuild.net.messages import Request
from tests.net.netpair import ALICE, BOB, Friends, dial_in, linked, settings

QUESTION = GetHead(origin="o")


async def answers(peer: PeerId, request: Request, exchange: Exchange) -> None:
    await exchange.send(Head(checkpoint=peer.encode()))


async def test_a_peer_that_never_greets_is_left(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()

    async def let_in() -> None:
        await respond(theirs, identity=BOB, ephemeral=os.urandom(32), gate=Friends([ALICE]).gate())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_in)
        link = Link(ours, await dial_in(ours), dialer=True, settings=settings())
        with trio.fail_after(60):
            ended = await link.run()
    assert ended.what == "the peer did not greet"


async def test_an_exchange_given_up_at_once_leaves_nothing_behind() -> None:
    async with linked(settings(), settings(answers)) as (alice, bob):
        for _ in range(200):
            with trio.CancelScope() as scope:
                scope.cancel()
                await alice.open(QUESTION)
            assert scope.cancelled_caught
        await alice.ping()
        await trio.testing.wait_all_tasks_blocked()
        assert not alice._streams
        assert not bob._streams
        async with await alice.open(QUESTION) as exchange:
            assert (await exchange.expect(Head)).checkpoint == ALICE.node_id.encode()


async def test_a_retired_link_lets_its_last_exchange_end(autojump_clock: trio.testing.MockClock) -> None:
    release = trio.Event()

    async def patient(peer: PeerId, request: Request, exchange: Exchange) -> None:
        await release.wait()
        await answers(peer, request, exchange)

    async with linked(settings(), settings(patient)) as (alice, _):
        exchange = await alice.open(QUESTION)
        alice.retire()
        await trio.sleep(10)
        assert alice.ended is None
        release.set()
        async with exchange:
            assert await exchange.expect(Head)
        await trio.sleep(10)
        with pytest.raises(trio.BrokenResourceError, match="took over"):
            await alice.open(QUESTION)
