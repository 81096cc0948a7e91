"""Three ways to open exchanges with a peer: in memory, over TCP, and over a real encrypted link."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import trio
import trio.testing

from f2fbuild.net.connection import Link, LinkSettings
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.frames import GoAwayReason
from f2fbuild.net.handshake import Gate, Identity, Secured, initiate, respond, tai64n
from f2fbuild.net.messages import BlobChunk, BlobManifest, HaveBlobs, WantBlob
from f2fbuild.net.noise import PrivateKey
from f2fbuild.net.transfer import OpenExchange, serve_blob, serve_held
from f2fbuild.net.wire import Message
from f2fbuild.store.blobs import BlobStore

CLIENT, SERVER = "c" * 64, "5" * 64
WIRES = ("memory", "tcp", "link")

Handler: TypeAlias = Callable[[Exchange, Message], Awaitable[None]]


def anybody(peer: str, digest: str) -> bool:
    return True


def serving(store: BlobStore, may_fetch: Callable[[str, str], bool] = anybody) -> Handler:
    """Return what an honest peer does."""

    async def handle(exchange: Exchange, request: Message) -> None:
        match request:
            case WantBlob():
                await serve_blob(exchange, request, store, may_fetch)
            case HaveBlobs():
                await serve_held(exchange, request, store, may_fetch)
            case other:
                raise AssertionError(other)

    return handle


class Recording:
    """A handler that remembers what it was asked."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.asked: list[Message] = []

    async def __call__(self, exchange: Exchange, request: Message) -> None:
        self.asked.append(request)
        await self.handler(exchange, request)

    @property
    def first_chunks(self) -> list[int]:
        return [request.first_chunk for request in self.asked if isinstance(request, WantBlob)]


def scripted(*messages: Message) -> Handler:
    """Return a peer that says these things whatever it is asked."""

    async def handle(exchange: Exchange, request: Message) -> None:
        for message in messages:
            await exchange.send(message)

    return handle


def bending(store: BlobStore, bend: Callable[[Message], Message]) -> Handler:
    """Return a peer that is honest but for what `bend` does to its messages."""

    class Bent(Exchange):
        async def send(self, message: Message) -> None:
            await super().send(bend(message))

    async def handle(exchange: Exchange, request: Message) -> None:
        assert isinstance(request, WantBlob)
        await serve_blob(Bent(exchange._stream, peer=exchange.peer), request, store, anybody)

    return handle


def said(message: Message) -> str:
    match message:
        case BlobManifest(size=size):
            return f"manifest {size}"
        case BlobChunk(index=index):
            return f"chunk {index}"
        case other:
            return str(other)


async def answer(stream: trio.abc.HalfCloseableStream, handler: Handler) -> None:
    """Serve one exchange; that the other side leaves early is its right."""
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async with Exchange(stream, peer=CLIENT) as exchange:
            await handler(exchange, await exchange.receive())
            await exchange.finish()


async def ask(stream: trio.abc.HalfCloseableStream, request: Message) -> Exchange:
    exchange = Exchange(stream, peer=SERVER)
    await exchange.send(request)
    await exchange.finish()
    return exchange


@asynccontextmanager
async def wire(kind: str, handler: Handler) -> AsyncIterator[OpenExchange]:
    """Give a way to open exchanges that `handler` serves."""
    async with trio.open_nursery() as nursery:
        match kind:
            case "memory":
                yield _memory(nursery, handler)
            case "tcp":
                yield await _tcp(nursery, handler)
            case _:
                links = await _links(nursery, handler)
                yield links[0].open
                for link in links:
                    link.close(GoAwayReason.SHUTDOWN, "the test is over")
        nursery.cancel_scope.cancel()


def _memory(nursery: trio.Nursery, handler: Handler) -> OpenExchange:
    async def open_exchange(request: Message) -> Exchange:
        ours, theirs = trio.testing.lockstep_stream_pair()
        nursery.start_soon(answer, theirs, handler)
        return await ask(ours, request)

    return open_exchange


async def _tcp(nursery: trio.Nursery, handler: Handler) -> OpenExchange:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")

    async def serve(stream: trio.SocketStream) -> None:
        await answer(stream, handler)

    nursery.start_soon(trio.serve_listeners, serve, listeners)
    port = listeners[0].socket.getsockname()[1]

    async def open_exchange(request: Message) -> Exchange:
        return await ask(await trio.open_tcp_stream("127.0.0.1", port), request)

    return open_exchange


async def _links(nursery: trio.Nursery, handler: Handler) -> list[Link]:
    """Return both ends of a real link, the dialer first, over a real TCP connection."""
    ours, theirs = await _socket_pair()
    keys = {node: PrivateKey.from_secret(os.urandom(32)) for node in (CLIENT, SERVER)}
    client, server = (
        Identity(node_id=node, static=key, certificate_digest=bytes(32)) for node, key in keys.items()
    )

    async def accept(peer: str, stamp: bytes) -> bool:
        return True

    gate = Gate(authenticate=lambda noise, digest: CLIENT, accept_timestamp=accept)

    async def handle(peer: str, request: Message, exchange: Exchange) -> None:
        await handler(exchange, request)

    def report(peer: str, error: Exception) -> None:
        raise error

    settings = LinkSettings(handler=handle, report=report, spread=lambda: 0.5)
    links: list[Link] = []

    async def dial() -> None:
        secured = await initiate(
            ours,
            identity=client,
            ephemeral=os.urandom(32),
            peer=SERVER,
            remote=keys[SERVER].public,
            stamp=tai64n(1),
        )
        start(ours, secured, dialer=True)

    def start(stream: trio.abc.Stream, secured: Secured, *, dialer: bool) -> None:
        links.insert(0 if dialer else len(links), Link(stream, secured, dialer=dialer, settings=settings))
        nursery.start_soon(links[0 if dialer else -1].run)

    nursery.start_soon(dial)
    secured = await respond(theirs, identity=server, ephemeral=os.urandom(32), gate=gate)
    assert secured is not None
    start(theirs, secured, dialer=False)
    for link in tuple(links):
        await link.wait_ready()
    return links


async def _socket_pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        ours = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        return ours, await listener.accept()
