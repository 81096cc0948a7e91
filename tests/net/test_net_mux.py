"""The mux: conversations of two ends over a pretend wire, and every rule broken once."""

import struct
from collections import defaultdict, deque

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from f2fbuild import limits
from f2fbuild.errors import LocalProtocolError, RemoteProtocolError
from f2fbuild.net.frames import DATA_BYTES, FrameType, GoAwayReason, ResetReason, format_frame, parse_frame
from f2fbuild.net.mux import (
    QUEUE_BYTES,
    Credited,
    Event,
    Finished,
    GoneAway,
    Mux,
    Opened,
    Ponged,
    Received,
    WasReset,
)

WINDOW = limits.STREAM_WINDOW_BYTES


def pass_on(source: Mux, target: Mux) -> list[Event]:
    """Carry everything that `source` has to say, and return what it means to `target`."""
    events = []
    while (frame := source.data_to_send()) is not None:
        event = target.receive(frame)
        if event is not None:
            events.append(event)
    return events


def kinds(mux: Mux) -> list[tuple[FrameType, int]]:
    found = []
    while (data := mux.data_to_send()) is not None:
        frame = parse_frame(data)
        found.append((frame.type, frame.stream))
    return found


def pair() -> tuple[Mux, Mux]:
    return Mux(dialer=True), Mux(dialer=False)


def opened() -> tuple[Mux, Mux, int]:
    dialer, listener = pair()
    stream = dialer.open_stream()
    assert pass_on(dialer, listener) == [Opened(stream)]
    return dialer, listener, stream


def test_a_question_an_answer_and_both_ends() -> None:
    dialer, listener, stream = opened()
    dialer.send(stream, b"question")
    dialer.finish(stream)
    assert pass_on(dialer, listener) == [Received(stream, b"question"), Finished(stream)]
    listener.send(stream, b"answer")
    listener.finish(stream)
    assert pass_on(listener, dialer) == [Received(stream, b"answer"), Finished(stream)]
    assert not dialer.is_open(stream)
    assert not listener.is_open(stream)


def test_numbers_are_odd_and_even_and_grow() -> None:
    dialer, listener = pair()
    assert [dialer.open_stream() for _ in range(3)] == [1, 3, 5]
    assert [listener.open_stream() for _ in range(3)] == [2, 4, 6]


def test_control_goes_before_bulk_and_streams_take_turns() -> None:
    dialer, _ = pair()
    first, second = dialer.open_stream(), dialer.open_stream()
    dialer.send(first, bytes(2 * DATA_BYTES))
    dialer.send(second, bytes(2 * DATA_BYTES))
    dialer.ping(b"12345678")
    data = FrameType.DATA
    assert kinds(dialer) == [
        (FrameType.OPEN, first),
        (FrameType.OPEN, second),
        (FrameType.PING, 0),
        (data, first),
        (data, second),
        (data, first),
        (data, second),
    ]


def test_a_stream_that_nobody_reads_stops_only_itself() -> None:
    dialer, listener, stuck = opened()
    while size := dialer.sendable(stuck):
        dialer.send(stuck, bytes(size))
        pass_on(dialer, listener)
    other = dialer.open_stream()
    dialer.send(other, b"still here")
    assert pass_on(dialer, listener) == [Opened(other), Received(other, b"still here")]
    with pytest.raises(LocalProtocolError, match="does not take"):
        dialer.send(stuck, b"x")


def test_the_window_grows_with_a_reader_that_keeps_pace() -> None:
    dialer, listener, stream = opened()
    for _ in range(50):
        while size := dialer.sendable(stream):
            dialer.send(stream, bytes(size))
            for event in pass_on(dialer, listener):
                assert isinstance(event, Received)
                listener.consumed(stream, len(event.data))
        pass_on(listener, dialer)
    sent = 0
    while size := dialer.sendable(stream):
        dialer.send(stream, bytes(size))
        sent += size
        pass_on(dialer, listener)
    assert limits.STREAM_WINDOW_MAX_BYTES // 2 < sent <= limits.STREAM_WINDOW_MAX_BYTES


