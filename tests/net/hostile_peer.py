"""Attackers and a friend of Bob, who listens in a process of his own: `hostile_child.py`."""

import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from f2fbuild.net import codec, records
from f2fbuild.net.connection import Link
from f2fbuild.net.frames import FrameType, format_frame
from f2fbuild.net.handshake import Identity, Secured, tai64n
from f2fbuild.net.ledger_messages import GetHead, Head
from f2fbuild.net.messages import Hello
from f2fbuild.net.wire import Message
from tests.net.netpair import ALICE, EVE, dial_in, settings

_PIPE = -1
FRIENDS_ADDRESS, EVES_ADDRESS = "127.0.0.1", "127.0.0.2"
PATIENCE = 120
"""Seconds after which what must come has failed."""
HELLO = Hello(version_min=1, version_max=1, program="eve")


@dataclass
class Child:
    """Bob's process: where it listens, what it said, and what it costs."""

    process: trio.Process
    port: int = 0
    said: list[str] = field(default_factory=list)

    async def listen(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        rest = b""
        while part := await self.process.stdout.receive_some():  # type: ignore[union-attr]
            *lines, rest = (rest + part).split(b"\n")
            self.said += [line.decode() for line in lines]
            if not self.port and self.said:
                self.port = int(self.said.pop(0))
                task_status.started()

    def peak(self) -> int:
        """The most bytes of memory that it ever had resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (kib,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
        return int(kib) * 1024

    def files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    async def connect(self, address: str = EVES_ADDRESS) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port, local_address=address)

    async def wait_said(self) -> str:
        """Return what it said first since nobody listened."""
        with trio.fail_after(PATIENCE):
            while not self.said:
                await trio.sleep(0.01)
        return self.said.pop(0)


@asynccontextmanager
async def bob(seconds: float = 60) -> AsyncIterator[Child]:
    """Bob, who gives strangers so many seconds."""
    command = [sys.executable, str(Path(__file__).with_name("hostile_child.py")), str(seconds)]
    async with trio.open_nursery() as nursery:
        process = await nursery.start(partial(trio.run_process, command, stdout=_PIPE, check=False))
        child = Child(process)
        await nursery.start(child.listen)
        try:
            yield child
        finally:
            process.kill()


@asynccontextmanager
async def friend_link(child: Child) -> AsyncIterator[Link]:
    """Alice's link with Bob."""
    stream = await child.connect(FRIENDS_ADDRESS)
    secured = await dial_in(stream, identity=ALICE, stamp=tai64n(time.time_ns()))
    link = Link(stream, secured, dialer=True, settings=settings())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        await link.wait_ready()
        yield link
        nursery.cancel_scope.cancel()


async def is_well(link: Link) -> None:
    """Alice is answered."""
    with trio.fail_after(PATIENCE):
        async with await link.open(GetHead(origin="o")) as exchange:
            assert (await exchange.expect(Head)).checkpoint == ALICE.node_id.encode()


def spoken(stream: int, message: Message) -> list[bytes]:
    """The frames that open a stream and say one message."""
    data = codec.encode(message)
    return [
        format_frame(FrameType.OPEN, stream),
        format_frame(FrameType.DATA, stream, codec.prefix(len(data)) + data),
    ]


class Eve:
    """A friend gone bad: she is let in, and sends what frames she likes."""

    def __init__(self, stream: trio.SocketStream, secured: Secured) -> None:
        self.stream = stream
        self._secured = secured

    async def send(self, *frames: bytes) -> None:
        """Send frames; that Bob has cut the link by now is all right."""
        parts: list[bytes] = []
        for frame in frames:
            record = self._secured.session.sending.encrypt(frame)
            parts += (records.head(record), record)
        with suppress(trio.BrokenResourceError):
            await self.stream.send_all(b"".join(parts))

    async def greet(self) -> None:
        """Agree on a version; what Bob says first is his greeting."""
        await self.send(*spoken(1, HELLO))
        with trio.fail_after(PATIENCE):
            assert await self.stream.receive_some(1)

    async def read_away(self) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while await self.stream.receive_some(2**20):
                pass


@asynccontextmanager
async def eve(child: Child, identity: Identity = EVE) -> AsyncIterator[Eve]:
    """Eve, authenticated, who has not greeted yet."""
    async with await child.connect() as stream:
        secured = await dial_in(stream, identity=identity, stamp=tai64n(time.time_ns()))
        yield Eve(stream, secured)
