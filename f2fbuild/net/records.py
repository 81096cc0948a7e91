"""Records on a stream: one pattern byte from the initiator, then uint16be-framed records.

Bytes go in as they arrive, whole records come out. Nothing but the record that is being waited for is kept.
"""

import struct
from typing import Final

from f2fbuild.errors import LocalProtocolError, RemoteProtocolError
from f2fbuild.limits import RECORD_BYTES

_SIZE: Final = struct.Struct(">H")


def head(record: bytes) -> bytes:
    """Return what stands before `record` (1 to 65,535 bytes) on the stream.

    Raises:
        LocalProtocolError: empty or too large.
    """
    if not 0 < len(record) <= RECORD_BYTES:
        raise LocalProtocolError(f"a record of {len(record)} bytes")
    return _SIZE.pack(len(record))


class RecordReader:
    """Splits a stream into records. After an error it refuses to go on."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._ended = False
        self._failed = False

    def receive_data(self, data: bytes | bytearray) -> None:
        """Take bytes from the stream; empty means that it has ended."""
        if self._ended:
            raise LocalProtocolError("bytes after the end of a stream")
        self._ended = not data
        self._buffer += data

    def next_byte(self) -> int | None:
        """Return the stream's next single byte (the pattern), or None until it is there."""
        return self._buffer.pop(0) if self._buffer else None

    def next_record(self) -> bytes | None:
        """Return the next whole record, or None until it is there.

        Raises:
            RemoteProtocolError: an empty record, or the stream ended within one.
        """
        if self._failed:
            raise LocalProtocolError("reading on after an error")
        size = self._size()
        if size is None or len(self._buffer) < _SIZE.size + size:
            if self._ended and self._buffer:
                self._failed = True
                raise RemoteProtocolError("the stream ended within a record")
            return None
        end = _SIZE.size + size
        with memoryview(self._buffer) as view:
            record = bytes(view[_SIZE.size : end])
        del self._buffer[:end]
        return record

    @property
    def ended(self) -> bool:
        """Whether the stream has ended and every record was taken."""
        return self._ended and not self._buffer

    def _size(self) -> int | None:
        """Return the size of the record being waited for, once its head is there."""
        if len(self._buffer) < _SIZE.size:
            return None
        (size,) = _SIZE.unpack_from(self._buffer)
        if size == 0:
            self._failed = True
            raise RemoteProtocolError("an empty record")
        return int(size)