def test_unread_bytes_of_a_link_are_bounded_whatever_the_windows() -> None:
    dialer, listener = pair()
    streams = [dialer.open_stream() for _ in range(limits.LINK_STREAMS)]
    pass_on(dialer, listener)
    for _ in range(8):
        for stream in streams:
            while size := dialer.sendable(stream):
                dialer.send(stream, bytes(size))
                for event in pass_on(dialer, listener):
                    assert isinstance(event, Received)
                    listener.consumed(stream, len(event.data))
        pass_on(listener, dialer)
    unread = 0
    for stream in streams:
        while size := dialer.sendable(stream):
            dialer.send(stream, bytes(size))
            unread += size
            pass_on(dialer, listener)
    assert unread <= limits.LINK_STREAMS * WINDOW + limits.LINK_GROWTH_BYTES
    for stream in streams:
        listener.reset(stream, ResetReason.CANCELLED)
    assert listener._growth_left == limits.LINK_GROWTH_BYTES


def test_a_reset_ends_both_directions_and_late_frames_are_let_pass() -> None:
    dialer, listener, stream = opened()
    dialer.send(stream, b"on its way")
    late = dialer.data_to_send()
    assert late is not None
    dialer.send(stream, b"never leaves")
    listener.reset(stream, ResetReason.FAILED)
    listener.reset(stream, ResetReason.FAILED)
    assert listener.receive(late) is None
    assert pass_on(listener, dialer) == [WasReset(stream, ResetReason.FAILED)]
    assert dialer.data_to_send() is None
    for kind, payload in ((FrameType.CREDIT, b"\0\0\0\1"), (FrameType.FIN, b""), (FrameType.RESET, b"\0\0")):
        assert listener.receive(format_frame(kind, stream, payload)) is None
    listener.consumed(stream, 10)
    assert listener.data_to_send() is None


def test_a_reset_of_a_queued_stream_leaves_the_others_in_turn() -> None:
    dialer, listener = pair()
    first, second = dialer.open_stream(), dialer.open_stream()
    dialer.send(first, b"1")
    dialer.send(second, b"2")
    dialer.reset(first, ResetReason.CANCELLED)
    assert pass_on(dialer, listener) == [
        Opened(first),
        Opened(second),
        WasReset(first, ResetReason.CANCELLED),
        Received(second, b"2"),
    ]


def test_finishing_twice_is_finishing_once() -> None:
    dialer, listener, stream = opened()
    dialer.send(stream, b"x")
    dialer.finish(stream)
    dialer.finish(stream)
    assert dialer.sendable(stream) == 0
    assert pass_on(dialer, listener) == [Received(stream, b"x"), Finished(stream)]
    listener.consumed(stream, WINDOW)
    assert listener.data_to_send() is None


def test_a_ping_comes_back() -> None:
    dialer, listener = pair()
    dialer.ping(b"abcdefgh")
    assert pass_on(dialer, listener) == []
    assert pass_on(listener, dialer) == [Ponged(b"abcdefgh")]


def test_going_away_refuses_new_streams_on_both_sides() -> None:
    dialer, listener = pair()
    late = listener.open_stream()
    dialer.ping(b"abcdefgh")
    dialer.go_away(GoAwayReason.EXPIRED)
    dialer.go_away(GoAwayReason.PROTOCOL)
    assert pass_on(listener, dialer) == []
    assert pass_on(dialer, listener)[:2] == [
        GoneAway(GoAwayReason.EXPIRED),
        WasReset(late, ResetReason.REFUSED),
    ]
    assert not listener.can_open()
    with pytest.raises(LocalProtocolError):
        listener.open_stream()


