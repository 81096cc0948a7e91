"""One authenticated link with one peer, over any stream.

A link runs its tasks in one nursery that never leaves this file: one reads records, one writes them (the
only writer, so frames of all streams interleave fairly), the others greet, keep the link alive and end it.
Each exchange that the peer opens gets a task of its own. Containment is per exchange: what a handler raises
resets that exchange and is reported, and the link lives on. Containment is per link as well: whatever the
peer does wrong ends the link, `run` returns why, and nothing is raised.
"""

import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError, IncompatibleVersionError, RemoteProtocolError
from f2fbuild.net import mux, records
from f2fbuild.net.exchange import Exchange, ExchangeResetError, LinkClosedError
from f2fbuild.net.frames import FrameType, GoAwayReason, ResetReason
from f2fbuild.net.handshake import PeerId, Secured
from f2fbuild.net.messages import Hello, Request
from f2fbuild.net.streams import LinkStream

VERSION: Final = 1
"""The version of the messages between nodes that is spoken here."""

_GREETING: Final = Hello(version_min=VERSION, version_max=VERSION, program="f2fbuild")
_TOKEN: Final = struct.Struct(">Q")

Handler: TypeAlias = Callable[[PeerId, Request, Exchange], Awaitable[None]]
"""Answers one request of a peer; the exchange is finished and closed when it returns."""

