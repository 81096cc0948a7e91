"""Messages in bytes: MessagePack with every limit set, then strict conversion into frozen values.

Decoding is two steps, so that hostile bytes meet a small parser first: `msgpack` yields plain maps, lists,
texts, bytes and integers within limits, `msgspec` then accepts only what a message's class names. Unknown
types, unknown fields, a key given twice and trailing bytes are refused.
Source: the MessagePack specification (msgpack/msgpack, spec.md).
"""

import struct
from typing import Any, Final, get_args

import msgpack
import msgspec

from f2fbuild import limits
from f2fbuild.errors import FormatError, LocalProtocolError
from f2fbuild.net.messages import Answer, Request
from f2fbuild.net.wire import Message

_LENGTH: Final = struct.Struct(">I")
_ANY: Final = Request | Answer
_KINDS: Final = {kind.__name__: kind for kind in get_args(_ANY)}
PREFIX_BYTES: Final = _LENGTH.size
"""Bytes of the uint32be length before each message on a stream."""


def encode(message: Message) -> bytes:
    """Return `message` as one MessagePack map.

    Raises:
        LocalProtocolError: it is larger than a message may be, or holds what its class forbids.
    """
    data: bytes = msgpack.packb(msgspec.to_builtins(message, builtin_types=(bytes,)), use_bin_type=True)
    if len(data) > limits.MESSAGE_BYTES:
        raise LocalProtocolError(f"a message of {len(data)} bytes", where=type(message).__name__)
    return data


def decode(data: bytes) -> Message:
    """Return the message in `data`.

    Raises:
        FormatError: not one MessagePack map within the limits, or not a message that is known here.
    """
    if len(data) > limits.MESSAGE_BYTES:
        raise FormatError(f"larger than {limits.MESSAGE_BYTES} bytes", where="message")
    fields = _unpack(data)
    try:
        message: Message = msgspec.convert(fields, type=_kind(fields), strict=True, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        raise FormatError(str(error), where="message") from error
    return message


def prefix(size: int) -> bytes:
    """Return the length prefix of a message of `size` bytes."""
    return _LENGTH.pack(size)


def parse_prefix(data: bytes) -> int:
    """Return the size of the message that follows the 4 bytes `data`.

    Raises:
        FormatError: the message would be empty or larger than a message may be.
    """
    (size,) = _LENGTH.unpack(data)
    if not 0 < size <= limits.MESSAGE_BYTES:
        raise FormatError(f"announced with {size} bytes", where="message")
    return int(size)


def _kind(fields: Any) -> Any:
    """Return the class that a message names: looking at all classes each time takes 40 times as long.

    When it names none, all are returned, and converting says what is wrong.
    """
    name = fields.get("type") if isinstance(fields, dict) else None
    return _KINDS.get(name, _ANY) if isinstance(name, str) else _ANY


class _Containers:
    """Counts lists and maps while they are built, so that nesting cannot multiply memory."""

    def __init__(self) -> None:
        self.seen = 0

    def _count(self) -> None:
        self.seen += 1
        if self.seen > limits.MESSAGE_CONTAINERS:
            raise ValueError(f"more than {limits.MESSAGE_CONTAINERS} lists and maps")

    def on_list(self, items: list[Any]) -> list[Any]:
        self._count()
        return items

    def on_map(self, pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
        self._count()
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError("a key given twice")
        return members


def _unpack(data: bytes) -> Any:
    containers = _Containers()
    try:
        return msgpack.unpackb(  # noqa: TID251 - this is the one place that sets every limit
            data,
            raw=False,
            strict_map_key=True,
            list_hook=containers.on_list,
            object_pairs_hook=containers.on_map,
            max_str_len=4 * limits.MESSAGE_TEXT,
            max_bin_len=limits.MESSAGE_BYTES,
            max_array_len=limits.MESSAGE_LIST,
            max_map_len=limits.MESSAGE_FIELDS,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException) as error:
        raise FormatError(f"not MessagePack within the limits: {error}", where="message") from error
