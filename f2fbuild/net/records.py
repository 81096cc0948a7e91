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
        self._buffer = b""
        self._size: int | None = None
        self._ended = False
        self._failed = False

    @property
    def ended(self) -> bool:
        """Whether the stream has ended and every record was taken."""
        return self._ended and not self._buffer and self._size is None

    def receive_data(self, data: bytes | bytearray) -> None:
        """Take bytes from the stream; empty means that it has ended."""
        if self._ended:
            raise LocalProtocolError("bytes after the end of a stream")
        self._ended = not data
        self._buffer = self._buffer + data if self._buffer else bytes(data)

    def next_byte(self) -> int | None:
        """Return the stream's next single byte (the pattern), or None until it is there."""
        return self._take(1)[0] if self._buffer else None

    def next_record(self) -> bytes | None:
        """Return the next whole record, or None until it is there.

        Raises:
            RemoteProtocolError: an empty record, or the stream ended within one.
        """
        if self._failed:
            raise LocalProtocolError("reading on after an error")
        self._take_size()
        if self._size is not None and len(self._buffer) >= self._size:
            record = self._take(self._size)
            self._size = None
            self._take_size()
            return record
        if self._ended and not self.ended:
            raise self._fail("the stream ended within a record")
        return None

    def _take_size(self) -> None:
        """Take the head of the next record as soon as it is there, so that what follows is the record."""
        if self._size is None and len(self._buffer) >= _SIZE.size:
            (size,) = _SIZE.unpack(self._take(_SIZE.size))
            if size == 0:
                raise self._fail("an empty record")
            self._size = size

    def _take(self, size: int) -> bytes:
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _fail(self, what: str) -> RemoteProtocolError:
        self._failed = True
        return RemoteProtocolError(what)
