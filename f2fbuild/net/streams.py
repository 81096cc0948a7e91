"""A stream of a link, as any trio stream: bytes both ways, half-close, back-pressure."""

import operator
from collections import deque
from collections.abc import Callable

import trio

from f2fbuild.errors import F2FError
from f2fbuild.limits import UNREAD_PART_BYTES
from f2fbuild.net.exchange import ExchangeResetError
from f2fbuild.net.frames import DATA_BYTES, ResetReason
from f2fbuild.net.mux import Credited, Finished, Mux, Received, StreamEvent, WasReset


class Unread:
    """Bytes that came and were not read yet, copied once when they are.

    Large frames are kept as they came; small ones are put together, so that a peer that sends many of them
    costs no more memory than its window.
    """

    def __init__(self) -> None:
        self.size = 0
        self._parts: deque[bytes | bytearray | memoryview] = deque()

    def append(self, data: bytes | memoryview) -> None:
        """Keep `data`."""
        self.size += len(data)
        last = self._parts[-1] if self._parts else None
        if len(data) >= UNREAD_PART_BYTES:
            self._parts.append(data)
        elif isinstance(last, bytearray) and len(last) < UNREAD_PART_BYTES:
            last += data
        else:
            self._parts.append(bytearray(data))

    def take(self, most: int | None) -> bytes:
        """Take out the first bytes, all or at most `most`."""
        missing = self.size if most is None else min(most, self.size)
        self.size -= missing
        taken: list[bytes | bytearray | memoryview] = []
        while missing:
            part = self._parts.popleft()
            if len(part) > missing:
                rest = memoryview(part)
                self._parts.appendleft(rest[missing:])
                part = rest[:missing]
            taken.append(part)
            missing -= len(part)
        return b"".join(taken)

    def clear(self) -> None:
        """Forget everything."""
        self._parts.clear()
        self.size = 0


class _OneTask:
    """Lets one task at a time do something, as trio's streams demand."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._taken = False

    def __enter__(self) -> None:
        if self._taken:
            raise trio.BusyResourceError(self._what)
        self._taken = True

    def __exit__(self, *error: object) -> None:
        self._taken = False


class LinkStream(trio.abc.HalfCloseableStream):
    """One stream of a link's mux. One task may send while another receives.

    Closing: who opened the stream and leaves before the other has finished breaks it off. Who answered and
    has finished leaves quietly, and what it sent still arrives; leaving before is breaking off too.
    """

    def __init__(
        self, mux: Mux, number: int, *, peer: str, opened_here: bool, wake_writer: Callable[[], None]
    ) -> None:
        """Be stream `number` of a link with `peer`.

        Args:
            mux: the link's mux, in which the stream is open.
            number: the stream's number.
            peer: the node id to name in errors.
            opened_here: whether this side opened the stream.
            wake_writer: called when the mux has something to say.
        """
        self.number = number
        self._mux = mux
        self._peer = peer
        self._opened_here = opened_here
        self._wake_writer = wake_writer
        self._unread = Unread()
        self._finished_here = self._finished_there = self._closed = False
        self._broken: F2FError | None = None
        self._readers = trio.lowlevel.ParkingLot()
        self._writers = trio.lowlevel.ParkingLot()
        self._sending = _OneTask("another task is sending on this stream")
        self._receiving = _OneTask("another task is receiving from this stream")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Queue all of `data`, waiting for the peer's credit; returns when the link holds the rest."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            self._check_sending()
            rest = memoryview(bytes(data))
            while rest:
                size = min(await self._wait_sendable(min(len(rest), DATA_BYTES)), len(rest))
                whole = size if size == len(rest) else size - size % DATA_BYTES
                self._mux.send(self.number, rest[:whole])
                self._wake_writer()
                rest = rest[whole:]

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the peer's credit and the link's queue take something."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            await self._wait_sendable(1)

    async def send_eof(self) -> None:
        """Finish this direction, once what is queued has gone out."""
        with self._sending:
            # The writer does not run before this is said, so a short message and its end go out together.
            await trio.lowlevel.checkpoint_if_cancelled()
            if not self._finished_here:
                self._check_usable()
                self._finished_here = True
                self._mux.finish(self.number)
                self._wake_writer()
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what has come, at most `max_bytes`; empty when the peer has finished."""
        if max_bytes is not None and operator.index(max_bytes) < 1:
            raise ValueError("max_bytes must be 1 or more")
        with self._receiving:
            await self._wait_receivable()
            taken = self._unread.take(max_bytes)
        self._mux.consumed(self.number, len(taken))
        if self._mux.has_output():
            self._wake_writer()
        return taken

    @property
    def closed(self) -> bool:
        """Whether this side has left the stream."""
        return self._closed

    async def aclose(self) -> None:
        """Leave the stream; see the class for what the peer notices."""
        self.close(ResetReason.CANCELLED)
        await trio.lowlevel.checkpoint()

    def close(self, reason: ResetReason) -> None:
        """Leave the stream at once; if that breaks it off, for this reason."""
        if self._closed:
            return
        self._closed = True
        self._unread.clear()
        if not self._finished_here or (self._opened_here and not self._finished_there):
            self._mux.reset(self.number, reason)
            self._wake_writer()
        self._wake()

    # What the link reports.

    def on_event(self, event: StreamEvent) -> None:
        """Take note of what the peer did on this stream."""
        match event:
            case Received():
                self._on_received(event.data)
            case Credited():
                self.on_sendable()
            case Finished():
                self._finished_there = True
                self._readers.unpark_all()
            case WasReset():
                self.on_broken(ExchangeResetError(event.reason.name.lower(), where=self._peer))

    def on_sendable(self) -> None:
        """The peer's credit or the queue may take more."""
        if self._writers and self._mux.sendable(self.number):
            self._writers.unpark_all()

    def on_broken(self, error: F2FError) -> None:
        """The stream or the link is gone. What arrived completely can still be read."""
        self._broken = error
        if not self._finished_there:
            self._unread.clear()
        self._wake()

    def _on_received(self, data: bytes | memoryview) -> None:
        """Keep bytes until they are read; their amount is bounded by the mux."""
        if not self._closed:
            self._unread.append(data)
            self._readers.unpark_all()

    def _wake(self) -> None:
        self._readers.unpark_all()
        self._writers.unpark_all()

    def _check_usable(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError
        if self._broken is not None:
            raise self._broken

    def _check_sending(self) -> None:
        self._check_usable()
        if self._finished_here:
            raise trio.ClosedResourceError

    async def _wait_receivable(self) -> None:
        """Return once there are bytes to take, or the peer has finished; a checkpoint in any case."""
        if self._unread.size or self._finished_there or self._closed or self._broken is not None:
            await trio.lowlevel.checkpoint()
        while not self._unread.size and not self._finished_there:
            self._check_usable()
            await self._readers.park()
        if self._closed:
            raise trio.ClosedResourceError

    async def _wait_sendable(self, least: int) -> int:
        """Return how much can be sent once that is `least` bytes: no small frames of a large whole."""
        while True:
            self._check_sending()
            size = self._mux.sendable(self.number)
            if size >= least:
                return size
            await self._writers.park()