def test_each_side_opens_only_so_many() -> None:
    dialer, listener = pair()
    for _ in range(limits.LINK_STREAMS):
        stream = dialer.open_stream()
    assert not dialer.can_open()
    with pytest.raises(LocalProtocolError):
        dialer.open_stream()
    pass_on(dialer, listener)
    assert listener.receive(format_frame(FrameType.OPEN, stream + 2)) is None
    assert kinds(listener) == [(FrameType.RESET, stream + 2)]
    assert listener.can_open()
    dialer.reset(1, ResetReason.CANCELLED)
    assert dialer.can_open()


@pytest.mark.parametrize(("kind", "expected"), [(77, ResetReason.CANCELLED), (3, ResetReason.PROTOCOL)])
def test_reset_reasons(kind: int, expected: ResetReason) -> None:
    dialer, _, stream = opened()
    assert dialer.receive(format_frame(FrameType.RESET, stream, struct.pack(">H", kind))) == WasReset(
        stream, expected
    )


@pytest.mark.parametrize(("kind", "expected"), [(77, GoAwayReason.SHUTDOWN), (1, GoAwayReason.NOT_ALLOWED)])
def test_go_away_reasons(kind: int, expected: GoAwayReason) -> None:
    dialer, _ = pair()
    assert dialer.receive(format_frame(FrameType.GOAWAY, 0, struct.pack(">H", kind))) == GoneAway(expected)


