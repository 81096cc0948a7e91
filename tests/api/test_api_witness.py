"""A witness over HTTP, spoken to over real sockets: one path, and bounds on everything."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from f2fbuild import limits
from f2fbuild.api.web import open_web, serve_web
from f2fbuild.api.witness import create_witness_app
from f2fbuild.ledger.witness_http import SIZE_TYPE, Reply
from tests.api.test_api_tiles import PATIENCE, talk

NOW = 1_700_000_000


class Echo:
    """Answers with how long the body was."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def __call__(self, body: bytes) -> Reply:
        self.bodies.append(body)
        return Reply(status=409, media_type=SIZE_TYPE, body=f"{len(body)}\n".encode())


@asynccontextmanager
async def serving(answer: Callable[[bytes], Reply]) -> AsyncIterator[int]:
    listeners = await open_web(["127.0.0.1:0"], where="test")
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_web, create_witness_app(answer, lambda: NOW), listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def post(port: int, body: bytes, path: str = "/add-checkpoint", method: str = "POST") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return await talk(port, head.encode() + body)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def test_the_reply_goes_out_as_it_is() -> None:
    echo = Echo()
    async with serving(echo) as port:
        answer = await post(port, b"old 0\n\nnote")
    assert status(answer) == 409
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"11\n"
    assert b"content-type: text/x.tlog.size\r\n" in head.lower() + b"\r\n"
    assert b"server:" not in head.lower()
    assert echo.bodies == [b"old 0\n\nnote"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/add-checkpoint", 405),
        ("PUT", "/add-checkpoint", 405),
        ("POST", "/", 404),
        ("POST", "/x", 404),
    ],
)
async def test_there_is_nothing_else(method: str, path: str, expected: int) -> None:
    echo = Echo()
    async with serving(echo) as port:
        assert status(await post(port, b"", path, method)) == expected
    assert echo.bodies == []


async def test_a_body_that_is_too_large_is_not_read_to_its_end() -> None:
    echo = Echo()
    async with serving(echo) as port:
        fits = await post(port, b"x" * limits.ADD_CHECKPOINT_BYTES)
        head = b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
        answer = await talk(port, head + b"x" * (limits.ADD_CHECKPOINT_BYTES + 1))
        endless = b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunked = await talk(port, endless + b"10000\r\n" + b"x" * 65_536 + b"\r\n1\r\nx\r\n")
    assert status(fits) == 409
    assert status(answer) == status(chunked) == 413
    assert [len(body) for body in echo.bodies] == [limits.ADD_CHECKPOINT_BYTES]


async def test_who_sends_too_slowly_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WITNESS_BODY_SECONDS", 0.2)
    echo = Echo()
    async with serving(echo) as port:
        head = b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
        assert status(await talk(port, head + b"abc")) == 408
    assert echo.bodies == []


async def test_who_hangs_up_in_the_middle_harms_nobody() -> None:
    echo = Echo()
    async with serving(echo) as port:
        for _ in range(3):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(
                b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"
            )
            await stream.aclose()
        with trio.fail_after(PATIENCE):
            assert status(await post(port, b"fine")) == 409
    assert echo.bodies == [b"fine"]


async def test_who_asks_too_often_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WITNESS_REQUESTS", 2)
    echo = Echo()
    async with serving(echo) as port:
        answers = [status(await post(port, b"x")) for _ in range(4)]
    assert answers == [409, 409, 429, 429]
    assert len(echo.bodies) == 2
