"""How much a session costs: one stream through Noise and mux, against plain framing on the same machine.

`python -m benchmarks.session [--smoke]`. Both ends live in one process and talk over TCP on loopback, so the
ratio is one of work done, whatever else the machine does. Three ways carry the same bytes: uint32-framed
messages of 64 KiB on a bare trio stream; bytes on a stream of a link; `BlobChunk` messages of 1 MiB in an
exchange. The bar is on the second, which is Noise and mux and nothing else.
"""

import argparse
import hashlib
import os
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from benchmarks.report import at_least, at_most, emit, median_of
from f2fbuild.limits import CHUNK_BYTES, KIB, MIB
from f2fbuild.net.connection import Handler, Link, LinkSettings
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.handshake import Gate, Identity, PeerId, Secured, initiate, respond, tai64n
from f2fbuild.net.messages import BlobChunk, HaveBlobs, Request, WantBlob
from f2fbuild.net.noise import PrivateKey

_PART: Final = os.urandom(64 * KIB)
_CHUNK: Final = os.urandom(CHUNK_BYTES)
_RAW: Final = HaveBlobs(digests=[])
_MESSAGES: Final = WantBlob(digest="00" * 32, first_chunk=0)
_HANDSHAKES: Final = 20


def _identity(name: bytes) -> Identity:
    digest = hashlib.sha256(name)
    return Identity(
        node_id=digest.hexdigest(),
        static=PrivateKey.from_secret(os.urandom(32)),
        certificate_digest=digest.digest(),
    )


_ALICE: Final = _identity(b"alice")
_BOB: Final = _identity(b"bob")


async def _accept_timestamp(_peer: PeerId, _stamp: bytes) -> bool:
    return True


_GATE: Final = Gate(
    authenticate=lambda public, _digest: _ALICE.node_id if public == _ALICE.static.public else None,
    accept_timestamp=_accept_timestamp,
)


@asynccontextmanager
async def _connection() -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    """Two ends of a TCP connection on loopback."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        dialled = await trio.open_tcp_stream(*listener.socket.getsockname())
        accepted = await listener.accept()
    async with dialled, accepted:
        yield dialled, accepted


async def _secure(
    dialled: trio.abc.Stream, accepted: trio.abc.Stream
) -> tuple[Secured, list[Secured | None]]:
    """Run a handshake; the responder's result appears once a first record was sent."""
    answered: list[Secured | None] = []

    async def answer() -> None:
        answered.append(await respond(accepted, identity=_BOB, ephemeral=os.urandom(32), gate=_GATE))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        secured = await _dial_in(dialled)
        record = secured.session.sending.encrypt(b"")
        await dialled.send_all(struct.pack(">H", len(record)) + record)
    return secured, answered


async def _dial_in(stream: trio.abc.Stream) -> Secured:
    return await initiate(
        stream,
        identity=_ALICE,
        ephemeral=os.urandom(32),
        peer=_BOB.node_id,
        remote=_BOB.static.public,
        stamp=tai64n(time.time_ns()),
    )


async def _measure_handshakes() -> float:
    """Return seconds per handshake, both sides together, until the initiator counts as authenticated."""
    spent = 0.0
    for _ in range(_HANDSHAKES):
        async with _connection() as (dialled, accepted):
            begun = time.perf_counter()
            _, answered = await _secure(dialled, accepted)
            spent += time.perf_counter() - begun
            if answered[0] is None:
                raise RuntimeError("the handshake failed")
    return spent / _HANDSHAKES


