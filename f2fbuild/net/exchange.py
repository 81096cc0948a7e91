"""One exchange of messages over one stream of a link.

The opener sends a request, the other side answers with one or more messages and finishes. An exchange works
over any half-closeable stream, so that what is said in it can be tested without a network.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

import trio

from f2fbuild.errors import F2FError, FormatError, RemoteProtocolError
from f2fbuild.net import codec
from f2fbuild.net.messages import Failure
from f2fbuild.net.wire import Message

M = TypeVar("M", bound=Message)


class LinkClosedError(F2FError, trio.BrokenResourceError):
    """The connection to the peer is gone."""


class ExchangeResetError(F2FError, trio.BrokenResourceError):
    """The peer broke off this exchange."""


class ExchangeFinishedError(F2FError):
    """The peer has said all it wanted to say in this exchange."""


class PeerFailureError(F2FError):
    """The peer could not answer."""

    def __init__(self, failure: Failure, *, where: str = "") -> None:
        """Keep the peer's `failure` with its code."""
        super().__init__(f"{failure.code}: {failure.detail}", where=where)
        self.code = failure.code


class Exchange:
    """Messages to and from one peer in one stream.

    One task may send while another receives. Waits have no deadline of their own: a dead link ends them with
    `LinkClosedError`, and who asked sets any other with trio's cancel scopes. Leaving the exchange as a
    context manager closes it in both directions.
    """

    def __init__(self, stream: trio.abc.HalfCloseableStream, *, peer: str) -> None:
        """Speak over `stream` with `peer`, a node id in hexadecimal."""
        self.peer = peer
        self._stream = stream

    async def send(self, message: Message) -> None:
        """Send one message; returns when the link has taken it, which waits for a slow reader.

        Raises:
            LinkClosedError, ExchangeResetError: nobody will read it.
        """
        with _typed(self.peer):
            await self._stream.send_all(_spoken(message))

    async def receive(self) -> Message:
        """Return the next message.

        Raises:
            ExchangeFinishedError: there is none; the peer has finished.
            RemoteProtocolError: what came is no message.
            LinkClosedError, ExchangeResetError: nothing will come.
        """
        head = await self._read(codec.PREFIX_BYTES)
        if head is None:
            raise ExchangeFinishedError("no further message", where=self.peer)
        try:
            body = await self._read(codec.parse_prefix(head))
            if body is None:
                raise RemoteProtocolError("finished in the middle of a message", where=self.peer)
            return codec.decode(body)
        except FormatError as error:
            raise RemoteProtocolError(str(error), where=self.peer) from error

    async def expect(self, kind: type[M]) -> M:
        """Return the next message, which must be of class `kind`.

        Raises:
            PeerFailureError: the peer answered with a `Failure`.
            RemoteProtocolError: it is of another class. Else as `receive`.
        """
        message = await self.receive()
        if isinstance(message, kind):
            return message
        if isinstance(message, Failure):
            raise PeerFailureError(message, where=self.peer)
        raise RemoteProtocolError(f"{type(message).__name__} instead of {kind.__name__}", where=self.peer)

    async def finish(self) -> None:
        """Say that no further message follows; receiving goes on."""
        with _typed(self.peer):
            await self._stream.send_eof()

    async def aclose(self) -> None:
        """End the exchange; unless both sides have finished, the peer sees it reset."""
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.receive()
        except ExchangeFinishedError:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _read(self, size: int) -> bytes | None:
        """Return exactly `size` bytes, or None at a clean end before the first of them."""
        parts: list[bytes | bytearray] = []
        missing = size
        while missing:
            with _typed(self.peer):
                data = await self._stream.receive_some(missing)
            if not data:
                if parts:
                    raise RemoteProtocolError("finished in the middle of a message", where=self.peer)
                return None
            parts.append(data)
            missing -= len(data)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)


def _spoken(message: Message) -> bytes:
    """Return a message behind its size: the one copy that is held while a slow reader is waited for."""
    data = codec.encode(message)
    return codec.prefix(len(data)) + data


@contextmanager
def _typed(peer: str) -> Iterator[None]:
    """Give a stream's bare `BrokenResourceError` a name that users read."""
    try:
        yield
    except trio.BrokenResourceError as error:
        if isinstance(error, F2FError):
            raise
        raise LinkClosedError("the stream broke", where=peer) from error
