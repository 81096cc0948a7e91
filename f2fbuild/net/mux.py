"""Many streams over one link: credit for each, control before bulk, and nobody starves.

The machine is pure: records go in and events come out; what is to be said is queued, and the link's writer
fetches it frame by frame. Every stream has a credit in each direction, so a stream that nobody reads stops
only itself, and unread bytes per peer are bounded by the windows granted. The dialer's streams are odd, the
listener's even, each side's numbers only grow.

An error of the peer raises `RemoteProtocolError` and poisons the machine: the link is to be closed.
"""

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from f2fbuild import limits
from f2fbuild.errors import LocalProtocolError, RemoteProtocolError
from f2fbuild.net.frames import (
    DATA_BYTES,
    LAST_STREAM,
    Frame,
    FrameType,
    GoAwayReason,
    ResetReason,
    format_frame,
    parse_frame,
)

QUEUE_BYTES: Final = limits.STREAM_QUEUE_FRAMES * DATA_BYTES
_U16: Final = struct.Struct(">H")
_U32: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Opened:
    """The peer opened a stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes on a stream; `Mux.consumed` says when somebody has read them."""

    stream: int
    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Credited:
    """More can be sent on a stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The peer sends nothing more on a stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class WasReset:
    """The peer broke a stream off in both directions."""

    stream: int
    reason: ResetReason


@dataclass(frozen=True, slots=True)
class Ponged:
    """The peer answered a ping of ours."""

    token: bytes


@dataclass(frozen=True, slots=True)
class GoneAway:
    """The peer will close the link; no new stream can be opened."""

    reason: GoAwayReason


StreamEvent: TypeAlias = Received | Credited | Finished | WasReset
"""What happens on an open stream."""

Event: TypeAlias = Opened | StreamEvent | Ponged | GoneAway


class _Half(Enum):
    """One direction of a stream."""

    OPEN = "open"
    ENDING = "FIN waits behind queued bytes"
    ENDED = "FIN has passed"


@dataclass(slots=True)
class _Stream:
    sending: _Half = _Half.OPEN
    receiving: _Half = _Half.OPEN
    credit: int = limits.STREAM_WINDOW_BYTES
    queue: deque[memoryview] = field(default_factory=deque)
    queued: int = 0
    window: int = limits.STREAM_WINDOW_BYTES
    expected: int = limits.STREAM_WINDOW_BYTES
    unreported: int = 0

    def take(self, most: int) -> list[memoryview]:
        """Take queued bytes out, at most `most`, and account for them."""
        parts: list[memoryview] = []
        missing = min(most, self.queued)
        self.queued -= missing
        self.credit -= missing
        while missing:
            part = self.queue.popleft()
            if len(part) > missing:
                self.queue.appendleft(part[missing:])
                part = part[:missing]
            parts.append(part)
            missing -= len(part)
        return parts


class Mux:
    """One end of a link."""

    def __init__(self, *, dialer: bool) -> None:
        """Be the side that dialled, or the one that listened."""
        self._next_own = 1 if dialer else 2
        self._last_theirs = 0
        self._streams: dict[int, _Stream] = {}
        self._ready: deque[int] = deque()
        self._control: deque[bytes] = deque()
        self._growth_left = limits.LINK_GROWTH_BYTES
        self._leaving = False
        self._left = False
        self._failed = False
        self._rules: dict[FrameType, Callable[[Frame], Event | None]] = {
            FrameType.DATA: self._on_data,
            FrameType.OPEN: self._on_open,
            FrameType.CREDIT: self._on_credit,
            FrameType.FIN: self._on_fin,
            FrameType.RESET: self._on_reset,
            FrameType.PING: self._on_ping,
            FrameType.PONG: lambda frame: Ponged(bytes(frame.payload)),
            FrameType.GOAWAY: self._on_go_away,
        }

    # What this side does.

    def can_open(self) -> bool:
        """Whether a stream can be opened now; it cannot while `LINK_STREAMS` of ours are open."""
        return not self._left and self._count(own=True) < limits.LINK_STREAMS

    def open_stream(self) -> int:
        """Open a stream and return its number.

        Raises:
            LocalProtocolError: `can_open` is false.
        """
        if not self.can_open() or self._next_own > LAST_STREAM:
            raise LocalProtocolError("no further stream can be opened")
        stream = self._next_own
        self._next_own += 2
        self._streams[stream] = _Stream()
        self._say(FrameType.OPEN, stream)
        return stream

    def is_open(self, stream: int) -> bool:
        """Whether a stream is open in either direction."""
        return stream in self._streams

    def sendable(self, stream: int) -> int:
        """Return how many bytes `send` takes now: what the peer's credit and this stream's queue allow."""
        state = self._streams.get(stream)
        if state is None or state.sending is not _Half.OPEN:
            return 0
        return min(state.credit, QUEUE_BYTES) - state.queued

    def send(self, stream: int, data: bytes | memoryview) -> None:
        """Queue bytes; `data` must not change until it was fetched.

        Raises:
            LocalProtocolError: empty, or more than `sendable`.
        """
        if not 0 < len(data) <= self.sendable(stream):
            raise LocalProtocolError(f"{len(data)} bytes on stream {stream}, which does not take them now")
        state = self._streams[stream]
        state.queue.append(memoryview(data))
        state.queued += len(data)
        if state.queued == len(data):
            self._ready.append(stream)

    def finish(self, stream: int) -> None:
        """Send nothing more on a stream, once what is queued has gone out."""
        state = self._own(stream)
        if state.sending is not _Half.OPEN:
            return
        state.sending = _Half.ENDING
        if not state.queued:
            self._end_sending(stream, state)

    def reset(self, stream: int, reason: ResetReason) -> None:
        """Break a stream off in both directions; one that is gone already stays gone."""
        if self._streams.get(stream) is not None:
            self._forget(stream)
            self._say(FrameType.RESET, stream, _U16.pack(reason))

    def consumed(self, stream: int, count: int) -> None:
        """Say that `count` bytes of a stream were read; the peer gets credit once half the window was.

        A reader that keeps pace has its window doubled, as long as the link's windows may grow.
        """
        state = self._streams.get(stream)
        if state is None or state.receiving is not _Half.OPEN:
            return
        state.unreported += count
        if state.unreported < state.window // 2:
            return
        growth = min(state.window, limits.STREAM_WINDOW_MAX_BYTES - state.window, self._growth_left)
        self._growth_left -= growth
        state.window += growth
        credit = state.unreported + growth
        state.expected += credit
        state.unreported = 0
        self._say(FrameType.CREDIT, stream, _U32.pack(credit))

    def ping(self, token: bytes) -> None:
        """Ask for a sign of life; `token` (8 bytes) comes back in `Ponged`."""
        self._say(FrameType.PING, 0, token)

    def go_away(self, reason: GoAwayReason) -> None:
        """Announce, before anything else, that the link will close; new streams of the peer are refused."""
        if not self._leaving:
            self._leaving = True
            self._control.appendleft(format_frame(FrameType.GOAWAY, 0, _U16.pack(reason)))

    def data_to_send(self) -> bytes | None:
        """Return the next frame for the wire: control first, then one of each stream in turn."""
        if self._control:
            return self._control.popleft()
        if not self._ready:
            return None
        stream = self._ready.popleft()
        state = self._streams[stream]
        parts = state.take(DATA_BYTES)
        if state.queued:
            self._ready.append(stream)
        elif state.sending is _Half.ENDING:
            self._end_sending(stream, state)
        return format_frame(FrameType.DATA, stream, *parts)

    def has_output(self) -> bool:
        """Whether `data_to_send` would return a frame."""
        return bool(self._control or self._ready)

    # What the peer does.

    def receive(self, record: bytes) -> Event | None:
        """Take one frame of the peer and return what it means, or None if nobody needs to know.

        Raises:
            RemoteProtocolError: it breaks the rules; the link is to be closed.
            LocalProtocolError: the link was to be closed.
        """
        if self._failed:
            raise LocalProtocolError("a frame after an error")
        try:
            self._check_reading()
            frame = parse_frame(record)
            return self._rules[frame.type](frame)
        except RemoteProtocolError:
            self._failed = True
            raise

    def _check_reading(self) -> None:
        if len(self._control) >= limits.LINK_CONTROL_FRAMES:
            raise RemoteProtocolError("asks without reading the answers")

    def _on_data(self, frame: Frame) -> Event | None:
        state = self._theirs(frame)
        if state is None:
            return None
        if state.receiving is not _Half.OPEN:
            raise RemoteProtocolError("DATA after FIN")
        state.expected -= len(frame.payload)
        if state.expected < 0:
            raise RemoteProtocolError("DATA beyond its credit")
        return Received(frame.stream, frame.payload)

    def _on_open(self, frame: Frame) -> Event | None:
        if self._is_own(frame.stream) or frame.stream <= self._last_theirs:
            raise RemoteProtocolError(f"OPEN of stream {frame.stream}")
        self._last_theirs = frame.stream
        if self._leaving or self._count(own=False) >= limits.LINK_STREAMS:
            self._say(FrameType.RESET, frame.stream, _U16.pack(ResetReason.REFUSED))
            return None
        self._streams[frame.stream] = _Stream()
        return Opened(frame.stream)

    def _on_credit(self, frame: Frame) -> Event | None:
        (count,) = _U32.unpack(frame.payload)
        state = self._theirs(frame)
        if state is None:
            return None
        state.credit += count
        if count == 0 or state.credit > limits.STREAM_WINDOW_MAX_BYTES:
            raise RemoteProtocolError(f"CREDIT of {count} bytes")
        return Credited(frame.stream)

    def _on_fin(self, frame: Frame) -> Event | None:
        state = self._theirs(frame)
        if state is None:
            return None
        if state.receiving is not _Half.OPEN:
            raise RemoteProtocolError("FIN after FIN")
        state.receiving = _Half.ENDED
        self._forget_if_done(frame.stream, state)
        return Finished(frame.stream)

    def _on_reset(self, frame: Frame) -> Event | None:
        if self._theirs(frame) is None:
            return None
        self._forget(frame.stream)
        (number,) = _U16.unpack(frame.payload)
        known = number in ResetReason.__members__.values()
        return WasReset(frame.stream, ResetReason(number) if known else ResetReason.CANCELLED)

    def _on_ping(self, frame: Frame) -> None:
        self._say(FrameType.PONG, 0, frame.payload)

    def _on_go_away(self, frame: Frame) -> Event:
        self._left = True
        (number,) = _U16.unpack(frame.payload)
        known = number in GoAwayReason.__members__.values()
        return GoneAway(GoAwayReason(number) if known else GoAwayReason.SHUTDOWN)

    # The books.

    def _is_own(self, stream: int) -> bool:
        return stream % 2 == self._next_own % 2

    def _count(self, *, own: bool) -> int:
        return sum(self._is_own(stream) is own for stream in self._streams)

    def _own(self, stream: int) -> _Stream:
        """Return a stream that this side speaks on."""
        try:
            return self._streams[stream]
        except KeyError:
            raise LocalProtocolError(f"stream {stream} is not open") from None

    def _theirs(self, frame: Frame) -> _Stream | None:
        """Return the stream a frame speaks of; None if it was open once, as the peer may not know yet."""
        opened = (
            frame.stream < self._next_own if self._is_own(frame.stream) else frame.stream <= self._last_theirs
        )
        if not opened:
            raise RemoteProtocolError(f"{frame.type.name} on stream {frame.stream}, which was never opened")
        return self._streams.get(frame.stream)

    def _say(self, kind: FrameType, stream: int, payload: bytes | memoryview = b"") -> None:
        self._control.append(format_frame(kind, stream, payload))

    def _end_sending(self, stream: int, state: _Stream) -> None:
        state.sending = _Half.ENDED
        self._say(FrameType.FIN, stream)
        self._forget_if_done(stream, state)

    def _forget_if_done(self, stream: int, state: _Stream) -> None:
        if state.sending is _Half.ENDED and state.receiving is _Half.ENDED:
            self._forget(stream)

    def _forget(self, stream: int) -> None:
        state = self._streams.pop(stream)
        self._growth_left += state.window - limits.STREAM_WINDOW_BYTES
        if state.queued:
            self._ready.remove(stream)
