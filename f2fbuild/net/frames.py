"""Frames of a link, one in each record: uint8 type, uint32be stream, payload.

| type | stream | payload |
|---|---|---|
| 0 DATA | n | 1 or more bytes |
| 1 OPEN | n | none |
| 2 CREDIT | n | uint32be: so many more bytes may be sent |
| 3 FIN | n | none: no more DATA in this direction |
| 4 RESET | n | uint16be reason: the stream is gone in both directions |
| 5 PING | 0 | 8 bytes |
| 6 PONG | 0 | the same 8 bytes |
| 7 GOAWAY | 0 | uint16be reason: no new streams, the link will close |
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from f2fbuild.errors import RemoteProtocolError
from f2fbuild.limits import RECORD_BYTES
from f2fbuild.net.noise import TAG_BYTES

_HEAD: Final = struct.Struct(">BI")
FRAME_BYTES: Final = RECORD_BYTES - TAG_BYTES
"""Bytes of a frame that fits in one record."""

DATA_BYTES: Final = FRAME_BYTES - _HEAD.size
"""Bytes of DATA that fit in one frame."""

LAST_STREAM: Final = 2**32 - 1


class FrameType(IntEnum):
    """The first byte of a frame."""

    DATA = 0
    OPEN = 1
    CREDIT = 2
    FIN = 3
    RESET = 4
    PING = 5
    PONG = 6
    GOAWAY = 7


class ResetReason(IntEnum):
    """Why a stream was broken off. Numbers not in this list are taken as `CANCELLED`."""

    CANCELLED = 0
    REFUSED = 1
    FAILED = 2
    PROTOCOL = 3


class GoAwayReason(IntEnum):
    """Why a link will close. Numbers not in this list are taken as `SHUTDOWN`."""

    SHUTDOWN = 0
    NOT_ALLOWED = 1
    PROTOCOL = 2
    VERSION = 3
    EXPIRED = 4
    DUPLICATE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame; `payload` as in the table above, for DATA a view that copies nothing."""

    type: FrameType
    stream: int
    payload: bytes | memoryview = b""


_TYPES: Final = {kind.value: kind for kind in FrameType}
_ON_LINK: Final = frozenset({FrameType.PING, FrameType.PONG, FrameType.GOAWAY})
_SIZES: Final = {
    FrameType.DATA: (1, DATA_BYTES),
    FrameType.OPEN: (0, 0),
    FrameType.CREDIT: (4, 4),
    FrameType.FIN: (0, 0),
    FrameType.RESET: (2, 2),
    FrameType.PING: (8, 8),
    FrameType.PONG: (8, 8),
    FrameType.GOAWAY: (2, 2),
}


def format_frame(kind: FrameType, stream: int, *payload: bytes | memoryview) -> bytes:
    """Return a frame's bytes; its payload may be given in pieces."""
    return b"".join((_HEAD.pack(kind, stream), *payload))


def parse_frame(data: bytes) -> Frame:
    """Return the frame in `data`.

    Raises:
        RemoteProtocolError: a type that is not in the table, or a stream or payload that does not suit it.
    """
    if len(data) < _HEAD.size:
        raise RemoteProtocolError("a frame without a head")
    number, stream = _HEAD.unpack_from(data)
    kind = _TYPES.get(number)
    if kind is None:
        raise RemoteProtocolError(f"a frame of unknown type {number}")
    if (stream == 0) is not (kind in _ON_LINK):
        raise RemoteProtocolError(f"{kind.name} on stream {stream}")
    least, most = _SIZES[kind]
    if not least <= len(data) - _HEAD.size <= most:
        raise RemoteProtocolError(f"{kind.name} with {len(data) - _HEAD.size} bytes")
    payload = memoryview(data)[_HEAD.size :] if kind is FrameType.DATA else data[_HEAD.size :]
    return Frame(type=kind, stream=stream, payload=payload)
