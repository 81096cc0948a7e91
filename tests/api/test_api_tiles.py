"""Logs over HTTP, spoken to over real sockets: headers, methods, bounds."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
import trio.testing

from f2fbuild import limits
from f2fbuild.api.tiles import Lasting, create_tiles_app
from f2fbuild.api.web import open_web, serve_web
from f2fbuild.errors import ConfigurationError, StorageError

PATIENCE = 30


@dataclass
class Thing:
    data: bytes
    lasting: Lasting


THINGS = {
    "checkpoint": Thing(b"a head\n", Lasting.MOVING),
    "tile/0/000": Thing(b"hashes", Lasting.FOR_EVER),
    "tile/0/001.p/3": Thing(b"few", Lasting.FOR_NOW),
}


def find(path: str) -> Thing | None:
    if path == "broken":
        raise StorageError("the disk is in pieces", where="/home/alice/secret/place")
    return THINGS.get(path)


@asynccontextmanager
async def serving(find: Callable[[str], Thing | None] = find) -> AsyncIterator[int]:
    listeners = await open_web(["127.0.0.1:0"], where="test")
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_web, create_tiles_app(find), listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def talk(port: int, request: bytes) -> bytes:
    """Send bytes and return all that is answered until the other side closes."""
    with trio.fail_after(PATIENCE):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(request)
            answer = b""
            try:
                async for piece in stream:
                    answer += piece
            except trio.BrokenResourceError:
                pass
            return answer


async def ask(
    port: int, path: str, method: str = "GET", extra: str = ""
) -> tuple[int, dict[str, str], bytes]:
    request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{extra}\r\n"
    answer = await talk(port, request.encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, body


async def one_answer(stream: trio.SocketStream) -> None:
    """Ask for the head on a connection that stays open."""
    await stream.send_all(b"GET /checkpoint HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    with trio.fail_after(PATIENCE):
        while not answer.endswith(THINGS["checkpoint"].data):
            piece = await stream.receive_some()
            assert piece, "closed"
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("checkpoint", "text/plain; charset=utf-8", "no-cache"),
        ("tile/0/000", "application/octet-stream", "public, max-age=31536000, immutable"),
        ("tile/0/001.p/3", "application/octet-stream", "public, max-age=300"),
    ],
)
async def test_what_is_served_says_what_it_is_and_how_long(path: str, kind: str, cache: str) -> None:
    async with serving() as port:
        status, headers, body = await ask(port, f"/{path}?query=is#nothing")
        head = await ask(port, f"/{path}", "HEAD")
    assert (status, body) == (200, THINGS[path].data)
    assert (headers["content-type"], headers["cache-control"]) == (kind, cache)
    assert headers["content-length"] == str(len(body))
    assert "server" not in headers
    assert "set-cookie" not in headers
    assert (head[0], head[2]) == (200, b"")
    assert head[1]["content-length"] == str(len(body))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
async def test_nothing_but_get_and_head(method: str) -> None:
    async with serving() as port:
        status, headers, _ = await ask(port, "/checkpoint", method)
    assert status == 405
    assert set(headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/", "/nothing", "/%2e%2e/secret", "/checkpoint/", "//checkpoint", "/tile"])
async def test_what_is_not_there(path: str) -> None:
    async with serving() as port:
        status, headers, _ = await ask(port, path)
    assert status == 404
    assert headers["cache-control"] == "no-cache"


async def test_a_damaged_log_tells_strangers_nothing() -> None:
    async with serving() as port:
        status, _, body = await ask(port, "/broken")
    assert status == 503
    assert b"alice" not in body
    assert b"pieces" not in body


async def test_a_request_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WEB_HEAD_BYTES", 500)
    async with serving() as port:
        answer = await talk(port, b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000)
        fine, _, _ = await ask(port, "/checkpoint")
    assert b" 200 " not in answer
    assert fine == 200


async def test_who_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WEB_IDLE_SECONDS", 0.2)
    async with serving() as port:
        assert await talk(port, b"") == b""
        assert b" 200 " not in await talk(port, b"GET /check")


async def test_one_connection_too_many_is_closed_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "WEB_CONNECTIONS", 2)
    async with serving() as port:
        first = await trio.open_tcp_stream("127.0.0.1", port)
        second = await trio.open_tcp_stream("127.0.0.1", port)
        for stream in (first, second):
            await one_answer(stream)
        assert await talk(port, b"GET /checkpoint HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        await one_answer(first)
        await first.aclose()
        with trio.fail_after(PATIENCE):
            while not (await talk(port, b"GET /checkpoint HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200"):
                await trio.sleep(0.02)
        await second.aclose()


async def test_a_reader_who_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WEB_CONNECTIONS", 1)
    monkeypatch.setattr(limits, "WEB_CONNECTION_SECONDS", 0.5)
    huge = Thing(b"x" * 16_000_000, Lasting.FOR_EVER)
    async with serving(lambda path: huge if path == "huge" else THINGS.get(path)) as port:
        slow = await trio.open_tcp_stream("127.0.0.1", port)
        await slow.send_all(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
        with trio.fail_after(PATIENCE):
            while not (await talk(port, b"GET /checkpoint HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200"):
                await trio.sleep(0.05)
        await slow.aclose()


async def test_few_answers_are_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TILES_ANSWERS", 1)
    reads: list[str] = []
    huge = Thing(b"x" * 16_000_000, Lasting.FOR_EVER)

    def slowly(path: str) -> Thing:
        reads.append(path)
        return huge

    async with serving(slowly) as port:
        streams = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(3)]
        for number, stream in enumerate(streams):
            await stream.send_all(f"GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with trio.fail_after(PATIENCE):
            while not reads:
                await trio.sleep(0.02)
        await trio.testing.wait_all_tasks_blocked(0.1)
        assert len(reads) == 1
        for stream in streams:
            await stream.aclose()


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:x", "127.0.0.1:99999", "192.0.2.1:8080", ""])
async def test_where_nobody_can_listen(address: str) -> None:
    with pytest.raises(ConfigurationError, match="test"):
        await open_web([address], where="test")


async def test_several_addresses() -> None:
    listeners = await open_web(["127.0.0.1:0", "[::1]:0"], where="test")
    assert len(listeners) == 2
    for listener in listeners:
        await listener.aclose()
