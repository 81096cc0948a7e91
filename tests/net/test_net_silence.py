"""A stranger gets nothing: not one byte, and the same close for every failure."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio
import trio.testing

from f2fbuild import limits
from f2fbuild.errors import RemoteProtocolError
from f2fbuild.net import records
from f2fbuild.net.handshake import HandshakeError, Identity, Secured, prologue, tai64n
from f2fbuild.net.listener import admit, serve
from f2fbuild.net.noise import IK, Handshake, PrivateKey
from tests.net.netpair import ALICE, BOB, EVE, Friends, dial_in


def first_message(
    identity: Identity = ALICE, *, remote: Identity = BOB, payload: bytes | None = None, pattern: int = 1
) -> bytes:
    """What an initiator says first, byte for byte as it stands on the stream."""
    handshake = Handshake(
        IK,
        static=identity.static,
        ephemeral=PrivateKey.from_secret(os.urandom(32)),
        prologue=prologue(IK),
        remote_static=remote.static.public,
    )
    message = handshake.write(tai64n(5) + identity.certificate_digest if payload is None else payload)
    return bytes([pattern]) + records.head(message) + message


SECONDS = limits.STRANGER_SECONDS


class Tap(trio.abc.Stream):
    """A stream with somebody listening."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self.inner = inner
        self.sent = bytearray()
        self.read = 0

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.extend(data)
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self.inner.receive_some(max_bytes)
        self.read += len(data)
        return data

    async def aclose(self) -> None:
        await self.inner.aclose()


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


STRANGERS: dict[str, Callable[[], bytes]] = {
    "says nothing": lambda: b"",
    "speaks HTTP": lambda: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "speaks TLS": lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "has an unknown key": lambda: first_message(EVE),
    "knows another key of ours": lambda: first_message(remote=EVE),
    "shows another certificate": lambda: first_message(payload=tai64n(5) + EVE.certificate_digest),
    "repeats a timestamp": lambda: first_message(payload=tai64n(4) + ALICE.certificate_digest),
    "has an old timestamp": lambda: first_message(payload=tai64n(3) + ALICE.certificate_digest),
    "says too little": lambda: first_message(payload=b""),
    "says too much": lambda: first_message(payload=tai64n(5) + ALICE.certificate_digest + b"x"),
    "asks for another pattern": lambda: first_message(pattern=2),
    "flips a bit": lambda: flipped(first_message()),
    "stops halfway": lambda: first_message()[:70],
    "sends an empty record": lambda: b"\x01\x00\x00",
    "sends a large record": lambda: b"\x01\xff\xff" + bytes(65_535),
    "never stops": lambda: bytes(10 * limits.STRANGER_BYTES),
}


def bobs_friends() -> Friends:
    return Friends([ALICE], stamps={ALICE.node_id: tai64n(4)})


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.parametrize("leaves", [False, True])
async def test_every_failure_looks_the_same(
    name: str, leaves: bool, autojump_clock: trio.testing.MockClock
) -> None:
    stranger, ours = trio.testing.memory_stream_pair()
    begun = trio.current_time()
    answered = bytearray()
    ended: list[float] = []

    async def listen() -> None:
        while data := await stranger.receive_some(1000):
            answered.extend(data)
        ended.append(trio.current_time() - begun)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await stranger.send_all(STRANGERS[name]())
        if leaves:
            await stranger.send_eof()
        assert await admit(ours, identity=BOB, gate=bobs_friends().gate(), seconds=SECONDS) is None
    assert bytes(answered) == b""
    assert ended == [limits.STRANGER_SECONDS]


async def test_a_stranger_costs_little_memory(autojump_clock: trio.testing.MockClock) -> None:
    stranger, ours = trio.testing.memory_stream_pair()
    await stranger.send_all(bytes(10 * limits.STRANGER_BYTES))
    tap = Tap(ours)
    assert await admit(tap, identity=BOB, gate=bobs_friends().gate(), seconds=SECONDS) is None
    assert tap.read <= 2 * limits.STRANGER_BYTES