_CREDIT_TOO_MUCH = struct.pack(">I", limits.STREAM_WINDOW_MAX_BYTES)


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([(FrameType.OPEN, 2, b"")], "OPEN of stream 2"),
        ([(FrameType.OPEN, 1, b"")], "OPEN of stream 1"),
        ([(FrameType.OPEN, 5, b""), (FrameType.OPEN, 3, b"")], "OPEN of stream 3"),
        ([(FrameType.DATA, 3, b"x")], "never opened"),
        ([(FrameType.DATA, 2, b"x")], "never opened"),
        ([(FrameType.CREDIT, 1, b"\0\0\0\0")], "CREDIT of 0"),
        ([(FrameType.CREDIT, 1, _CREDIT_TOO_MUCH)], "CREDIT of"),
        ([(FrameType.FIN, 1, b""), (FrameType.FIN, 1, b"")], "FIN after FIN"),
        ([(FrameType.FIN, 1, b""), (FrameType.DATA, 1, b"x")], "DATA after FIN"),
        ([(FrameType.DATA, 1, bytes(WINDOW // 8))] * 9, "beyond its credit"),
        ([(FrameType.PING, 0, b"12345678")] * (limits.LINK_CONTROL_FRAMES + 1), "without reading"),
        ([(FrameType.PING, 1, b"12345678")], "PING on stream 1"),
    ],
)
def test_who_breaks_a_rule_is_not_heard_again(frames: list[tuple[FrameType, int, bytes]], says: str) -> None:
    _, listener, _ = opened()
    *legal, last = frames
    for frame in legal:
        listener.receive(format_frame(*frame))
    with pytest.raises(RemoteProtocolError, match=says):
        listener.receive(format_frame(*last))
    with pytest.raises(LocalProtocolError, match="after an error"):
        listener.receive(format_frame(FrameType.PING, 0, b"12345678"))


def test_what_we_may_not_do() -> None:
    dialer, _, stream = opened()
    with pytest.raises(LocalProtocolError):
        dialer.send(stream, b"")
    with pytest.raises(LocalProtocolError):
        dialer.send(stream, bytes(QUEUE_BYTES + 1))
    with pytest.raises(LocalProtocolError):
        dialer.send(99, b"x")
    with pytest.raises(LocalProtocolError, match="not open"):
        dialer.finish(99)
    assert isinstance(dialer.receive(format_frame(FrameType.CREDIT, stream, b"\0\0\0\1")), Credited)


class Conversation(RuleBasedStateMachine):
    """Two ends, two queues of frames, and a naive record of what must arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = (Mux(dialer=True), Mux(dialer=False))
        self.wires: tuple[deque[bytes], deque[bytes]] = (deque(), deque())
        self.sent: dict[tuple[int, int], bytes] = defaultdict(bytes)
        self.heard: dict[tuple[int, int], bytes] = defaultdict(bytes)
        self.unread: dict[tuple[int, int], int] = defaultdict(int)
        self.finished: set[tuple[int, int]] = set()
        self.reset: set[int] = set()
        self.streams: list[int] = []

    def usable(self, end: int, stream: int) -> bool:
        return self.ends[end].is_open(stream) and (end, stream) not in self.finished

    @rule(end=st.sampled_from([0, 1]))
    def open(self, end: int) -> None:
        if self.ends[end].can_open() and len(self.streams) < 6:
            self.streams.append(self.ends[end].open_stream())

    @precondition(lambda self: self.streams)
    @rule(end=st.sampled_from([0, 1]), data=st.data(), size=st.integers(min_value=1, max_value=200_000))
    def send(self, end: int, data: st.DataObject, size: int) -> None:
        stream = data.draw(st.sampled_from(self.streams))
        if self.usable(end, stream) and (size := min(size, self.ends[end].sendable(stream))):
            content = bytes([len(self.sent[end, stream]) % 251]) * size
            self.ends[end].send(stream, content)
            self.sent[end, stream] += content

    @precondition(lambda self: self.streams)
    @rule(end=st.sampled_from([0, 1]), data=st.data())
    def finish(self, end: int, data: st.DataObject) -> None:
        stream = data.draw(st.sampled_from(self.streams))
        if self.usable(end, stream):
            self.ends[end].finish(stream)
            self.finished.add((end, stream))

    @precondition(lambda self: self.streams)
    @rule(end=st.sampled_from([0, 1]), data=st.data())
    def break_off(self, end: int, data: st.DataObject) -> None:
        stream = data.draw(st.sampled_from(self.streams))
        if self.ends[end].is_open(stream):
            self.ends[end].reset(stream, ResetReason.CANCELLED)
            self.reset.add(stream)

    @rule(end=st.sampled_from([0, 1]), count=st.integers(min_value=1, max_value=9))
    def write(self, end: int, count: int) -> None:
        for _ in range(count):
            frame = self.ends[end].data_to_send()
            if frame is not None:
                self.wires[end].append(frame)

    @rule(end=st.sampled_from([0, 1]), count=st.integers(min_value=1, max_value=9))
    def deliver(self, end: int, count: int) -> None:
        for _ in range(min(count, len(self.wires[end]))):
            match self.ends[1 - end].receive(self.wires[end].popleft()):
                case Received(stream, content):
                    self.heard[end, stream] += content
                    self.unread[end, stream] += len(content)
                case Finished(stream):
                    assert self.heard[end, stream] == self.sent[end, stream]

    @rule(end=st.sampled_from([0, 1]), data=st.data())
    def read(self, end: int, data: st.DataObject) -> None:
        for (sender, stream), count in self.unread.items():
            if sender == end and count:
                part = data.draw(st.integers(min_value=1, max_value=count))
                self.ends[1 - end].consumed(stream, part)
                self.unread[sender, stream] -= part

    @invariant()
    def what_is_heard_was_said(self) -> None:
        for key, content in self.heard.items():
            assert self.sent[key].startswith(content)
            assert self.unread[key] <= limits.STREAM_WINDOW_MAX_BYTES

    def teardown(self) -> None:
        for _ in range(60):
            for end in (0, 1):
                self.write(end, 9)
                self.deliver(end, 9)
                for (sender, stream), count in self.unread.items():
                    self.ends[1 - sender].consumed(stream, count)
                self.unread.clear()
        for (end, stream), content in self.sent.items():
            if stream not in self.reset:
                assert self.heard[end, stream] == content


TestConversation = Conversation.TestCase
TestConversation.settings = hypothesis_settings(max_examples=40, stateful_step_count=40, deadline=None)
