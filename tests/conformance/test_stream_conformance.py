"""A link's stream keeps what trio promises of every stream, over memory and over a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

import pytest
import trio
import trio.testing

from f2fbuild.net.connection import Link
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.frames import ResetReason
from f2fbuild.net.handshake import PeerId
from f2fbuild.net.ledger_messages import GetHead
from f2fbuild.net.messages import Request
from f2fbuild.net.streams import LinkStream
from tests.net.netpair import linked, settings

Wires: TypeAlias = Callable[[], Awaitable[tuple[trio.abc.Stream, trio.abc.Stream]]]


class Leaving(trio.abc.HalfCloseableStream):
    """A link's stream that is left as trio leaves one: what was sent arrives, then it ends both ways.

    Closing is where a link's stream differs on purpose, since to leave an exchange early is to break it off.
    """

    def __init__(self, inner: LinkStream) -> None:
        self.inner = inner

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return await self.inner.receive_some(max_bytes)

    async def send_eof(self) -> None:
        await self.inner.send_eof()

    async def aclose(self) -> None:
        mux, number = self.inner._mux, self.inner.number
        try:
            await trio.lowlevel.checkpoint()
            if not self.inner.closed and self.inner._broken is None:
                await self.inner.send_eof()
                while mux.is_open(number) and mux._streams[number].queued:
                    await trio.lowlevel.checkpoint()
        finally:
            mux.reset(number, ResetReason.CANCELLED)
            self.inner.close(ResetReason.CANCELLED)
            self.inner._wake_writer()


Ends: TypeAlias = tuple[Leaving, Leaving]


async def memory() -> tuple[trio.abc.Stream, trio.abc.Stream]:
    return trio.testing.memory_stream_pair()


async def sockets() -> tuple[trio.abc.Stream, trio.abc.Stream]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        dialled = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        return dialled, await listener.accept()


@asynccontextmanager
async def stream_maker(wires: Wires) -> AsyncIterator[Callable[[], Awaitable[Ends]]]:
    """Makes streams, each with its two ends, of one link."""
    send, receive = trio.open_memory_channel[LinkStream](1)

    async def hand_over(peer: PeerId, request: Request, exchange: Exchange) -> None:
        assert isinstance(exchange._stream, LinkStream)
        send.send_nowait(exchange._stream)
        with trio.CancelScope(shield=True):
            while not exchange._stream.closed:
                await trio.testing.wait_all_tasks_blocked()
                await trio.sleep(0.001)

    async def make() -> Ends:
        ours = link._add_stream(link._mux.open_stream(), opened_here=True)
        await Exchange(ours, peer=link.peer).send(GetHead(origin="o"))
        return Leaving(ours), Leaving(await receive.receive())

    link: Link
    async with linked(settings(), settings(hand_over), await wires()) as (link, _):
        yield make


async def clog(ends: Ends) -> Ends:
    """Use up the credit of both directions."""
    for end in ends:
        state = end.inner._mux._streams[end.inner.number]
        await end.send_all(bytes(state.credit - state.queued))
    return ends


@pytest.mark.parametrize("wires", [memory, sockets])
async def test_a_stream_is_a_half_closeable_stream(wires: Wires) -> None:
    async with AsyncExitStack() as stack:
        make = await stack.enter_async_context(stream_maker(wires))

        async def clogged() -> Ends:
            return await clog(await make())

        with trio.fail_after(120):
            await trio.testing.check_half_closeable_stream(make, clogged)


@pytest.mark.parametrize("wires", [memory, sockets])
async def test_leaving_early_breaks_a_stream_off(wires: Wires) -> None:
    async with stream_maker(wires) as make:
        for opener_leaves in (True, False):
            ends = await make()
            gone, left = ends if opener_leaves else ends[::-1]
            await gone.inner.aclose()
            with trio.fail_after(120), pytest.raises(trio.BrokenResourceError):
                await left.receive_some()
            await left.aclose()