Reporter: TypeAlias = Callable[[PeerId, Exception], None]
"""Is told what a handler raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """What every link of a node shares: the handler, the reporter, and `spread()`, random in [0, 1)."""

    handler: Handler
    report: Reporter
    spread: Callable[[], float]


def agreed_version(ours: Hello, theirs: Hello) -> int:
    """Return the highest version that both speak.

    Raises:
        IncompatibleVersionError: there is none.
    """
    version = min(ours.version_max, theirs.version_max)
    if version < max(ours.version_min, theirs.version_min):
        raise IncompatibleVersionError(
            f"speaks versions {theirs.version_min} to {theirs.version_max}, we "
            f"{ours.version_min} to {ours.version_max}",
            where=theirs.program,
        )
    return version


class Link:
    """One authenticated link. `peer` is a node id; `dialer` says which side dialled."""

    def __init__(
        self, stream: trio.abc.Stream, secured: Secured, *, dialer: bool, settings: LinkSettings
    ) -> None:
        """Take over `stream`, on which `secured` was agreed; `run` closes it."""
        self.peer = secured.peer
        self.dialer = dialer
        self.version: int | None = None
        self.ended: LinkClosedError | None = None
        self._stream, self._secured, self._settings = stream, secured, settings
        self._mux = mux.Mux(dialer=dialer)
        self._streams: dict[int, LinkStream] = {}
        self._pings: dict[bytes, trio.Event] = {}
        self._next_token = 0
        self._handlers: dict[int, trio.CancelScope] = {}
        self._ready = trio.Event()
        self._probe = trio.Event()
        self._retired = trio.Event()
        self._idle = trio.lowlevel.ParkingLot()
        self._writer = trio.lowlevel.ParkingLot()
        self._openers = trio.lowlevel.ParkingLot()
        self._scope = trio.CancelScope()

    async def run(self) -> LinkClosedError:
        """Serve the link until it ends, close its stream, and return why it ended."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    for task in (self._write, self._greet, self._keep_alive, self._expire, self._leave):
                        nursery.start_soon(task)
                    nursery.start_soon(self._read, nursery)
        finally:
            ended = self._end("the node is stopping")
            await trio.aclose_forcefully(self._stream)
        return ended

    async def wait_ready(self) -> None:
        """Wait until both sides have greeted and agreed on a version.

        Raises:
            LinkClosedError: the link ended instead.
        """
        await self._ready.wait()
        if self.ended is not None:
            raise self.ended

    async def open(self, request: Request) -> Exchange:
        """Send `request` in a new exchange and finish our direction of it; waits if too many are open.

        Raises:
            LinkClosedError: the link is gone, or will be.
        """
        while self.ended is None and not self._mux.can_open():
            await self._openers.park()
        if self.ended is not None:
            raise self.ended
        stream = self._add_stream(self._mux.open_stream(), opened_here=True)
        exchange = Exchange(stream, peer=self.peer)
        try:
            await exchange.send(request)
            await exchange.finish()
        except BaseException:
            stream.close(ResetReason.CANCELLED)
            raise
        return exchange

    async def ping(self) -> float:
        """Return the seconds until the peer answered a ping; ends with `LinkClosedError` if it cannot."""
        token = _TOKEN.pack(self._next_token)
        self._next_token += 1
        answered = self._pings[token] = trio.Event()
        begun = trio.current_time()
        self._mux.ping(token)
        self._wake_writer()
        await answered.wait()
        if self.ended is not None:
            raise self.ended
        return trio.current_time() - begun

    def probe(self) -> None:
        """Look now whether the peer is still there; if not, the link ends."""
        self._probe.set()

    def retire(self) -> None:
        """Close the link once the exchanges on it are done: another link with this peer took over."""
        self._retired.set()

    def close(self, reason: GoAwayReason, why: str) -> None:
        """End the link: say goodbye, for at most `FAREWELL_SECONDS`, and cut it."""
        if self.ended is None:
            self._mux.go_away(reason)
            self._end(why)
            self._scope.deadline = trio.current_time() + limits.FAREWELL_SECONDS
            self._wake_writer()

    # The tasks.

    async def _read(self, nursery: trio.Nursery) -> None:
        try:
            await self._read_records(nursery)
            self._cut("the peer closed the connection")
        except RemoteProtocolError as error:
            self.close(GoAwayReason.PROTOCOL, str(error))
            await self._read_away()
        except trio.BrokenResourceError:
            self._cut("the connection broke")

    async def _read_records(self, nursery: trio.Nursery) -> None:
        """Take records until the peer closes the connection."""
        for frame in self._secured.frames:
            self._receive(frame, nursery)
        reader, cipher = self._secured.reader, self._secured.session.receiving
        while not reader.ended:
            while (record := reader.next_record()) is not None:
                self._receive(cipher.decrypt(record), nursery)
            if not reader.ended:
                reader.receive_data(await self._stream.receive_some(limits.LINK_READ_BYTES))

    async def _read_away(self) -> None:
        """Throw away what comes, so that closing does not reset the connection under our goodbye."""
        with suppress(trio.BrokenResourceError):
            while await self._stream.receive_some(limits.LINK_READ_BYTES):
                pass
        self._scope.cancel()

    async def _write(self) -> None:
        try:
            said_goodbye = False
            while not said_goodbye:
                batch, said_goodbye = self._next_batch()
                if batch:
                    await self._stream.send_all(batch)
                self._sweep()
                if not batch:
                    await self._writer.park()
        except trio.BrokenResourceError:
            self._cut("the connection broke")

    def _next_batch(self) -> tuple[bytes, bool]:
        """Return records for the wire, as many as go out well at once, and whether they end in GOAWAY."""
        parts: list[bytes] = []
        size = 0
        while size < limits.LINK_WRITE_BYTES and (frame := self._mux.data_to_send()) is not None:
            record = self._secured.session.sending.encrypt(frame)
            parts += (records.head(record), record)
            size += len(record)
            if frame[0] == FrameType.GOAWAY:
                return b"".join(parts), True
        return b"".join(parts), False

    def _sweep(self) -> None:
        """Let senders and openers know of new room, and forget streams that are done."""
        for number, stream in tuple(self._streams.items()):
            stream.on_sendable()
            if not self._mux.is_open(number):
                del self._streams[number]
        if self._mux.can_open():
            self._openers.unpark_all()
        if not self._streams:
            self._idle.unpark_all()

    async def _greet(self) -> None:
        """Exchange greetings, as the side that dialled; the other answers in `_serve`."""
        with trio.move_on_after(limits.DIAL_SECONDS):
            if self.dialer:
                try:
                    async with await self.open(_GREETING) as exchange:
                        self._agree(await exchange.expect(Hello))
                except F2FError as error:
                    self.close(GoAwayReason.PROTOCOL, str(error))
            await self._ready.wait()
        if not self._ready.is_set():
            self.close(GoAwayReason.PROTOCOL, "the peer did not greet")

    async def _keep_alive(self) -> None:
        """Ping now and then, and at once when probed; a peer that does not answer is gone."""
        while True:
            pause = limits.PING_LEAST_SECONDS + limits.PING_SPREAD_SECONDS * self._settings.spread()
            with trio.move_on_after(pause):
                await self._probe.wait()
            self._probe = trio.Event()
            with trio.move_on_after(limits.PONG_SECONDS) as waiting, suppress(LinkClosedError):
                await self.ping()
            if waiting.cancelled_caught:
                self._cut("the peer gave no sign of life")

    async def _expire(self) -> None:
        """End the link after a day; the friend is dialled again, and everything is renewed."""
        await trio.sleep(limits.LINK_SECONDS)
        self.close(GoAwayReason.EXPIRED, "the link is a day old and will be renewed")

    async def _leave(self) -> None:
        """When retired, give the peer time to notice the other link too, and exchanges time to end."""
        await self._retired.wait()
        await trio.sleep(limits.FAREWELL_SECONDS)
        with trio.move_on_after(limits.REQUEST_SECONDS):
            while self._streams:
                await self._idle.park()
        self.close(GoAwayReason.DUPLICATE, "another link with this peer took over")

    # What frames mean.

    def _receive(self, record: bytes, nursery: trio.Nursery) -> None:
        match self._mux.receive(record):
            case None:
                pass
            case mux.Opened(number):
                self._accept(number, nursery)
            case mux.Ponged(token):
                self._pings.pop(token, trio.Event()).set()
            case mux.GoneAway(reason):
                self._cut(f"the peer said goodbye: {reason.name.lower().replace('_', ' ')}")
            case event:
                self._streams[event.stream].on_event(event)
                if isinstance(event, mux.WasReset) and event.stream in self._handlers:
                    self._handlers[event.stream].cancel()
                if isinstance(event, mux.Received):
                    return
        self._wake_writer()

    def _accept(self, number: int, nursery: trio.Nursery) -> None:
        """Begin an exchange that the peer opened, unless too many handlers are still at work."""
        if len(self._handlers) >= limits.LINK_STREAMS:
            self._mux.reset(number, ResetReason.REFUSED)
            return
        self._handlers[number] = trio.CancelScope()
        nursery.start_soon(self._serve, self._add_stream(number, opened_here=False))

    async def _serve(self, stream: LinkStream) -> None:
        """Run the handler of one exchange; whatever goes wrong in it ends here."""
        reason = ResetReason.CANCELLED
        try:
            with self._handlers[stream.number]:
                await self._answer(Exchange(stream, peer=self.peer))
                if not stream.closed:
                    await stream.send_eof()
        except (LinkClosedError, ExchangeResetError):
            pass
        except (RemoteProtocolError, trio.TooSlowError):
            reason = ResetReason.PROTOCOL
        except Exception as error:  # noqa: BLE001 - containment is per exchange; it is reported
            reason = ResetReason.FAILED
            self._settings.report(self.peer, error)
        finally:
            del self._handlers[stream.number]
            stream.close(reason)

    async def _answer(self, exchange: Exchange) -> None:
        with trio.fail_after(limits.REQUEST_SECONDS):
            request = await exchange.receive()
            if self.dialer:
                await self._ready.wait()
        match request:
            case Hello() if self.version is None:
                await exchange.send(_GREETING)
                self._agree(request)
            case Hello():
                raise RemoteProtocolError("a second greeting", where=self.peer)
            case _ if self.version is None or not isinstance(request, Request):
                raise RemoteProtocolError(f"{type(request).__name__} is no request here", where=self.peer)
            case _:
                await self._settings.handler(self.peer, request, exchange)

    # The books.

    def _agree(self, theirs: Hello) -> None:
        try:
            self.version = agreed_version(_GREETING, theirs)
            self._ready.set()
        except IncompatibleVersionError as error:
            self.close(GoAwayReason.VERSION, str(error))

    def _add_stream(self, number: int, *, opened_here: bool) -> LinkStream:
        stream = LinkStream(
            self._mux, number, peer=self.peer, opened_here=opened_here, wake_writer=self._wake_writer
        )
        self._streams[number] = stream
        return stream

    def _wake_writer(self) -> None:
        self._writer.unpark_all()

    def _end(self, why: str) -> LinkClosedError:
        """Mark the link as ended, if it is not yet, and let everybody who waits know why."""
        if self.ended is None:
            self.ended = LinkClosedError(why, where=self.peer)
            for stream in self._streams.values():
                stream.on_broken(self.ended)
            for answered in self._pings.values():
                answered.set()
            self._ready.set()
            self._openers.unpark_all()
        return self.ended

    def _cut(self, why: str) -> None:
        self._end(why)
        self._scope.cancel()
