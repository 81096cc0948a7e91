"""Frames: the table, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import RemoteProtocolError
from f2fbuild.net.frames import DATA_BYTES, FRAME_BYTES, Frame, FrameType, format_frame, parse_frame

_SIZES = {
    FrameType.DATA: (1, 60),
    FrameType.OPEN: (0, 0),
    FrameType.CREDIT: (4, 4),
    FrameType.FIN: (0, 0),
    FrameType.RESET: (2, 2),
    FrameType.PING: (8, 8),
    FrameType.PONG: (8, 8),
    FrameType.GOAWAY: (2, 2),
}
_LINK = {FrameType.PING, FrameType.PONG, FrameType.GOAWAY}


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    kind = draw(st.sampled_from(FrameType))
    least, most = _SIZES[kind]
    stream = 0 if kind in _LINK else draw(st.integers(min_value=1, max_value=2**32 - 1))
    return Frame(type=kind, stream=stream, payload=draw(st.binary(min_size=least, max_size=most)))


@given(frames())
def test_a_frame_comes_back_as_it_was(frame: Frame) -> None:
    data = format_frame(frame.type, frame.stream, frame.payload)
    assert parse_frame(data) == frame


@given(st.binary(max_size=30))
def test_what_is_read_is_written_the_same(data: bytes) -> None:
    try:
        frame = parse_frame(data)
    except RemoteProtocolError:
        return
    assert format_frame(frame.type, frame.stream, frame.payload) == data


@given(frames(), st.sampled_from(FrameType))
def test_sizes_and_streams_suit_the_type(frame: Frame, other: FrameType) -> None:
    least, most = _SIZES[other]
    fits = least <= len(frame.payload) and (len(frame.payload) <= most or other is FrameType.DATA)
    fits = fits and (frame.stream == 0) is (other in _LINK)
    data = format_frame(other, frame.stream, frame.payload)
    if fits:
        assert parse_frame(data).type is other
    else:
        with pytest.raises(RemoteProtocolError):
            parse_frame(data)


def test_the_largest_frame_fills_a_record() -> None:
    largest = format_frame(FrameType.DATA, 1, bytes(DATA_BYTES))
    assert len(largest) == FRAME_BYTES == 65_535 - 16
    assert len(parse_frame(largest).payload) == DATA_BYTES
    with pytest.raises(RemoteProtocolError):
        parse_frame(largest + b"x")


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0", b"\x08\0\0\0\x01", b"\xff\0\0\0\x01"])
def test_no_head_or_an_unknown_type_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_frame(data)
