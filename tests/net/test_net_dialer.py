"""Dialling on real sockets: each way to fail is said in words, and the first hint that leads there wins."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from f2fbuild import limits
from f2fbuild.net import records
from f2fbuild.net.dialer import Friend, UnreachableError, dial
from f2fbuild.net.handshake import Identity, respond, tai64n
from f2fbuild.net.hints import Hint
from tests.net.netpair import ALICE, BOB, EVE, Friends

LOOP = "127.0.0.1"
Serve = Callable[[trio.SocketStream], Awaitable[None]]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no answer comes, little is waited; who answers has as long as ever, on a slow machine."""
    monkeypatch.setattr(limits, "DIAL_SECONDS", 0.3)
    monkeypatch.setattr(limits, "STRANGER_SECONDS", 0.1)


@asynccontextmanager
async def listening(serve: Serve, host: str = LOOP) -> AsyncIterator[Hint]:
    """A real listener, and the hint that leads there."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host=host)
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield Hint(host=host, port=listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()


def answering(identity: Identity) -> Serve:
    """Answer as `identity` does, and stay."""

    async def serve(stream: trio.SocketStream) -> None:
        await respond(stream, identity=identity, ephemeral=bytes(31) + b"1", gate=Friends([ALICE]).gate())
        await trio.sleep_forever()

    return serve


async def closing(stream: trio.SocketStream) -> None:
    await stream.receive_some()
    await stream.aclose()


async def resetting(stream: trio.SocketStream) -> None:
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    await stream.aclose()


async def silent(stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def babbling(stream: trio.SocketStream) -> None:
    await stream.send_all(records.head(b"?" * 48) + b"?" * 48)
    await trio.sleep_forever()


def friend(*hints: Hint) -> Friend:
    return Friend(peer=BOB.node_id, noise_public=BOB.static.public, hints=hints)


async def said(*hints: Hint, loopback: bool = True) -> str:
    """Why no hint led to Bob."""
    with pytest.raises(UnreachableError) as caught:
        await dial(friend(*hints), identity=ALICE, stamp=lambda: tai64n(1), loopback=loopback)
    assert caught.value.where == BOB.node_id
    return caught.value.what


async def dialled(*hints: Hint) -> int:
    """The port at which Bob was found."""
    stamps = iter(range(1, 100))
    stream, secured = await dial(
        friend(*hints), identity=ALICE, stamp=lambda: tai64n(next(stamps)), loopback=True
    )
    async with stream:
        assert secured.peer == BOB.node_id
        assert isinstance(stream, trio.SocketStream)
        port: int = stream.socket.getpeername()[1]
        return port


@pytest.fixture
async def refused() -> AsyncIterator[Hint]:
    """A port that is taken, at which nobody listens."""
    with trio.socket.socket() as reserved:
        await reserved.bind((LOOP, 0))
        yield Hint(host=LOOP, port=reserved.getsockname()[1])


async def test_a_port_at_which_nobody_listens(refused: Hint) -> None:
    what = await said(refused)
    assert what.startswith(f"{refused}: ")
    assert "Connection refused" in what


WRONG: dict[str, tuple[Serve, str]] = {
    "closes": (closing, "it closed without a word"),
    "resets": (resetting, "it closed without a word"),
    "babbles": (babbling, "decrypt"),
}
MUTE: dict[str, Serve] = {"says nothing": silent, "has another key": answering(EVE)}


@pytest.mark.parametrize("name", WRONG)
async def test_somebody_else_at_the_other_end(name: str) -> None:
    serve, reason = WRONG[name]
    async with listening(serve) as hint:
        what = await said(hint)
        assert what.startswith(f"{hint}: ")
        assert reason in what


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", MUTE)
async def test_no_answer_from_the_other_end(name: str) -> None:
    async with listening(MUTE[name]) as hint:
        assert await said(hint) == f"{hint}: no answer in time"


@pytest.mark.usefixtures("impatient")
async def test_a_connection_that_is_never_accepted() -> None:
    """A full backlog drops the handshake of TCP: the nearest to an unreachable host that loopback has."""
    with trio.socket.socket() as full:
        await full.bind((LOOP, 0))
        full.listen(0)
        hint = Hint(host=LOOP, port=full.getsockname()[1])
        async with await trio.open_tcp_stream(LOOP, hint.port):
            assert "no answer in time" in await said(hint)


NAMES: dict[str, list[str]] = {
    "bob.example": [LOOP],
    "evil.example": ["169.254.169.254"],
    "mixed.example": ["169.254.169.254", LOOP],
    "moved.example": ["127.0.0.3", LOOP],
}


class Names(trio.abc.HostnameResolver):
    """Name service without a network; what it does not know does not exist."""

    async def getaddrinfo(self, host: bytes | None, port: object, *_: object) -> list[Any]:
        addresses = NAMES.get((host or b"").decode())
        if addresses is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    async def getnameinfo(self, sockaddr: object, flags: int) -> tuple[str, str]:
        raise NotImplementedError


async def test_names_lead_somewhere_nowhere_or_astray() -> None:
    trio.socket.set_custom_hostname_resolver(Names())
    async with listening(answering(BOB)) as hint:
        assert "not known" in await said(Hint(host="nowhere.example", port=hint.port))
        what = await said(Hint(host="evil.example", port=hint.port))
        assert "its name leads to addresses that are not dialled" in what
        what = await said(Hint(host="bob.example", port=hint.port), loopback=False)
        assert "its name leads to addresses that are not dialled" in what
        for name in ("bob.example", "mixed.example", "moved.example"):
            assert await dialled(Hint(host=name, port=hint.port)) == hint.port


async def test_the_first_hint_that_leads_there_is_taken(refused: Hint) -> None:
    async with listening(closing) as wrong, listening(answering(BOB)) as right:
        assert await dialled(refused, wrong, right) == right.port
        what = await said(refused, wrong)
        assert [part.partition(": ")[0] for part in what.split("; ")] == [str(refused), str(wrong)]


async def test_no_more_hints_are_tried_than_a_friend_may_have(refused: Hint) -> None:
    async with listening(answering(BOB)) as right:
        what = await said(*[refused] * limits.HINTS_PER_PEER, right)
        assert what.count(f"{refused}: ") == limits.HINTS_PER_PEER
        assert str(right) not in what


async def test_an_address_of_ipv6() -> None:
    async with listening(answering(BOB), host="::1") as hint:
        assert await dialled(hint) == hint.port