async def test_whoever_only_repeats_a_first_message_starts_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A recorded first message may reach us before the original; its sender cannot go on."""
    stranger, ours = trio.testing.memory_stream_pair()
    await stranger.send_all(first_message() + records.head(bytes(40)) + bytes(40))
    begun = trio.current_time()
    assert await admit(ours, identity=BOB, gate=bobs_friends().gate(), seconds=SECONDS) is None
    assert trio.current_time() - begun == limits.STRANGER_SECONDS


async def test_a_friend_comes_in_at_once(autojump_clock: trio.testing.MockClock) -> None:
    theirs, ours = trio.testing.memory_stream_pair()
    found: list[Secured | None] = []

    async def answer() -> None:
        found.append(await admit(ours, identity=BOB, gate=bobs_friends().gate(), seconds=SECONDS))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        secured = await dial_in(theirs, stamp=tai64n(5))
        record = secured.session.sending.encrypt(b"hello")
        await theirs.send_all(records.head(record) + record)
    assert found[0] is not None
    assert found[0].peer == ALICE.node_id
    assert found[0].frames == (b"hello",)
    assert found[0].session.handshake_hash == secured.session.handshake_hash
    assert trio.current_time() == 0


async def test_an_impostor_is_noticed_by_the_initiator() -> None:
    theirs, impostor = trio.testing.memory_stream_pair()
    await impostor.send_all(records.head(bytes(48)) + bytes(48))
    with pytest.raises(RemoteProtocolError):
        await dial_in(theirs)


async def test_silence_has_a_name_at_the_initiator() -> None:
    theirs, silent = trio.testing.memory_stream_pair()
    await silent.send_eof()
    with pytest.raises(HandshakeError, match="without a word"):
        await dial_in(theirs)


@asynccontextmanager
async def bob_on_tcp(
    host: str = "127.0.0.1", *, seconds: float = 0.3
) -> AsyncIterator[tuple[str, int, list[Secured], Friends]]:
    """Bob's real listener on a real socket."""
    friends, came = bobs_friends(), list[Secured]()

    async def on_secured(stream: trio.abc.Stream, secured: Secured) -> None:
        came.append(secured)
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host=host)
        port = listeners[0].socket.getsockname()[1]

        async def run() -> None:
            await serve(listeners, identity=BOB, gate=friends.gate(), on_secured=on_secured, seconds=seconds)

        nursery.start_soon(run)
        yield host, port, came, friends
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_recorded_handshake_replayed_on_a_real_socket_meets_silence(host: str) -> None:
    async with bob_on_tcp(host) as (_, port, came, _friends):
        async with Tap(await trio.open_tcp_stream(host, port)) as wire:
            secured = await dial_in(wire, stamp=tai64n(9))
            record = secured.session.sending.encrypt(b"hello")
            await wire.send_all(records.head(record) + record)
            assert await wire.receive_some() == b""
            assert len(came) == 1

        async with await trio.open_tcp_stream(host, port) as replay:
            await replay.send_all(bytes(wire.sent))
            assert await replay.receive_some() == b""
            assert len(came) == 1


async def test_strangers_on_real_sockets_get_nothing() -> None:
    answers: dict[str, bytes] = {}

    async def knock(port: int, name: str) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            try:
                await stream.send_all(STRANGERS[name]())
                answers[name] = bytes(await stream.receive_some())
            except trio.BrokenResourceError:
                answers[name] = b""

    chosen = list(STRANGERS)[: limits.STRANGERS_PER_ADDRESS]
    async with bob_on_tcp() as (_, port, came, _friends):
        async with trio.open_nursery() as nursery:
            for name in chosen:
                nursery.start_soon(knock, port, name)
        assert answers == dict.fromkeys(chosen, b"")
        assert came == []


async def test_too_many_strangers_of_one_address_are_turned_away() -> None:
    async with bob_on_tcp(seconds=SECONDS) as (host, port, _, _friends), AsyncExitStack() as stack:
        for _ in range(limits.STRANGERS_PER_ADDRESS):
            await stack.enter_async_context(await trio.open_tcp_stream(host, port))
        one_more = await stack.enter_async_context(await trio.open_tcp_stream(host, port))
        assert await one_more.receive_some() == b""