async def _plain(size: int) -> int:
    """Carry `size` bytes as uint32-framed messages of 64 KiB; return how many arrived."""
    head, arrived = struct.Struct(">I"), 0
    async with _connection() as (dialled, accepted), trio.open_nursery() as nursery:

        async def send() -> None:
            for _ in range(size // len(_PART)):
                await accepted.send_all(head.pack(len(_PART)) + _PART)
            await accepted.send_eof()

        nursery.start_soon(send)
        buffer = bytearray()
        while data := await dialled.receive_some(64 * KIB):
            buffer += data
            while len(buffer) >= head.size:
                end = head.size + head.unpack_from(buffer)[0]
                if len(buffer) < end:
                    break
                with memoryview(buffer) as view:
                    message = bytes(view[head.size : end])
                del buffer[:end]
                arrived += len(message)
    return arrived


def _handler(size: int) -> Handler:
    async def handle(_peer: PeerId, request: Request, exchange: Exchange) -> None:
        for index in range(size // len(_CHUNK)):
            if request == _RAW:
                await exchange._stream.send_all(_CHUNK)  # noqa: SLF001 - the stream below the messages
            else:
                await exchange.send(BlobChunk(index=index, data=_CHUNK, proof=[]))

    return handle


@asynccontextmanager
async def _link(size: int) -> AsyncIterator[Link]:
    """A ready link whose other end sends `size` bytes when asked."""
    settings = LinkSettings(handler=_handler(size), report=_raise, spread=lambda: 0.5)

    async def answer(accepted: trio.abc.Stream) -> None:
        secured = await respond(accepted, identity=_BOB, ephemeral=os.urandom(32), gate=_GATE)
        if secured is not None:
            await Link(accepted, secured, dialer=False, settings=settings).run()

    async with _connection() as (dialled, accepted), trio.open_nursery() as nursery:
        nursery.start_soon(answer, accepted)
        link = Link(dialled, await _dial_in(dialled), dialer=True, settings=settings)
        nursery.start_soon(link.run)
        await link.wait_ready()
        yield link
        nursery.cancel_scope.cancel()


def _raise(_peer: PeerId, error: Exception) -> None:
    raise error


async def _stream(size: int) -> int:
    arrived = 0
    async with _link(size) as link, await link.open(_RAW) as exchange:
        while data := await exchange._stream.receive_some():  # noqa: SLF001 - the stream below the messages
            arrived += len(data)
    return arrived


async def _messages(size: int) -> int:
    arrived = 0
    async with _link(size) as link, await link.open(_MESSAGES) as exchange:
        async for message in exchange:
            if isinstance(message, BlobChunk):
                arrived += len(message.data)
    return arrived


def _timed(name: str, carry: Callable[[int], Awaitable[int]], size: int) -> dict[str, float]:
    """Return MB/s and CPU seconds (both ends) of carrying `size` bytes, connecting included."""
    wall, cpu = time.perf_counter(), time.process_time()
    arrived = trio.run(carry, size)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if arrived != size:
        raise RuntimeError(f"{arrived} of {size} bytes arrived")
    return {f"{name}_mb_per_s": size / wall / 1e6, f"{name}_cpu_s": cpu}


def _measure(size: int) -> dict[str, float]:
    plain, stream = _timed("plain", _plain, size), _timed("stream", _stream, size)
    return {
        **plain,
        **stream,
        **_timed("messages", _messages, size),
        "stream_to_plain": stream["stream_mb_per_s"] / plain["plain_mb_per_s"],
        "stream_to_plain_cpu": plain["plain_cpu_s"] / stream["stream_cpu_s"],
        "handshake_ms": 1000 * trio.run(_measure_handshakes),
    }


def main() -> None:
    """Measure, print, and say whether the bars hold."""
    parser = argparse.ArgumentParser(description="what a session costs")
    parser.add_argument("--smoke", action="store_true", help="a small size, to see that it runs")
    smoke = parser.parse_args().smoke
    size = (16 if smoke else 256) * MIB
    figures = median_of(3 if smoke else 5, lambda: _measure(size))
    emit(
        "session",
        {"bytes": float(size), **figures},
        [
            at_least("one stream against plain framing", figures["stream_to_plain"], 0.3, "ratio"),
            at_most("handshake", figures["handshake_ms"], 5.0, "ms"),
        ],
    )


if __name__ == "__main__":
    main()
